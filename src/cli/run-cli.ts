/** One call of evtctl from arguments to exit status. The only place that catches. */
import { CommanderError } from "commander";
import { type EventplaneError, isEventplaneError } from "../kernel/errors.js";
import { adviceFor } from "./advice.js";
import { exitStatus, exitStatusOf } from "./exit-codes.js";
import { createProgram } from "./program.js";
import { assertNoSecrets } from "./secrets.js";
import { type Input, Shell } from "./shell.js";
import { safe, type Terminal } from "./terminal.js";

/** What a call has of its process. */
export interface CliProcess {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  readonly terminal: Terminal;
}

/** Runs the command and gives its exit status; what fails is told in two lines: what, and what to do. */
export async function runCli({ args, environment, stdin, terminal }: CliProcess): Promise<number> {
  const shell = new Shell({ terminal, environment, stdin });
  try {
    assertNoSecrets(args);
    const program = await createProgram(args, shell);
    await program.parseAsync(args, { from: "user" });
    return shell.exitStatus;
  } catch (error) {
    if (error instanceof CommanderError) return usageStatus(error, args, terminal);
    return tell(error, terminal);
  }
}

/** Tells a failure in two lines. @returns its exit status */
function tell(error: unknown, terminal: Terminal): number {
  if (!isEventplaneError(error)) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    terminal.note(`${terminal.red("error")} internal: ${safe(message)}`);
    const place =
      error instanceof Error ? error.stack?.split("\n").find((line) => line.trim().startsWith("at ")) : undefined;
    terminal.note(
      `  This is a fault of evtctl${place === undefined ? "" : ` (${safe(place.trim())})`}: please report it with the command.`,
    );
    return exitStatus.failed;
  }
  const pointers = pointersOf(error);
  terminal.note(`${terminal.red("error")} ${error.code}: ${safe(error.message, 2_000)}${pointers}`);
  terminal.note(`  ${adviceFor(error.code)}`);
  return exitStatusOf(error.code);
}

function pointersOf({ details }: EventplaneError): string {
  const { pointers, requestId } = details;
  const at =
    Array.isArray(pointers) && pointers.length > 0
      ? ` at ${[...new Set(pointers)].map((each) => safe(each, 100)).join(", ")}`
      : "";
  return `${at}${typeof requestId === "string" ? ` (request ${safe(requestId, 64)})` : ""}`;
}

function usageStatus(error: CommanderError, args: readonly string[], terminal: Terminal): number {
  if (error.exitCode === 0) return exitStatus.ok;
  if (error.code === "commander.help") {
    terminal.note("error usage: No command is given.");
    terminal.note("  Run `evtctl --help`: it lists the commands.");
    return exitStatus.usage;
  }
  const message = error.message.replace(/^error: /, "").replaceAll("\n", " ");
  terminal.note(`${terminal.red("error")} usage: ${safe(message)}`);
  const isKnown = error.code !== "commander.unknownCommand";
  const command = isKnown ? args.find((arg) => /^[a-z][a-z-]*$/.test(arg)) : undefined;
  terminal.note(
    `  Run \`evtctl ${command === undefined ? "" : `${safe(command, 40)} `}--help\`: it shows ${isKnown ? "the options with examples" : "the commands"}.`,
  );
  return exitStatus.usage;
}

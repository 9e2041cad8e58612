/** `evtctl doctor`: looks for the usual causes, one line each, with what to do. */
import type { Command } from "commander";
import { packageVersion } from "../../plane/index.js";
import {
  checkCredential,
  checkDatabase,
  checkKeyFiles,
  checkPlane,
  checkRootKey,
  checkVersions,
  type Finding,
} from "../doctor/checks.js";
import { exitStatus } from "../exit-codes.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe, type Terminal } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("doctor")
    .description("check plane, clock, credential, key files and, with DATABASE_URL, the database")
    .addHelpText(
      "after",
      "\nEnds with status 1 when something failed.\n\n  evtctl doctor\n  DATABASE_URL_FILE=owner.url evtctl doctor -o json",
    )
    .action(async (_options: unknown, command: Command) => {
      const findings = await examine(command, shell);
      const printer = shell.printer(command);
      if (printer.format !== "table") await printer.value(findings);
      else for (const finding of findings) await shell.terminal.line(lineOf(finding, shell.terminal));
      if (findings.some(({ state }) => state === "failed")) shell.exitStatus = exitStatus.failed;
    });
}

async function examine(command: Command, shell: Shell): Promise<readonly Finding[]> {
  const credentials = shell.credentials(command);
  const { dataDir } = credentials;
  const findings = [checkVersions(packageVersion()), checkKeyFiles(dataDir), checkRootKey(dataDir)];
  const [plane, credential, database] = await Promise.all([
    checkPlane(addressOf(credentials)),
    checkCredential(credentials),
    checkDatabase(serveConfig(command.optsWithGlobals<ServeFlags>(), shell)),
  ]);
  return [...findings, ...plane, credential, ...database];
}

/** The address needs the context file, which may be what is wrong. */
function addressOf(credentials: { url(): { readonly value: string | undefined } }): string {
  try {
    return credentials.url().value ?? "";
  } catch {
    return "http://127.0.0.1:8787";
  }
}

function lineOf({ check, state, found, advice }: Finding, terminal: Terminal): string {
  const paint = { ok: terminal.green, warning: terminal.yellow, failed: terminal.red, skipped: terminal.dim }[state];
  return `${paint(state.padEnd(8))} ${check.padEnd(15)} ${safe(found, 1_000)}${advice === "" ? "" : `  → ${safe(advice, 1_000)}`}`;
}

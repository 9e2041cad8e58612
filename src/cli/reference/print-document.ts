/** Commands that print what a configuration's plane would serve as its reference: no database, no key, no server. */
import type { Command } from "commander";
import { type ReferenceName, referenceDocument } from "../../plane/index.js";
import { Printer } from "../output.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";

/** Adds a command that prints the document of this name: JSON unless YAML is asked for. */
export function addReferenceCommand(
  program: Command,
  shell: Shell,
  { name, description }: { readonly name: ReferenceName; readonly description: string },
): void {
  program
    .command(name)
    .description(description)
    .option("-c, --config <file>", "the application's file (default eventplane.config.ts)")
    .addHelpText("after", `\n  evtctl ${name} > ${name}.json\n  evtctl ${name} -o yaml --config candidate.config.ts`)
    .action(async (_options: unknown, command: Command) => {
      const config = serveConfig(command.optsWithGlobals<ServeFlags>(), shell);
      const { format } = shell.printer(command);
      const printer = new Printer(shell.terminal, format === "table" ? "json" : format);
      await printer.value(await referenceDocument(name, config));
    });
}

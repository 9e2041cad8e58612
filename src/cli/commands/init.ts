/** `evtctl init`: a new application in a folder, with a test that passes. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { EventplaneError } from "../../kernel/errors.js";
import { type StarterFile, starterFiles } from "../init/starter.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("init")
    .description("write a new application: configuration, test, package.json, tsconfig.json, Dockerfile")
    .argument("[folder]", "where; made when it is not there", ".")
    .addHelpText(
      "after",
      `
Nothing is overwritten: when one of the files is there already, none is written.

  evtctl init my-app && cd my-app && npm install && npm test && npm run dev`,
    )
    .action(async (folder: string, _options: unknown, command: Command) => {
      const target = resolve(folder);
      const files = starterFiles(target);
      refuseToOverwrite(target, files);
      write(target, files);
      await tell(target, files, { shell, command });
    });
}

function refuseToOverwrite(folder: string, files: readonly StarterFile[]): void {
  const standing = files.map(({ name }) => name).filter((name) => existsSync(join(folder, name)));
  if (standing.length === 0) return;
  const message = `${folder} has ${standing.join(", ")} already; nothing was written. Choose another folder: evtctl init FOLDER.`;
  throw new EventplaneError("usage", message, { details: { folder, standing } });
}

/** `wx` refuses a file that somebody else has made since the look. */
function write(folder: string, files: readonly StarterFile[]): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const { name, text } of files) writeFileSync(join(folder, name), text, { flag: "wx" });
  } catch (cause) {
    const message = `${folder} cannot be written: check its path and rights, or choose another folder.`;
    throw new EventplaneError("usage", message, { details: { folder }, cause });
  }
}

async function tell(
  folder: string,
  files: readonly StarterFile[],
  { shell, command }: { readonly shell: Shell; readonly command: Command },
): Promise<void> {
  const printer = shell.printer(command);
  const names = files.map(({ name }) => name);
  if (printer.format !== "table") return printer.value({ folder, files: names });
  const { terminal } = shell;
  for (const name of names) await terminal.line(`wrote ${safe(join(relative(process.cwd(), folder), name))}`);
  const here = relative(process.cwd(), folder);
  const enter = here === "" ? "" : `cd ${quoted(safe(here))} && `;
  terminal.note(`\nNow: ${enter}npm install && npm test && npm run dev`);
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

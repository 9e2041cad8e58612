/** `evtctl role`: data folders of processes that have some of the roles. */
import type { Command } from "commander";
import { exportRoles } from "../../plane/index.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  const role = program
    .command("role")
    .description("data folders of processes that have some of the roles")
    .addHelpText(
      "after",
      `
A process with some of the roles refuses a data folder that holds more than they need. Run it where the whole data
folder is, as \`evtctl migrate up\` left it, and bring each process its own:

  evtctl role export ./edge --roles edge
  evtctl role export ./controllers --roles controllers,workers
  DATABASE_URL=postgresql://db.internal/eventplane evtctl start --roles edge --data-dir ./edge`,
    );
  role
    .command("export")
    .argument("<folder>", "a new or empty folder")
    .description("write the keys and passwords that these roles need, and nothing else, to a folder")
    .requiredOption("--roles <roles>", "edge, controllers, workers, projections, relay, comma-separated")
    .action(async (folder: string, _options: unknown, command: Command) => {
      const roles = await exportRoles(serveConfig(command.optsWithGlobals<ServeFlags>(), shell), folder);
      await shell.terminal.line(`${safe(folder)} has what ${roles.join(", ")} need${roles.length === 1 ? "s" : ""}`);
    });
}

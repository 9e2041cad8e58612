/** `evtctl demo`: the main job on a plane of its own, with a crash in the middle. */
import type { Command } from "commander";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("demo")
    .description(
      "see it work: two tenants, a crash in the middle, proof afterwards; half a minute, leaves nothing behind",
    )
    .addHelpText(
      "after",
      `
It runs a plane of its own in a temporary folder and needs nothing: no database, no Docker, no keys. Each line with
a mark is a check; status 1 when one does not hold.

  evtctl demo`,
    )
    .action(async () => {
      const { runDemo } = await import("../demo/index.js");
      const { terminal, environment, self } = shell;
      shell.exitStatus = await runDemo({ terminal, environment, self });
    });
}

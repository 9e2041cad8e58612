/** `evtctl asyncapi`: the messages of a configuration as AsyncAPI 3.0, without a plane that runs. */
import type { Command } from "commander";
import { addReferenceCommand } from "../reference/print-document.js";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  addReferenceCommand(program, shell, {
    name: "asyncapi",
    description:
      "print the messages of subscriptions, publishers, sources and webhooks of a configuration, as AsyncAPI 3.0",
  });
}

/** `evtctl openapi`: the HTTP API of a configuration as OpenAPI 3.1, without a plane that runs. */
import type { Command } from "commander";
import { addReferenceCommand } from "../reference/print-document.js";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  addReferenceCommand(program, shell, {
    name: "openapi",
    description: "print the HTTP API with the intents of a configuration, as OpenAPI 3.1",
  });
}

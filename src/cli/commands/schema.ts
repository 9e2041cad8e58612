/** `evtctl schema`: what intents the plane takes. */
import type { Command } from "commander";
import { EventplaneError } from "../../kernel/errors.js";
import { wholeNumber } from "../option-values.js";
import type { Shell } from "../shell.js";

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const schema = program
    .command("schema")
    .description("show the schemas of intents")
    .addHelpText("after", "\n  evtctl schema list\n  evtctl schema show organization.create");
  schema
    .command("list")
    .description("list the types of intents")
    .action(async (_options: unknown, command: Command) => {
      const client = await shell.credentials(command).client();
      await shell.printer(command).list(await client.schemas(), [
        { title: "TYPE", value: ({ type }) => type },
        { title: "VERSION", value: ({ schemaVersion }) => schemaVersion },
        { title: "EFFECT", value: ({ effect }) => effect },
        { title: "MEMBERS", value: ({ schema: { properties } }) => Object.keys(properties ?? {}).join(", ") },
      ]);
    });
  schema
    .command("show")
    .description("show the JSON Schema of a type")
    .argument("<type>", "as organization.create")
    .argument("[version]", "default: the newest", wholeNumber(1))
    .action(async (type: string, version: number | undefined, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).client();
      const found = version === undefined ? newest(await client.schemas(), type) : await client.schema(type, version);
      await shell.printer(command).value(found);
    });
}

function newest<Schema extends { readonly type: string; readonly schemaVersion: number }>(
  schemas: readonly Schema[],
  type: string,
): Schema {
  const found = schemas.filter((schema) => schema.type === type).sort((a, b) => b.schemaVersion - a.schemaVersion)[0];
  if (found !== undefined) return found;
  throw new EventplaneError(
    "not_found",
    "This plane takes no intents of this type; `evtctl schema list` shows those that it takes.",
  );
}

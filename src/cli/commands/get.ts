/** `evtctl get`: resources as they are. */
import type { Command } from "commander";
import type { ResourceView } from "../../client/index.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import { parseResourceName } from "../resource-name.js";
import type { Shell } from "../shell.js";

/** Columns of resources. */
export const resourceColumns: readonly Column<ResourceView>[] = [
  { title: "NAME", value: ({ aggregateType, aggregateId }) => `${aggregateType}/${aggregateId}` },
  { title: "PHASE", value: ({ phase }) => phase },
  { title: "GENERATION", value: ({ generation }) => generation },
  { title: "VERSION", value: ({ version }) => version },
  { title: "SPEC", value: ({ spec }) => JSON.stringify(spec) },
  { title: "UPDATED", value: ({ updatedAt }) => updatedAt },
];

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("get")
    .description("show the resources of a type, or one")
    .argument("<type>", "TYPE or TYPE/ID")
    .argument("[id]", "id, when the type stands alone")
    .option("--min-position <position>", "wait until everything up to this position is in it", wholeNumber(0))
    .addHelpText(
      "after",
      `
  evtctl get organization
  evtctl get organization/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 -o json`,
    )
    .action(async (type: string, id: string | undefined, options: { minPosition?: number }, command: Command) => {
      const { aggregateType, aggregateId } = parseResourceName(type, id);
      const client = await shell.credentials(command).client();
      const printer = shell.printer(command);
      if (aggregateId === undefined) {
        const resources: ResourceView[] = [];
        for await (const resource of client.resources(aggregateType)) resources.push(resource);
        await printer.list(resources, resourceColumns);
        return;
      }
      const resource = await client.resource(aggregateType, aggregateId, options);
      if (printer.format === "table") await printer.list([resource], resourceColumns);
      else await printer.value(resource);
    });
}

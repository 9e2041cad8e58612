/** `evtctl watch`: resources whenever they change. */
import type { Command } from "commander";
import type { EventplaneClient, ResourceView } from "../../client/index.js";
import { wholeNumber } from "../option-values.js";
import { parseResourceName, type ResourceName } from "../resource-name.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("watch")
    .description("show the resources of a type, or one, and then every change")
    .argument("<type>", "TYPE or TYPE/ID")
    .argument("[id]", "id, when the type stands alone")
    .option("--limit <n>", "end after so many lines", wholeNumber(1))
    .addHelpText(
      "after",
      `
  evtctl watch organization
  evtctl watch organization/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 -o json`,
    )
    .action(async (type: string, id: string | undefined, { limit }: { limit?: number }, command: Command) => {
      const client = await shell.credentials(command).client();
      const printer = shell.printer(command);
      let shown = 0;
      for await (const resource of changes(client, parseResourceName(type, id))) {
        await printer.item(resource, () => lineOf(resource, shell));
        shown += 1;
        if (shown === limit) return;
      }
    });
}

/** What there is, then each resource after each of its events. */
async function* changes(
  client: EventplaneClient,
  { aggregateType, aggregateId }: ResourceName,
): AsyncGenerator<ResourceView> {
  const [newest] = (await client.readPage({ direction: "backwards", limit: 1 })).events;
  const position = newest?.position ?? 0;
  const versions = new Map<string, number>();
  for await (const resource of client.resources(aggregateType)) {
    if (aggregateId !== undefined && resource.aggregateId !== aggregateId) continue;
    versions.set(resource.aggregateId, resource.version);
    yield resource;
  }
  const filter = { aggregateType, ...(aggregateId === undefined ? {} : { aggregateId }) };
  for await (const item of client.subscribe({ after: position, ...filter })) {
    if (item.type !== "event" || item.event.version <= (versions.get(item.event.aggregateId) ?? 0)) continue;
    const resource = await client.resource(aggregateType, item.event.aggregateId, { minPosition: item.event.position });
    versions.set(resource.aggregateId, resource.version);
    yield resource;
  }
}

function lineOf(
  { aggregateType, aggregateId, phase, generation, version, updatedAt }: ResourceView,
  { terminal }: Shell,
): string {
  const name = terminal.bold(safe(`${aggregateType}/${aggregateId}`));
  return `${name}  ${safe(phase).padEnd(11)}  generation ${generation}  version ${version}  ${terminal.dim(safe(updatedAt))}`;
}

/** `evtctl trace`: who asked, who allowed it, what followed, how long each took. */
import type { Command } from "commander";
import type { EventplaneClient } from "../../client/index.js";
import type { Event } from "../../event/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import type { Shell } from "../shell.js";
import { traceTree, treeLines } from "../trace/tree.js";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("trace")
    .description("show what followed from an intent, as a tree")
    .argument("<id>", "id of any event of it, correlation id, or TYPE/ID for a resource's newest")
    .addHelpText(
      "after",
      "\n  evtctl trace 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11\n  evtctl trace organization/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11",
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).client();
      const events = await eventsOf(client, id);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(traceTree(events));
      for (const line of treeLines(traceTree(events), shell.terminal)) await shell.terminal.line(line);
    });
}

async function eventsOf(client: EventplaneClient, id: string): Promise<readonly Event[]> {
  const [aggregateType, aggregateId] = id.split("/", 2);
  if (aggregateId !== undefined && aggregateType !== undefined) {
    const { events } = await client.readPage({
      kind: "intent",
      aggregateType,
      aggregateId,
      direction: "backwards",
      limit: 1,
    });
    const newest = events[0];
    if (newest === undefined) throw new EventplaneError("not_found", "This tenant has no intent for this resource.");
    return client.trace(newest.correlationId);
  }
  if (!uuid.test(id)) throw new EventplaneError("usage", "A trace is named by a UUID in lower case, or by TYPE/ID.");
  try {
    return await client.trace(id);
  } catch (error) {
    if (!isEventplaneError(error, "not_found")) throw error;
    return client.trace((await client.event(id)).correlationId);
  }
}

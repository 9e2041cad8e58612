/** `evtctl describe`: everything about one resource. */
import type { Command } from "commander";
import type { ResourceView } from "../../client/index.js";
import type { Condition, EffectState, Event } from "../../event/index.js";
import { eventLineOf } from "../event-lines.js";
import { parseOneResource } from "../resource-name.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const eventsShown = 20;

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("describe")
    .description("show one resource with its status, conditions and last events")
    .argument("<name>", "TYPE/ID, or TYPE")
    .argument("[id]", "id, when the type stands alone")
    .addHelpText("after", "\n  evtctl describe organization/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11")
    .action(async (name: string, id: string | undefined, _options: unknown, command: Command) => {
      const { aggregateType, aggregateId } = parseOneResource(name, id);
      const client = await shell.credentials(command).client();
      const resource = await client.resource(aggregateType, aggregateId);
      const events: Event[] = [];
      for await (const event of client.read({
        aggregateType,
        aggregateId,
        direction: "backwards",
        limit: eventsShown,
      })) {
        events.unshift(event);
        if (events.length === eventsShown) break;
      }
      const printer = shell.printer(command);
      if (printer.format === "table") await describe(resource, events, shell);
      else await printer.value({ ...resource, events });
    });
}

async function describe(resource: ResourceView, events: readonly Event[], { terminal }: Shell): Promise<void> {
  const { aggregateType, aggregateId, phase, lifecycle, generation, version, position, createdAt, updatedAt } =
    resource;
  const pairs: readonly (readonly [string, unknown])[] = [
    ["Name", `${aggregateType}/${aggregateId}`],
    ["Phase", phase],
    ["Lifecycle", lifecycle],
    ["Generation", `${generation} (version ${version}, position ${position})`],
    ["Created", createdAt],
    ["Updated", updatedAt],
    ["Waits for", waitsFor(resource)],
    ["Spec", JSON.stringify(resource.spec)],
    ["Status", JSON.stringify(resource.status)],
  ];
  for (const [title, value] of pairs)
    await terminal.line(`${terminal.bold(`${title}:`.padEnd(12))}${safe(value, 4_000)}`);
  await terminal.line(terminal.bold("Conditions:"));
  for (const condition of resource.conditions) await terminal.line(`  ${conditionLine(condition)}`);
  if (resource.effects.length > 0) await terminal.line(terminal.bold("Effects:"));
  for (const effect of resource.effects) await terminal.line(`  ${effectLine(effect)}`);
  await terminal.line(terminal.bold("Events:"));
  for (const event of events) await terminal.line(eventLineOf(event, terminal));
}

/** Blockers with their age are what one looks for first. */
function waitsFor({ waitsFor: expected, finalizers, generation, updatedAt }: ResourceView): string {
  const open = expected.filter(
    (name) => finalizers[name]?.completed !== true || finalizers[name]?.observedGeneration !== generation,
  );
  return open.length === 0 ? "nobody" : `${open.join(", ")} (no news since ${updatedAt})`;
}

function effectLine({ id, controller, worker, state, failure }: EffectState): string {
  const said = failure === undefined ? "" : `: ${failure.code}, ${failure.message}`;
  return safe(`${worker}  ${state}${said}  (asked by ${controller}, effect ${id})`, 1_000);
}

function conditionLine({ type, status, reason, message, component, lastTransitionTime }: Condition): string {
  const said = message === "" ? "" : `: ${message}`;
  return safe(`${type}=${status}  ${reason}${said}  (${component}, since ${lastTransitionTime})`, 1_000);
}

/** Chapter 3: a change in calm, to measure it and to follow one from its cause to its end. */
import type { Event } from "../../event/index.js";
import { formatMs } from "../duration.js";
import type { Follower } from "./follower.js";
import { median, readyTimesMs } from "./log-checks.js";
import { receiptOf } from "./publisher.js";
import { evtctlAs, type Scene } from "./scene.js";
import { changePlanIntents, type NamedIntent } from "./workload.js";

const changesCount = 20;
const settlesWithinMs = 20_000;

/** What this chapter published and measured. */
export interface CalmResult {
  readonly changes: readonly NamedIntent[];
  readonly readyMs: number;
}

/** Twenty customers change their plan; one of them is traced. */
export async function changePlans(scene: Scene, follower: Follower): Promise<CalmResult> {
  const { report, b, signal } = scene;
  await report.chapter("In calm: 20 organizations change their plan, and one of them is traced");
  const changes = changePlanIntents(b.intents, changesCount);
  await b.publisher.publish(changes, signal);
  const expected = b.intents.length + changes.length;
  const isReady = await follower.reaches(expected, { withinMs: settlesWithinMs, signal });
  const events: Event[] = [];
  for await (const event of b.client.read(
    { after: receiptOf(b.publisher, changes[0]?.id ?? "").position - 1 },
    { signal },
  ))
    events.push(event);
  const times = readyTimesMs("organization.change-plan", events);
  const readyMs = median(times);
  await report.check(
    isReady && times.length === changesCount,
    `${times.length} of ${changesCount} Ready again; the middle one after ${formatMs(readyMs)}, the slowest after ${formatMs(times.at(-1) ?? 0)}`,
  );
  await checkOneResource(scene, changes[0]);
  await traceOne(scene, changes[0]);
  return { changes, readyMs };
}

/** A change of the plan keeps what it does not name, and the status follows. */
async function checkOneResource({ report, b, signal }: Scene, change: NamedIntent | undefined): Promise<void> {
  if (change === undefined) return;
  const { position } = receiptOf(b.publisher, change.id);
  const resource = await b.client.resource("organization", change.aggregateId ?? "", { minPosition: position, signal });
  const { spec, status, generation } = resource;
  const holds =
    spec["name"] === "Customer 001" && spec["region"] === "eu" && spec["plan"] === "enterprise" && generation === 2;
  await report.check(
    holds && JSON.stringify(status["quota"]) === '{"members":1000}',
    `name and region kept, plan enterprise, generation ${generation}, quota decided anew: 1,000 members`,
  );
}

async function traceOne(scene: Scene, change: NamedIntent | undefined): Promise<void> {
  if (change === undefined) return;
  const { report, b } = scene;
  const { correlationId } = receiptOf(b.publisher, change.id);
  const { status, output } = await evtctlAs(b, ["trace", correlationId], scene);
  const named = ["change-plan", "namespace", "quota", "billing", "ready"].filter((part) => output.includes(part));
  await report.check(
    status === 0 && named.length === 5,
    "`evtctl trace`: who asked, who allowed it, what followed, how long each took",
  );
  await report.quote(output);
}

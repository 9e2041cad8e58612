/**
 * One change of a controller over the resources of a tenant. Done twice, or by two processes at once, it adds nothing a second
 * time; a process that dies in it leaves the rest to the next.
 */
import { isSpecBearing, mutate, type Resource } from "../../event/index.js";
import { type Clock, EventplaneError, formatUs, isEventplaneError, limits } from "../../kernel/index.js";
import type { LogReader, ResourceLoader, StreamName } from "../../store/index.js";
import type { WorkStore } from "../../work/index.js";
import type { Appending } from "../attempt.js";
import { isOpen } from "../decide.js";
import type { ControllerChange } from "./change-fact.js";

/** What a change is applied with. */
export interface ApplyOptions {
  readonly reader: LogReader;
  readonly loader: ResourceLoader;
  /** The coalescer of the runtime tier. */
  readonly appending: Appending;
  readonly work: Pick<WorkStore, "wake" | "forget">;
  readonly clock: Clock;
}

/** How many resources were looked at, at how many something was done, and how many do not verify and were left out. */
export interface AppliedChange {
  readonly resources: number;
  readonly changed: number;
  readonly unverified: number;
}

const conflictsMax = 10;

/**
 * Backfill: makes a due work row for each living resource. Retire: completes what the current generation of a resource waits
 * for in vain, and removes the controller's rows; generations that began after the request are not meant, so that it may be
 * acted on late, or again.
 *
 * @throws EventplaneError of the store; then it is to be done again
 */
export async function applyChange(
  change: ControllerChange,
  options: ApplyOptions,
  signal?: AbortSignal,
): Promise<AppliedChange> {
  const applied = { resources: 0, changed: 0, unverified: 0 };
  for await (const stream of streamsOf(change, options)) {
    if (signal?.aborted) throw new EventplaneError("aborted", "The change of a controller was aborted by its caller.");
    applied.resources += 1;
    try {
      if (await applyTo(change, stream, options)) applied.changed += 1;
    } catch (error) {
      if (!isEventplaneError(error, "verification_failed") && !isEventplaneError(error, "event_corrupt")) throw error;
      applied.unverified += 1;
    }
  }
  return applied;
}

function applyTo(change: ControllerChange, stream: StreamName, options: ApplyOptions): Promise<boolean> {
  return change.change === "backfill" ? backfill(change, stream, options) : retire(change, stream, options);
}

/** Every stream of the tenant that the change may be about, once: by its first event. */
async function* streamsOf(
  change: ControllerChange,
  { reader }: ApplyOptions,
): AsyncGenerator<StreamName, void, undefined> {
  const filter = change.change === "backfill" ? { filter: { aggregateType: change.aggregateType } } : {};
  for (let after = 0; ; ) {
    const rows = await reader.read(change.tenantId, { ...filter, after, limit: limits.readPageMax });
    for (const row of rows) if (row.version === 1 && isSpecBearing(row)) yield row;
    const last = rows.at(-1);
    if (last === undefined || rows.length < limits.readPageMax) return;
    after = last.position;
  }
}

async function backfill(
  change: ControllerChange,
  stream: StreamName,
  { loader, work }: ApplyOptions,
): Promise<boolean> {
  const resource = await loader.load(change.tenantId, stream);
  if (!isOpen(resource)) return false;
  await work.wake(rowOf(change, stream), { dueAfterMs: 0 });
  return true;
}

async function retire(
  change: Extract<ControllerChange, { change: "retire" }>,
  stream: StreamName,
  options: ApplyOptions,
): Promise<boolean> {
  for (let round = 0; round < conflictsMax; round++) {
    const resource = await options.loader.load(change.tenantId, stream);
    if ((resource?.origin?.recordedAt ?? "") > change.requestedAt) return false;
    const done = resource === undefined ? false : await complete(change, resource, options);
    if (done === undefined) continue;
    await options.work.forget(rowOf(change, stream));
    return done;
  }
  throw new EventplaneError("busy", `${stream.aggregateType}/${stream.aggregateId} changes all the time.`);
}

/** Whether there was something to complete; undefined: the stream moved meanwhile. */
async function complete(
  { controller, reason, requestId, tenantId }: Extract<ControllerChange, { change: "retire" }>,
  resource: Resource,
  { appending, clock }: ApplyOptions,
): Promise<boolean | undefined> {
  const items = mutate.retired({ resource, controller, reason, requestId, now: formatUs(clock.nowUs()) });
  if (items.length === 0) return false;
  const outcome = await appending.append({ tenantId, items });
  return outcome.result === "refused" ? undefined : true;
}

function rowOf(
  { tenantId, controller }: ControllerChange,
  { aggregateType, aggregateId }: StreamName,
): Parameters<WorkStore["forget"]>[0] {
  return { tenantId, aggregateType, aggregateId, component: controller };
}

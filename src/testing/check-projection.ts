/** Whether a projection's `apply` is pure: no clock, no random, no state of its own. */
import type { AnyProjection, ProjectionApply, ProjectionDefinition } from "../event/index.js";
import { EventplaneError, isEventplaneError, type JsonObject, systemClock, systemIds } from "../kernel/index.js";
import { MemoryProjectionStore, ProjectionRunner } from "../projection/index.js";
import { createMemoryStore, type MemoryStore } from "../store/index.js";
import { appending, appendOf, createTestSigner, draftIntent, newTenantId, signAppend } from "./drafts.js";
import { pureCall } from "./pure-call.js";
import { VirtualClock } from "./virtual-clock.js";

/** An event as a test of a projection gives it. */
export interface GivenEvent {
  readonly type: string;
  readonly aggregateId: string;
  readonly spec?: JsonObject;
  /** A fact of a controller, by controller name. */
  readonly status?: JsonObject;
}

/** Longer than the resolution of the clocks that an apply could have kept a way to. */
const gapMs = 5;

/**
 * Folds the events twice, at once and one by one, and compares the states; while `apply` runs, clock, chance, timers and
 * network are closed.
 *
 * @returns the state digest, to be compared with that of other events or another version
 * @throws EventplaneError `projection_impure` when `apply` reads a clock or a random number, or when the states differ; the
 * code of what stopped the fold when an event cannot be applied
 */
export async function checkProjection({ definition }: AnyProjection, events: readonly GivenEvent[]): Promise<string> {
  const log = await logOf(events);
  const pure = withClosedDoors(definition);
  const whole = await folded(pure, log, events.length);
  await systemClock.sleep(gapMs);
  const cut = await folded(pure, log, 1);
  if (whole === cut) return whole;
  throw impure(definition.name, "folding the same events again gives another state");
}

interface GivenLog {
  readonly tenantId: ReturnType<typeof newTenantId>;
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
}

async function logOf(events: readonly GivenEvent[]): Promise<GivenLog> {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const tenantId = newTenantId();
  const signer = createTestSigner("edge");
  for (const { type, aggregateId, spec = {}, status = {} } of events) {
    const [aggregateType = ""] = type.split(".");
    const payload = { specText: JSON.stringify(spec), statusText: JSON.stringify(status) };
    const event = draftIntent({ tenantId, type, aggregateType, aggregateId, ...payload });
    await store.edge.append([signAppend(signer, appendOf(appending(event)))]);
    await clock.advance(1_000);
  }
  return { tenantId, clock, store };
}

/** The state digest after all events, folded in batches of `size`, each by a runner that knows nothing of the one before. */
async function folded(
  definition: ProjectionDefinition,
  { tenantId, clock, store: log }: GivenLog,
  size: number,
): Promise<string> {
  const store = new MemoryProjectionStore(definition, log, clock);
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
  const { position: end } = await log.reader.head(tenantId);
  for (let upTo = size; upTo < end + size; upTo += size) {
    const read: typeof log.reader.read = async (of, query) =>
      (await log.reader.read(of, query)).filter(({ position }) => position <= upTo);
    const reader = { ...log.reader, read };
    const holder = systemIds.uuid4();
    await new ProjectionRunner({ definition, store, reader, holder, clock, logger: silent }).catchUp();
    await store.resign(holder);
    const { failure } = await store.tenant(tenantId);
    if (failure === undefined) continue;
    const { code, message, position } = failure;
    if (code === "projection_impure") throw new EventplaneError(code, message, { details: { position } });
    throw new EventplaneError("projection_invalid", message, { details: { position, code } });
  }
  const [found] = await store.digests(tenantId, [1]);
  return found?.digest ?? "";
}

/** What opens a closed door in `apply` stops the fold with `projection_impure`. */
export function withClosedDoors(definition: ProjectionDefinition): ProjectionDefinition {
  const apply = [...definition.apply].map(([type, run]): [string, ProjectionApply] => [
    type,
    (event, tables) => {
      try {
        return pureCall(`apply of ${type}`, () => run(event, tables));
      } catch (error) {
        if (!isEventplaneError(error, "decision_not_deterministic")) throw error;
        throw impure(
          definition.name,
          `apply of ${type} uses ${String(error.details.used)}; take the event's recordedAt, or its id`,
        );
      }
    },
  ]);
  return { ...definition, apply: new Map(apply) };
}

function impure(projection: string, why: string): EventplaneError {
  return new EventplaneError("projection_impure", `Projection ${projection} is not pure: ${why}.`);
}

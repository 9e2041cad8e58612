/** One batch of a tenant's log folded into its resources. Pure, but for what it is given to load with. */
import { type AggregateDefinition, type EventRow, foldEvent, type Resource } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { Cursor } from "./cursor.js";
import { checkContinues, cursorAt } from "./cursor.js";
import type { StreamName } from "./port.js";

/** What a batch came to: all folds that changed up to `to`; `poison` is why it ended before its last event. */
export interface FoldedBatch {
  readonly to: Cursor | undefined;
  readonly folds: readonly Resource[];
  readonly poison: EventplaneError | undefined;
}

/** The key of a stream among those of its tenant. */
export function streamKey({ aggregateType, aggregateId }: StreamName): string {
  return `${aggregateType} ${aggregateId}`;
}

/** The streams of a batch, each once. */
export function streamsOf(rows: readonly EventRow[]): readonly StreamName[] {
  const streams = new Map<string, StreamName>();
  for (const { aggregateType, aggregateId } of rows) {
    streams.set(streamKey({ aggregateType, aggregateId }), { aggregateType, aggregateId });
  }
  return [...streams.values()];
}

/**
 * Folds rows in position order until the last one or the first that does not continue the log or cannot be folded.
 *
 * @param before the folds of the batch's streams, by {@link streamKey}
 */
export function foldBatch(
  rows: readonly EventRow[],
  options: {
    readonly from: Cursor | undefined;
    readonly before: ReadonlyMap<string, Resource>;
    readonly aggregates: ReadonlyMap<string, AggregateDefinition>;
  },
): FoldedBatch {
  const changed = new Map<string, Resource>();
  let to = options.from;
  for (const row of rows) {
    try {
      checkContinues(row, to);
      const key = streamKey(row);
      const resource = changed.get(key) ?? options.before.get(key);
      if (resource !== undefined || !isSystemFact(row)) {
        changed.set(key, foldEvent(resource, row, options.aggregates.get(row.aggregateType)));
      }
      to = cursorAt(row);
    } catch (error) {
      return { to, folds: [...changed.values()], poison: poisonOf(row, error) };
    }
  }
  return { to, folds: [...changed.values()], poison: undefined };
}

/** Refusals, keys, schemas: they bear no spec, so there is no resource of them. */
function isSystemFact({ kind, source, decision }: EventRow): boolean {
  return kind === "fact" && source === null && decision === null;
}

function poisonOf(row: EventRow, error: unknown): EventplaneError {
  if (isEventplaneError(error)) return error;
  return new EventplaneError(
    "event_corrupt",
    `The fold of ${row.type} threw at position ${row.position} of tenant ${row.tenantId}. Correct the aggregate's fold and start again.`,
    { details: { tenantId: row.tenantId, position: row.position }, cause: error },
  );
}

/** Filters of reads and subscriptions, decided on a row. */
import type { EventRow } from "../event/index.js";
import type { ReadFilter } from "./port.js";

/** Whether all given parts of the filter match. */
export function matchesFilter(filter: ReadFilter, row: EventRow): boolean {
  return (
    (filter.kind === undefined || row.kind === filter.kind) &&
    (filter.type === undefined || row.type === filter.type) &&
    (filter.aggregateType === undefined || row.aggregateType === filter.aggregateType) &&
    (filter.aggregateId === undefined || row.aggregateId === filter.aggregateId) &&
    (filter.correlationId === undefined || row.correlationId === filter.correlationId) &&
    (filter.recordedFromUs === undefined || row.recordedAtUs >= filter.recordedFromUs) &&
    (filter.recordedBeforeUs === undefined || row.recordedAtUs < filter.recordedBeforeUs)
  );
}

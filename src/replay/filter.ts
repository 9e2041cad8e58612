/** Which events a replay means: what the store can look for, and what is left to look at. */
import type { EventRow } from "../event/index.js";
import { parseUs } from "../kernel/index.js";
import type { ReadFilter } from "../store/index.js";
import type { ReplayFilter } from "./definition.js";

/** The part that a read of the log takes. */
export function readFilterOf(filter: ReplayFilter): ReadFilter {
  const { aggregateType, aggregateIds, types, correlationId, recordedFrom, recordedBefore } = filter;
  const [onlyId, ...otherIds] = aggregateIds ?? [];
  const [onlyType, ...otherTypes] = types ?? [];
  return {
    ...(aggregateType === undefined ? {} : { aggregateType }),
    ...(onlyId === undefined || otherIds.length > 0 ? {} : { aggregateId: onlyId }),
    ...(onlyType === undefined || otherTypes.length > 0 ? {} : { type: onlyType }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...timeOf("recordedFromUs", recordedFrom),
    ...timeOf("recordedBeforeUs", recordedBefore),
  };
}

/** Whether a row of such a read is meant. */
export function isMeant({ aggregateIds, types }: ReplayFilter, row: EventRow): boolean {
  return (aggregateIds?.includes(row.aggregateId) ?? true) && (types?.includes(row.type) ?? true);
}

function timeOf(name: "recordedFromUs" | "recordedBeforeUs", time: string | undefined): ReadFilter {
  const us = time === undefined ? undefined : parseUs(time);
  return us === undefined ? {} : { [name]: us };
}

/** Which events a webhook means. */
import type { EventRow } from "../event/index.js";
import type { WebhookFilter } from "./definition.js";

/** Whether an event is meant; each list that is there must have it. */
export function isMeant({ kinds, types, aggregateTypes }: WebhookFilter, row: EventRow): boolean {
  return (
    (kinds?.includes(row.kind) ?? true) &&
    (aggregateTypes?.includes(row.aggregateType) ?? true) &&
    (types?.some((pattern) => fits(pattern, row.type)) ?? true)
  );
}

/** The aggregates that a filter names; empty: it names none, so all are meant. */
export function aggregatesOf({ types, aggregateTypes }: WebhookFilter): readonly string[] {
  if (aggregateTypes !== undefined) return aggregateTypes;
  return [...new Set(types?.map((pattern) => pattern.split(".", 1)[0] ?? pattern))];
}

function fits(pattern: string, type: string): boolean {
  return pattern.endsWith(".*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

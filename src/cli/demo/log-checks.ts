/** Questions to a whole log, answered by counting. */
import type { PublishReceipt } from "../../client/index.js";
import type { Event } from "../../event/index.js";
import { parseUs } from "../../kernel/index.js";

/** Ids that were published and are not in the log. */
export function lostIds(published: readonly string[], log: readonly Event[]): readonly string[] {
  const stored = new Set<string>(log.map(({ id }) => id));
  return published.filter((id) => !stored.has(id));
}

/** Ids that are in the log more than once. */
export function repeatedIds(log: readonly Event[]): readonly string[] {
  const seen = new Set<string>();
  return log.filter(({ id }) => seen.size === seen.add(id).size).map(({ id }) => id);
}

/** The first place where positions are not 1, 2, 3 …; undefined when they are. */
export function firstGap(log: readonly Event[]): number | undefined {
  const index = log.findIndex(({ position }, at) => position !== at + 1);
  return index === -1 ? undefined : index + 1;
}

/** Acknowledged receipts that the log contradicts: another position, version or hash than was promised. */
export function brokenPromises(receipts: Iterable<PublishReceipt>, log: readonly Event[]): readonly string[] {
  const byId = new Map<string, Event>(log.map((event) => [event.id, event]));
  return [...receipts]
    .filter(({ id, position, version, hash }) => {
      const event = byId.get(id);
      return event?.position !== position || event.version !== version || event.hash !== hash;
    })
    .map(({ id }) => id);
}

/** Resources of a type with exactly one `ready` fact for each correlation, by correlation. */
export function readyOnce(aggregateType: string, log: readonly Event[]): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const { type, correlationId } of log) {
    if (type === `${aggregateType}.ready`) counts.set(correlationId, (counts.get(correlationId) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count === 1).map(([correlationId]) => correlationId));
}

/** Milliseconds from each intent of a type to the `ready` fact that answered it, shortest first. */
export function readyTimesMs(intentType: string, log: readonly Event[]): readonly number[] {
  const readyMs = new Map(
    log.filter(({ type }) => type.endsWith(".ready")).map((event) => [event.correlationId, recordedMs(event)]),
  );
  return log
    .filter(({ type }) => type === intentType)
    .map((intent) => (readyMs.get(intent.correlationId) ?? Number.NaN) - recordedMs(intent))
    .filter((ms) => !Number.isNaN(ms))
    .sort((a, b) => a - b);
}

function recordedMs({ recordedAt }: Event): number {
  return (parseUs(recordedAt) ?? Number.NaN) / 1_000;
}

/** The middle one of a sorted list; 0 of an empty one. */
export function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

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

/** A call as the service outside saw it. */
export interface OutsideCall {
  /** Its idempotency key: the id of the event that will hold the result. */
  readonly key: string;
  /** False when the service said that it is busy, and did nothing. */
  readonly isAccepted: boolean;
  /** Wall clock of this machine, microseconds since 1970. */
  readonly atUs: number;
}

/** What the service and the log say of the same effects. */
export interface OutsideCount {
  readonly asked: number;
  /** Calls that the service refused as busy. */
  readonly busy: number;
  /** Accepted a second time, because everything was killed before the first answer was in the log. */
  readonly again: number;
  /** Ids of asks and keys of calls that are not as promised. */
  readonly broken: readonly string[];
}

/**
 * Compares the calls that a service got with the log (P9): one result for each ask, its id the key of the calls for it, and one
 * accepted call for each key. A second one is right only after a lost outcome: the first came from the plane that was
 * killed, and the result from the next. `betweenUs` is a time between the two: a call that was under way at the kill may
 * arrive after the signal was sent.
 */
export function countOutside(log: readonly Event[], calls: readonly OutsideCall[], betweenUs: number): OutsideCount {
  const asks: readonly string[] = log.filter(({ type }) => type.endsWith(".effect-asked")).map(({ id }) => id);
  const results = log.filter(({ type }) => type.endsWith(".effect-succeeded"));
  const answers = new Map<string, number>();
  for (const { causationId } of results) answers.set(causationId ?? "", (answers.get(causationId ?? "") ?? 0) + 1);
  const accepted = new Map<string, readonly OutsideCall[]>(results.map(({ id }) => [id, []]));
  const unknown: string[] = [];
  for (const call of calls.filter(({ isAccepted }) => isAccepted)) {
    const ofKey = accepted.get(call.key);
    if (ofKey === undefined) unknown.push(call.key);
    else accepted.set(call.key, [...ofKey, call]);
  }
  const wasLost = ({ recordedAt }: Event, [first]: readonly OutsideCall[]): boolean =>
    first !== undefined && first.atUs < betweenUs && (parseUs(recordedAt) ?? 0) > betweenUs;
  const wrong = results.filter((result) => {
    const ofKey = accepted.get(result.id) ?? [];
    return ofKey.length !== 1 && !(ofKey.length === 2 && wasLost(result, ofKey));
  });
  return {
    asked: asks.length,
    busy: calls.filter(({ isAccepted }) => !isAccepted).length,
    again: [...accepted.values()].filter(({ length }) => length === 2).length,
    broken: [...asks.filter((ask) => answers.get(ask) !== 1), ...unknown, ...wrong.map(({ id }) => id)],
  };
}

function recordedMs({ recordedAt }: Event): number {
  return (parseUs(recordedAt) ?? Number.NaN) / 1_000;
}

/** The middle one of a sorted list; 0 of an empty one. */
export function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Dead letters in memory: which are meant, how they are shown and grouped. */
import { formatUs } from "../../kernel/index.js";
import { deadLetterId } from "../dead-letter-id.js";
import { type DeadLetter, type DeadLetterFilter, type DeadLetterGroup, heldCode, type StandingWork } from "../port.js";
import type { WorkRow, WorkRows } from "./work-rows.js";

/** The letter that a dead row is. */
export function shownLetter(rows: WorkRows, row: WorkRow): DeadLetter {
  const { tenantId, aggregateType, aggregateId, component, failure, asker } = row;
  const key = { tenantId, aggregateType, aggregateId, component };
  return {
    ...key,
    id: deadLetterId(key),
    resource: resourceOf(row),
    attempts: row.attempts,
    failure: { code: failure?.code ?? "", message: failure?.message ?? "" },
    codeVersion: failure?.codeVersion ?? "",
    generation: failure?.generation ?? 0,
    since: formatUs(row.deadSinceUs),
    waiting:
      asker === null
        ? Math.max(0, row.woken - row.seen)
        : rows.sequenceOf(row).filter(({ state, position }) => state === "blocked" && position > row.position).length,
  };
}

/** Whether a dead row is among those that are meant. */
export function isMeant(row: WorkRow, filter: DeadLetterFilter): boolean {
  const { component, code, codeVersion, aggregateType, aggregateId, sinceFromUs, sinceBeforeUs } = filter;
  const resource = resourceOf(row);
  return (
    (component === undefined || row.component === component) &&
    (code === undefined || row.failure?.code === code) &&
    (codeVersion === undefined || row.failure?.codeVersion === codeVersion) &&
    (aggregateType === undefined || resource.aggregateType === aggregateType) &&
    (aggregateId === undefined || resource.aggregateId === aggregateId) &&
    row.deadSinceUs >= (sinceFromUs ?? 0) &&
    row.deadSinceUs < (sinceBeforeUs ?? Number.POSITIVE_INFINITY)
  );
}

/** Letters by component, code and version of the code, the largest group first. */
export function groupsOf(letters: readonly DeadLetter[]): readonly DeadLetterGroup[] {
  const groups = new Map<string, DeadLetterGroup>();
  for (const { component, failure, codeVersion, since } of letters) {
    const key = `${component} ${failure.code} ${codeVersion}`;
    const { count = 0, oldest = since, newest = since } = groups.get(key) ?? {};
    groups.set(key, {
      component,
      code: failure.code,
      codeVersion,
      count: count + 1,
      oldest: since < oldest ? since : oldest,
      newest: since > newest ? since : newest,
    });
  }
  const keys = [...groups.keys()].sort();
  return keys.flatMap((key) => groups.get(key) ?? []).sort((a, b) => b.count - a.count);
}

/** How many stand, by component and reason. */
export function standing(rows: readonly WorkRow[]): readonly StandingWork[] {
  const counts = new Map<string, StandingWork>();
  for (const { component, failure } of rows) {
    const state = failure?.code === heldCode ? "held" : "dead";
    const key = `${component} ${state}`;
    counts.set(key, { component, state, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.keys()].sort().flatMap((key) => counts.get(key) ?? []);
}

function resourceOf({ aggregateType, aggregateId, asker }: WorkRow): DeadLetter["resource"] {
  return asker === null
    ? { aggregateType, aggregateId }
    : { aggregateType: asker.aggregateType, aggregateId: asker.aggregateId };
}

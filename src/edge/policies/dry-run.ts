/** What policies would change, before they are in force: the rulings that the log holds are made again with them. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CausedBy, EventRow } from "../../event/index.js";
import { formatUs, type JsonObject, type TenantId } from "../../kernel/index.js";
import type { ReadFilter } from "../../store/index.js";
import { recordedQuestion } from "../authz/recorded-ruling.js";
import type { Question, Ruling } from "../authz/ruling.js";
import type { EdgeParts } from "../routes/context.js";

/** A question of the past, and how it would be answered. */
export interface ChangedRuling {
  readonly question: Question;
  readonly before: Ruling;
  readonly after: Ruling;
  /** How many of the events that were looked at hold it. */
  readonly events: number;
  /** The latest of them. */
  readonly lastEventId: string;
  readonly lastAtUs: number;
}

/** What a dry run found. */
export interface DryRunReport {
  /** Events that hold a ruling. */
  readonly events: number;
  /** Different rulings among them. */
  readonly rulings: number;
  /** Of those, the ones whose question could not be found again. */
  readonly unknown: number;
  /** The latest first; at most 200. */
  readonly changes: readonly ChangedRuling[];
  readonly changesLeftOut: number;
}

/** What holds rulings: what was published, what came from sources or was administered, what was refused. */
const filters: readonly ReadFilter[] = [{ kind: "intent" }, { kind: "fact" }, { type: "refusal.recorded" }];
/** Events of each filter, the latest. */
const eventsMax = 500;
const pageEvents = 100;
const changesMax = 200;
const questionsPerTurn = 20;

interface RecordedRuling {
  readonly row: EventRow;
  readonly causedBy: CausedBy;
  events: number;
}

/** Holds the candidate against the latest rulings in the tenant's own log, at most 500 of each kind; a few milliseconds a turn. */
export async function dryRun(
  parts: EdgeParts,
  { tenantId, text }: { readonly tenantId: TenantId; readonly text: string },
): Promise<DryRunReport> {
  const candidate = parts.platform.state.policies.with(tenantId, text);
  const recorded = await recordedRulings(parts, tenantId);
  const changes: ChangedRuling[] = [];
  let [unknown, looked] = [0, 0];
  for (const { row, causedBy, events } of recorded.values()) {
    if (++looked % questionsPerTurn === 0) await nextTurn();
    const question = recordedQuestion({ ...row, causedBy });
    if (question === undefined) unknown++;
    else {
      const before = parts.authorizer.rule(question.principal, question.action, question);
      const after = parts.authorizer.ruleBy(candidate.policySet(question.principal, question.tenantId), question);
      if (before.allowed === after.allowed) continue;
      changes.push({ question, before, after, events, lastEventId: row.id, lastAtUs: row.recordedAtUs });
    }
  }
  changes.sort((one, other) => other.lastAtUs - one.lastAtUs);
  const events = [...recorded.values()].reduce((sum, each) => sum + each.events, 0);
  const changesLeftOut = Math.max(0, changes.length - changesMax);
  return { events, rulings: recorded.size, unknown, changes: changes.slice(0, changesMax), changesLeftOut };
}

/** A change as it is sent. */
export function changeJson({ question, before, after, events, lastEventId, lastAtUs }: ChangedRuling): JsonObject {
  const { principal, action, resource } = question;
  return {
    principal: { type: principal.type, id: principal.id, grants: [...principal.grants] },
    action,
    resource,
    before: { decision: decisionOf(before), policies: [...before.policies] },
    after: { decision: decisionOf(after), policies: [...after.policies] },
    events,
    lastEventId,
    lastAt: formatUs(lastAtUs),
  };
}

/** By their ids, each with the latest event that holds it. What the plane does of itself has no ruling. */
async function recordedRulings(parts: EdgeParts, tenantId: TenantId): Promise<ReadonlyMap<string, RecordedRuling>> {
  const recorded = new Map<string, RecordedRuling>();
  for (const filter of filters) {
    for await (const row of latest(parts, tenantId, filter)) {
      if (row.decision !== null || (filter.kind === "fact" && row.type === "refusal.recorded")) continue;
      const causedBy = JSON.parse(row.causedByText) as CausedBy; // as the edge wrote it
      if (causedBy.via === "system") continue;
      const known = recorded.get(causedBy.rulingId);
      if (known === undefined) recorded.set(causedBy.rulingId, { row, causedBy, events: 1 });
      else known.events++;
    }
  }
  return recorded;
}

async function* latest(parts: EdgeParts, tenantId: TenantId, filter: ReadFilter): AsyncGenerator<EventRow> {
  let before: number | undefined;
  for (let read = 0; read < eventsMax; read += pageEvents) {
    const from = before === undefined ? {} : { before };
    const page = { filter, direction: "backwards", limit: pageEvents, ...from } as const;
    const rows = await parts.reader.read(tenantId, page);
    yield* rows;
    before = rows.at(-1)?.position;
    if (rows.length < pageEvents) return;
  }
}

function decisionOf({ allowed }: Ruling): "allow" | "deny" {
  return allowed ? "allow" : "deny";
}

/** Rows of effects in memory: what the log does to them, and how they are shown. */
import type { TenantId } from "../../kernel/index.js";
import { type EffectChange, type EffectRow, effectRowType, heldCode, type WorkKey } from "../port.js";
import type { WorkRow, WorkRows } from "./work-rows.js";

/** Does to the row what the event says. */
export function applyEffectChange(
  rows: WorkRows,
  tenantId: TenantId,
  news: EffectChange & { readonly nowUs: number },
): void {
  const { component, position, nowUs } = news;
  const key: WorkKey = { tenantId, aggregateType: effectRowType, aggregateId: news.askId, component };
  if (news.change === "asked") rows.ask(key, { asker: news.asker, position, nowUs });
  else if (news.change === "decided") rows.decide(key, { position, nowUs });
  else rows.end(key, nowUs);
}

/** The rows of a tenant without a result, those that stand first. */
export function shownEffects(rows: WorkRows, tenantId: TenantId, nowUs: number): readonly EffectRow[] {
  return rows
    .effects(tenantId)
    .filter(({ state }) => state !== "idle")
    .map((row) => shown(row, nowUs))
    .sort((a, b) => rank(a) - rank(b) || (a.askId < b.askId ? -1 : 1));
}

function shown(row: WorkRow, nowUs: number): EffectRow {
  const { tenantId, aggregateId, component, attempts, failure } = row;
  return {
    tenantId,
    askId: aggregateId,
    component,
    state: stateOf(row, nowUs),
    attempts,
    failure: failure === null ? null : { code: failure.code, message: failure.message },
  };
}

function stateOf({ state, failure, leaseToken, dueAtUs }: WorkRow, nowUs: number): EffectRow["state"] {
  if (state === "dead") return failure?.code === heldCode ? "held" : "dead";
  if (state === "blocked") return "blocked";
  return leaseToken !== null && dueAtUs > nowUs ? "running" : "waiting";
}

function rank({ state }: EffectRow): number {
  return state === "held" || state === "dead" ? 0 : 1;
}

/** What a reconcile wants, in lines that a person compares at a glance. */
import type { Decision } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";

/** An effect that a reconcile asks for. */
export interface AskedEffect {
  readonly worker: string;
  readonly input: JsonObject;
}

/** All that follows from a reconcile. */
export interface Wanted {
  readonly decisions: readonly Decision[];
  readonly asks: readonly AskedEffect[];
}

/** One line for each decision and ask; `nothing` for none. */
export function wantedLines({ decisions, asks }: Wanted): readonly string[] {
  const lines = [
    ...decisions.map(decisionLine),
    ...asks.map(({ worker, input }) => `asks ${worker} ${JSON.stringify(input)}`),
  ];
  return lines.length === 0 ? ["nothing"] : lines;
}

function decisionLine({ outcome, status, conditions = [], requeueAfterMs, emit }: Decision): string {
  return [
    typeof outcome === "object" ? `rejected ${outcome.rejected.reason}: ${outcome.rejected.message}` : outcome,
    ...(status === undefined ? [] : [`status ${JSON.stringify(status)}`]),
    ...conditions.map(
      ({ type, status: stands, reason, message }) => `condition ${type}=${stands} ${reason}: ${message}`,
    ),
    ...(emit === undefined ? [] : [`emits ${JSON.stringify(emit)}`]),
    ...(requeueAfterMs === undefined ? [] : [`again after ${requeueAfterMs} ms`]),
  ].join(" · ");
}

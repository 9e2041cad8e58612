/** Counts what becomes of the events that a process offers to the store. */
import type { EventKind } from "../event/index.js";
import type { AppendResult, Metrics } from "../observe/index.js";
import type { Appender, AppendOutcome, SignedAppend } from "../store/index.js";

/** The same appender, with its calls and outcomes counted. */
export function measuredAppender(
  appender: Appender,
  metrics: Pick<Metrics, "appendCall" | "eventsAppended">,
): Appender {
  // Summed first: a label costs more than an event is worth.
  const count = (call: readonly SignedAppend[], resultOf: (index: number) => AppendResult): void => {
    const sums = new Map<string, { readonly kind: EventKind; readonly result: AppendResult; events: number }>();
    for (const [index, { items }] of call.entries()) {
      const result = resultOf(index);
      for (const { event } of items) {
        const key = `${event.kind} ${result}`;
        const sum = sums.get(key) ?? { kind: event.kind, result, events: 0 };
        sum.events += 1;
        sums.set(key, sum);
      }
    }
    for (const { kind, result, events } of sums.values()) metrics.eventsAppended({ kind, result }, events);
  };
  return {
    tier: appender.tier,
    append: async (call) => {
      const beganMs = performance.now();
      try {
        const outcomes = await appender.append(call);
        count(call, (index) => resultName(outcomes[index]));
        return outcomes;
      } catch (error) {
        count(call, () => "failed");
        throw error;
      } finally {
        metrics.appendCall((performance.now() - beganMs) / 1000);
      }
    },
  };
}

function resultName(outcome: AppendOutcome | undefined): AppendResult {
  if (outcome === undefined) return "failed";
  if (outcome.result !== "refused") return outcome.result;
  return outcome.code === "content_mismatch" ? "refused" : "conflict";
}

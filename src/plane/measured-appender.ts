/** Counts what becomes of the events that a process offers to the store. */
import type { AppendResult, Metrics } from "../observe/index.js";
import type { Appender, AppendOutcome, SignedAppend } from "../store/index.js";

/** The same appender, with its calls and outcomes counted. */
export function measuredAppender(
  appender: Appender,
  metrics: Pick<Metrics, "appendCall" | "eventsAppended">,
): Appender {
  const count = (call: readonly SignedAppend[], resultOf: (index: number) => AppendResult): void => {
    for (const [index, { items }] of call.entries()) {
      for (const { event } of items) metrics.eventsAppended({ kind: event.kind, result: resultOf(index) }, 1);
    }
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

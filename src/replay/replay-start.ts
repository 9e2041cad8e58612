/** Where a replay stands before its first turn. */
import type { ReplaySpec } from "./definition.js";
import type { ReplayProgress } from "./port.js";

/** Behind the position that the filter begins after, or at the end where that lies beyond it. */
export function replayStart({ filter, until }: Pick<ReplaySpec, "filter" | "until">): ReplayProgress {
  return { position: Math.min(filter.after ?? 0, until), events: 0, results: {}, firstFailure: null };
}

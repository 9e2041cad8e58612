/** The conditions of one event against its stream, in the order of DESIGN §13.3: lifecycle, generation, version. */
import type { Lifecycle } from "../../event/index.js";
import type { AppendItem, RefusalCode } from "../port.js";

/** A stream as the next event finds it; version 0 has no events. */
export interface StreamState {
  readonly version: number;
  readonly generation: number;
  readonly lifecycle: Lifecycle;
}

/** `added`: the event may be added and leaves this state. `unchanged`: success that adds nothing. */
export type Verdict =
  | { readonly verdict: "added"; readonly next: StreamState }
  | { readonly verdict: "unchanged" }
  | { readonly verdict: "refused"; readonly code: RefusalCode };

/** The stream before its first event. */
export const emptyStream: StreamState = { version: 0, generation: 0, lifecycle: "none" };

/** Whether `item` may be added to a stream in `state`. */
export function judge(state: StreamState, item: AppendItem): Verdict {
  if (item.effect === "deletes" && (state.lifecycle === "deleting" || state.lifecycle === "deleted")) {
    return { verdict: "unchanged" };
  }
  const code = refusal(state, item);
  return code === undefined ? { verdict: "added", next: nextState(state, item) } : { verdict: "refused", code };
}

function refusal(state: StreamState, item: AppendItem): RefusalCode | undefined {
  const code = lifecycleRefusal(state.lifecycle, item);
  if (code !== undefined) return code;
  if (item.expectedGeneration !== undefined && item.expectedGeneration !== state.generation)
    return "wrong_expected_generation";
  return versionFits(state.version, item.expectedVersion) ? undefined : "wrong_expected_version";
}

function lifecycleRefusal(lifecycle: Lifecycle, { effect }: AppendItem): RefusalCode | undefined {
  switch (effect) {
    case "system":
      return undefined;
    case "creates":
      if (lifecycle === "live") return "resource_exists";
      return lifecycle === "deleting" ? "resource_deleting" : undefined;
    case "updates":
      if (lifecycle === "deleting") return "resource_deleting";
      return lifecycle === "deleted" ? "resource_deleted" : undefined;
    // What the runtime decided on is not what is there: it must load the stream again.
    case "deletes":
    case "derived":
      return lifecycle === "none" ? "wrong_expected_version" : undefined;
    case "finishes":
      return lifecycle === "deleting" ? undefined : "wrong_expected_version";
  }
}

function versionFits(version: number, expected: AppendItem["expectedVersion"]): boolean {
  if (expected === "any") return true;
  if (expected === "noStream") return version === 0;
  return expected === "streamExists" ? version > 0 : version === expected;
}

const lifecycleAfter = { creates: "live", updates: "live", deletes: "deleting", finishes: "deleted" } as const;

function nextState({ version, generation, lifecycle }: StreamState, { effect }: AppendItem): StreamState {
  if (effect === "system" || effect === "derived") return { version: version + 1, generation, lifecycle };
  const opens = effect === "finishes" ? 0 : 1;
  return { version: version + 1, generation: generation + opens, lifecycle: lifecycleAfter[effect] };
}

/** Counting what is published against the limits of who publishes it. */
import { EventplaneError } from "../../kernel/index.js";
import type { EdgeLimits, PublishCost } from "../limits/edge-limits.js";
import type { Principal } from "../principal.js";
import type { IntentInput } from "./intent-input.js";
import type { PublishResult } from "./publish-result.js";

/** What is published by whom. */
export interface CountedPublish {
  readonly principal: Principal;
  readonly intents: readonly (IntentInput | EventplaneError)[];
  /** Whether an intent makes a stream. */
  readonly creates: (intent: IntentInput) => boolean;
}

/**
 * Counts events, the bytes of their specs and the streams that they make, then publishes. Bytes and streams stay counted of what
 * was stored by this; those of what is refused, or was there already, are given back. Events stay counted: a refusal is work too.
 *
 * @throws EventplaneError `events_limited`, `bytes_limited`, `streams_limited`, `busy`, `unavailable`; what `publish` throws
 */
export async function counted(
  limits: Pick<EdgeLimits, "charge" | "giveBack">,
  { principal, intents, creates }: CountedPublish,
  publish: () => Promise<readonly PublishResult[]>,
): Promise<readonly PublishResult[]> {
  const sizes = intents.map(specBytes);
  const creating = intents.map((each) => !(each instanceof EventplaneError) && creates(each));
  const all = { events: intents.length, bytes: sum(sizes), streams: creating.filter(Boolean).length };
  const waited = limits.charge(principal, all);
  if (waited !== undefined) await waited;
  let unused: Omit<PublishCost, "events"> = all;
  try {
    const results = await publish();
    const isUnused = (_: unknown, index: number): boolean => results[index]?.result !== "created";
    unused = {
      bytes: sum(sizes.filter(isUnused)),
      streams: creating.filter((each, index) => each && isUnused(each, index)).length,
    };
    return results;
  } finally {
    limits.giveBack(principal, unused);
  }
}

function specBytes(intent: IntentInput | EventplaneError): number {
  return intent instanceof EventplaneError ? 0 : Buffer.byteLength(intent.specText);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

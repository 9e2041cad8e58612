/** Counting what is published against the limits of who publishes it. */
import { EventplaneError } from "../../kernel/index.js";
import type { EdgeLimits } from "../limits/edge-limits.js";
import type { Principal } from "../principal.js";
import type { IntentInput } from "./intent-input.js";
import type { PublishResult } from "./publish-result.js";

/** What is published by whom. */
export interface CountedPublish {
  readonly principal: Principal;
  readonly intents: readonly (IntentInput | EventplaneError)[];
}

/**
 * Counts events and the bytes of their specs, then publishes. Bytes stay counted of what was stored by this; those of what is
 * refused, or was there already, are given back. Events stay counted: a refusal is work too.
 *
 * @throws EventplaneError `events_limited`, `bytes_limited`, `busy`, `unavailable`; what `publish` throws
 */
export async function counted(
  limits: Pick<EdgeLimits, "charge" | "giveBack">,
  { principal, intents }: CountedPublish,
  publish: () => Promise<readonly PublishResult[]>,
): Promise<readonly PublishResult[]> {
  const sizes = intents.map(specBytes);
  const bytes = sum(sizes);
  const waited = limits.charge(principal, { events: intents.length, bytes });
  if (waited !== undefined) await waited;
  let unstored = bytes;
  try {
    const results = await publish();
    unstored = sum(sizes.filter((_, index) => results[index]?.result !== "created"));
    return results;
  } finally {
    limits.giveBack(principal, unstored);
  }
}

function specBytes(intent: IntentInput | EventplaneError): number {
  return intent instanceof EventplaneError ? 0 : Buffer.byteLength(intent.specText);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

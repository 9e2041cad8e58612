/** What an answer, or none, means for a delivery. */
import type { Random } from "../kernel/index.js";
import type { OutboundOutcome } from "../outbound/index.js";

/** Waits between attempts, milliseconds: the schedule that Standard Webhooks recommends. After the last attempt it is a dead letter. */
const waitsMs = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000] as const;
/** Attempts of one delivery; the schedule takes some 28 hours. */
export const attemptsMax: number = waitsMs.length + 1;
/** A wait is longer by up to this share of it, so that what failed together is not tried together. */
const jitterShare = 0.2;

/** What to do. `gone`: the receiver wants nothing any more. `aborted`: this process stops; nothing is counted. */
export type Verdict =
  | { readonly verdict: "delivered" | "gone" | "aborted" }
  /** Again after this; null: no more attempts. */
  | { readonly verdict: "failed"; readonly retryAfterMs: number | null; readonly message: string };

/** Judges the outcome of an attempt, from 1. */
export function judge(outcome: OutboundOutcome, attempt: number, random: Random): Verdict {
  if (outcome.result === "unanswered" && outcome.reason === "aborted") return { verdict: "aborted" };
  if (outcome.result === "answered" && outcome.status >= 200 && outcome.status < 300) return { verdict: "delivered" };
  if (outcome.result === "answered" && outcome.status === 410) return { verdict: "gone" };
  const waitMs = waitsMs[attempt - 1];
  const asked = asksToWait(outcome) ?? 0;
  const retryAfterMs = waitMs === undefined ? null : Math.max(waitMs * (1 + jitterShare * random()), asked);
  return { verdict: "failed", retryAfterMs, message: messageOf(outcome) };
}

/** For how long the receiver wants to be left alone, if it says so. */
export function asksToWait(outcome: OutboundOutcome): number | undefined {
  if (outcome.result !== "answered" || (outcome.status !== 429 && outcome.status !== 503)) return undefined;
  return outcome.retryAfterMs;
}

/** Whether the receiver is there and able: then it is this event that it does not want. For the breaker. */
export function isAble(outcome: OutboundOutcome): boolean {
  return outcome.result === "answered" && outcome.status < 500 && outcome.status !== 408 && outcome.status !== 429;
}

function messageOf(outcome: OutboundOutcome): string {
  if (outcome.result === "answered") return `The receiver answered with status ${outcome.status}.`;
  return outcome.result === "refused"
    ? `Nothing is sent to this address: ${outcome.reason}.`
    : `The receiver did not answer: ${outcome.reason}.`;
}

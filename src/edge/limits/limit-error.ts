/** What is said when a limit is reached: which one, whose, and what to do. */
import { type ErrorCode, EventplaneError } from "../../kernel/index.js";
import type { QuotaMember, Rate } from "../../quota/index.js";

/** Whose limit it is. */
export type LimitHolder = "tenant" | "principal";

/** A limit as clients are told of it. */
export interface LimitName {
  readonly code: Extract<ErrorCode, `${string}_limited`>;
  readonly of: LimitHolder;
  /** The member of the quota that sets it. */
  readonly member: QuotaMember;
  /** Its name in the RateLimit fields. */
  readonly policy: string;
}

/** A limit that was reached. */
export interface ReachedLimit extends LimitName {
  readonly quota: number;
  /** Absent: it is no matter of time. */
  readonly windowSeconds?: number | undefined;
  readonly waitMs: number;
}

/** What each limit allows, and what helps beside waiting. */
const words: Readonly<Record<LimitName["policy"], (quota: number, windowSeconds: number) => string>> = {
  requests: (quota, seconds) => `This tenant may make ${perWindow(quota, seconds, "requests")}.`,
  events: (quota, seconds) => `This tenant may publish ${perWindow(quota, seconds, "events")}.`,
  "principal-requests": (quota, seconds) =>
    `One principal of this tenant may make ${perWindow(quota, seconds, "requests")}.`,
  "principal-events": (quota, seconds) =>
    `One principal of this tenant may publish ${perWindow(quota, seconds, "events")}.`,
  connections: (quota) => `This tenant may have ${quota} subscriptions open.`,
  streams: (quota) => `This tenant may have ${quota} streams.`,
  bytes: (quota) => `This tenant may store ${quota} bytes of specs in a day (UTC).`,
};

/** The window of a rate in the RateLimit fields: whole seconds in which the burst comes back, and what comes in them. */
export function windowOf({ perSecond, burst }: Rate): { readonly quota: number; readonly windowSeconds: number } {
  const windowSeconds = Math.max(1, Math.ceil(burst / perSecond));
  return { quota: perSecond * windowSeconds, windowSeconds };
}

/** The refusal. */
export function limitError({ code, of, member, policy, quota, windowSeconds, waitMs }: ReachedLimit): EventplaneError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1_000));
  const said = words[policy]?.(quota, windowSeconds ?? 1) ?? "";
  return new EventplaneError(
    code,
    `${said} Try again in ${retryAfterSeconds} s, or ask the platform's operator to raise ${member}.`,
    {
      details: {
        limit: member,
        of,
        policy,
        quota,
        ...(windowSeconds === undefined ? {} : { windowSeconds }),
        retryAfterSeconds,
      },
    },
  );
}

function perWindow(quota: number, seconds: number, what: string): string {
  return `${quota} ${what} in ${seconds === 1 ? "a second" : `${seconds} seconds`}`;
}

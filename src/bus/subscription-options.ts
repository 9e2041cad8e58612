/** What a subscriber may choose, checked and with its defaults. */

import type { BreakerOptions } from "../kernel/index.js";
import { type BackoffOptions, EventplaneError } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import type { RateLimit } from "./rate-limiter.js";

/**
 * What happens to an event for which a queue has no room: its publisher waits (`block`), its publication is refused with `busy`
 * (`reject`), or the oldest of the least urgent waiting events makes room and is counted (`drop-oldest`).
 */
export type OverflowPolicy = "block" | "reject" | "drop-oldest";

/** Choices of a subscription. All waits in milliseconds. */
export interface SubscriptionOptions<Event = BusEvent> {
  /** Unique in the context; `handler-1` … by default. Dead letters, statistics and `off` go by it. */
  readonly name?: string;
  /** Events for which it is false are passed over. What it throws is a failure like the handler's own. */
  readonly filter?: (event: Event) => boolean;
  /** Subscriptions with a higher one are served first; 0 by default. */
  readonly order?: number;
  /** Who subscribes, for `authorizeSubscribe`. */
  readonly principal?: string;
  /** Calls under way at a time; 1 by default, which keeps the order of the events of one priority. */
  readonly concurrency?: number;
  /** Events that wait; 1,000 by default, at most 1,000,000. */
  readonly queueMax?: number;
  /** `block` by default. */
  readonly overflow?: OverflowPolicy;
  /** Bound of one call; 30,000 by default, `Infinity` for none. Holds for what a promise takes: a call that holds the thread is only bounded in a thread of its own. */
  readonly timeoutMs?: number;
  /** Calls in all, and the waits between them; one call by default. */
  readonly retry?: { readonly attempts: number } & Partial<BackoffOptions>;
  /** After so many failed calls in a row the handler is left alone for a while; events wait. */
  readonly breaker?: BreakerOptions;
  /** Calls begun, retries too; events beyond it wait. Retries do not: their backoff says when they come. */
  readonly rateLimit?: RateLimit;
  /** Ends the subscription when it aborts. */
  readonly signal?: AbortSignal;
}

/** The choices with their defaults. */
export interface SubscriptionSettings {
  readonly filter: ((event: BusEvent) => boolean) | undefined;
  readonly order: number;
  readonly concurrency: number;
  readonly queueMax: number;
  readonly overflow: OverflowPolicy;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly backoff: BackoffOptions;
  readonly breaker: BreakerOptions | undefined;
  readonly rateLimit: RateLimit | undefined;
}

const concurrencyMax = 10_000;
const queueMaxMax = 1_000_000;
const attemptsMax = 100;
const waitMsMax = 86_400_000;
/** From about one a day, so that every wait ends. */
const perSecondRange = { from: 0.000_01, to: 1_000_000_000 };

/**
 * Checks the choices and adds the defaults.
 *
 * @throws EventplaneError `config_invalid` naming the option that is out of its range
 */
export function subscriptionSettings(options: SubscriptionOptions): SubscriptionSettings {
  const { timeoutMs = 30_000, retry, breaker, rateLimit, overflow = "block" } = options;
  if (!["block", "reject", "drop-oldest"].includes(overflow))
    throw outOfRange("overflow", "block, reject or drop-oldest");
  return {
    filter: options.filter,
    order: options.order ?? 0,
    concurrency: whole("concurrency", options.concurrency ?? 1, { from: 1, to: concurrencyMax }),
    queueMax: whole("queueMax", options.queueMax ?? 1_000, { from: 1, to: queueMaxMax }),
    overflow,
    timeoutMs:
      timeoutMs === Number.POSITIVE_INFINITY ? timeoutMs : whole("timeoutMs", timeoutMs, { from: 1, to: waitMsMax }),
    attempts: whole("retry.attempts", retry?.attempts ?? 1, { from: 1, to: attemptsMax }),
    backoff: {
      baseMs: whole("retry.baseMs", retry?.baseMs ?? 100, { from: 1, to: waitMsMax }),
      capMs: whole("retry.capMs", retry?.capMs ?? 30_000, { from: 1, to: waitMsMax }),
    },
    breaker: breaker === undefined ? undefined : checkedBreaker(breaker),
    rateLimit: rateLimit === undefined ? undefined : checkedRateLimit("rateLimit", rateLimit),
  };
}

/**
 * Checks a rate limit.
 *
 * @throws EventplaneError `config_invalid`
 */
export function checkedRateLimit(name: string, { perSecond, burst = Math.max(1, perSecond) }: RateLimit): RateLimit {
  const { from, to } = perSecondRange;
  if (!(perSecond >= from && perSecond <= to)) throw outOfRange(`${name}.perSecond`, `${from} to ${to}`);
  if (!(burst >= 1 && burst <= to)) throw outOfRange(`${name}.burst`, `1 to ${to}`);
  return { perSecond, burst };
}

/**
 * Checks a breaker.
 *
 * @throws EventplaneError `config_invalid`
 */
export function checkedBreaker({ failures, openMs }: BreakerOptions): BreakerOptions {
  return {
    failures: whole("breaker.failures", failures, { from: 1, to: queueMaxMax }),
    openMs: whole("breaker.openMs", openMs, { from: 1, to: waitMsMax }),
  };
}

/**
 * Checks a whole number.
 *
 * @throws EventplaneError `config_invalid`
 */
export function whole(name: string, value: number, range: { readonly from: number; readonly to: number }): number {
  if (Number.isSafeInteger(value) && value >= range.from && value <= range.to) return value;
  throw outOfRange(name, `a whole number from ${range.from} to ${range.to}`);
}

function outOfRange(name: string, range: string): EventplaneError {
  return new EventplaneError("config_invalid", `The option ${name} is ${range}.`);
}

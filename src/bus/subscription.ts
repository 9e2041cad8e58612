/** What a subscriber holds of its subscription. */
import type { Consumer } from "./consumer.js";
import type { Latency } from "./latency-histogram.js";

/** Counts and state of a subscription at one moment. */
export interface SubscriptionStatus {
  readonly state: "open" | "paused" | "closed";
  /** Events that wait, and calls under way or waiting for their next attempt. */
  readonly depth: number;
  readonly inFlight: number;
  /** Whether the breaker holds calls back. */
  readonly isBreakerOpen: boolean;
  /** Events done, failed for good, dropped from the queue, and passed over by the filter. */
  readonly done: number;
  readonly failed: number;
  readonly dropped: number;
  readonly filtered: number;
  /** Calls that threw, rejected or ran out of time, of which so many ran out of time; and answers that came after that. */
  readonly attemptsFailed: number;
  readonly timeouts: number;
  readonly late: number;
  /** Threads that were started in place of lost ones; 0 for handlers of this process. */
  readonly threadRestarts: number;
  /** How long calls that succeeded took, from a sample; undefined without one. */
  readonly latency: Latency | undefined;
}

/** A subscription. */
export interface Subscription {
  readonly name: string;
  readonly patterns: readonly string[];
  /**
   * Resolves when its handler can be called: at once, or when the first thread of a handler with `isolation: "thread"` has loaded its module.
   *
   * @throws EventplaneError `config_invalid` when the module does not load or has no such export, `aborted` when the subscription ended before
   */
  ready(): Promise<void>;
  /** Counts up to now. */
  status(): SubscriptionStatus;
  /** Lets events wait in the queue. */
  pause(): void;
  /** Goes on after `pause`. */
  resume(): void;
  /**
   * Waits until nothing waits and nothing is under way, at most `deadlineMs` milliseconds (up to a day).
   *
   * @returns whether that came true
   * @throws EventplaneError `request_invalid` for a deadline out of its range
   */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends it. What waits is dropped and counted; calls under way go on. @returns whether it was open */
  unsubscribe(): boolean;
}

/** Counts and state of a consumer. */
export function statusOf(consumer: Consumer): SubscriptionStatus {
  return {
    state: consumer.state,
    depth: consumer.depth,
    inFlight: consumer.inFlight,
    isBreakerOpen: consumer.isBreakerOpen,
    ...consumer.counters,
    latency: consumer.latency,
  };
}

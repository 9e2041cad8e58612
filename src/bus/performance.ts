/** How the topics and the subscriptions of a context did: what to look at first when something is slow or fails. */
import type { Observed } from "./observation.js";
import { statusOf } from "./subscription.js";

/** What became of the events of one topic. */
export interface TopicPerformance {
  readonly topic: string;
  readonly accepted: number;
  /** Deliveries of its events that failed for good. */
  readonly failed: number;
}

/** How one subscription did. */
export interface SubscriptionPerformance {
  readonly subscription: string;
  /** Calls of its handler that ended, and how many of them failed, by time-out too. */
  readonly calls: number;
  readonly callsFailed: number;
  readonly timeouts: number;
  /** From 0 to 1; 0 without a call. */
  readonly failedShare: number;
  /** Events that failed for good, and that were dropped. */
  readonly failed: number;
  readonly dropped: number;
  /** Of the calls that succeeded, from a sample; undefined without one. */
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** The report on one context. */
export interface PerformanceReport {
  readonly context: string;
  /** The most events first; of more than 1,000 topics the rest is under `(other)`. */
  readonly topics: readonly TopicPerformance[];
  /** The slowest first, by p99. */
  readonly subscriptions: readonly SubscriptionPerformance[];
}

/** The report at this moment. */
export function performanceOf({ space }: Observed): PerformanceReport {
  const topics = [...space.topics.counts].map(([topic, { accepted, failed }]) => ({ topic, accepted, failed }));
  const subscriptions = space.registry.all.map(({ consumer }): SubscriptionPerformance => {
    const { done, failed, dropped, attemptsFailed: callsFailed, timeouts, latency } = statusOf(consumer);
    const calls = done + callsFailed;
    return {
      subscription: consumer.name,
      calls,
      callsFailed,
      timeouts,
      failedShare: calls === 0 ? 0 : callsFailed / calls,
      failed,
      dropped,
      p50Ms: latency?.p50Ms,
      p90Ms: latency?.p90Ms,
      p99Ms: latency?.p99Ms,
    };
  });
  return {
    context: space.name,
    topics: topics.toSorted((a, b) => b.accepted - a.accepted),
    subscriptions: subscriptions.toSorted((a, b) => (b.p99Ms ?? 0) - (a.p99Ms ?? 0)),
  };
}

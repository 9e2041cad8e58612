/** What a subscription counts. */

/** Counts since the subscription began. */
export interface ConsumerCounters {
  /** Events that were done, that failed for good, and that were dropped from the queue. */
  done: number;
  failed: number;
  dropped: number;
  /** Events that the filter passed over. */
  filtered: number;
  /** Calls that threw, rejected or ran out of time; each attempt counts. */
  attemptsFailed: number;
  timeouts: number;
  /** Answers of calls that had run out of time. */
  late: number;
  /** Threads that were started in place of lost ones. */
  threadRestarts: number;
}

/** The counts of a subscription that begins; `done` is kept apart. */
export function noCounts(): Omit<ConsumerCounters, "done"> {
  return { failed: 0, dropped: 0, filtered: 0, attemptsFailed: 0, timeouts: 0, late: 0, threadRestarts: 0 };
}

/** Named limits of handlers in threads. */

/** Hard bounds; times in milliseconds. */
export const threadLimits = {
  /** Threads of one context, all subscriptions together. */
  threadsMax: 64,
  /** How long a thread may take to load its module. */
  startMsMax: 10_000,
  /** How long a call may wait for a thread. */
  waitMsMax: 30_000,
  /** How long a call whose time is over may still end by itself before its thread is ended. */
  graceMs: 100,
  /** How long `close` waits for threads that the operating system holds. */
  endMsMax: 1_000,
  /** Threads of one subscription that are started in place of lost ones. */
  restarts: { perSecond: 1, burst: 10 },
  /** Lines that a thread may print, and characters of one; the rest is left out. */
  output: { linesPerSecondMax: 100, lineCharactersMax: 1_000 },
  /** The wait before a thread is started where threads end again and again without an answer. */
  backoff: { baseMs: 100, capMs: 10_000 },
} as const;

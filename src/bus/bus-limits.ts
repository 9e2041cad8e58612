/** Named limits of the bus. The options of a bus and of its subscriptions choose within them. */

/** Hard bounds, and the defaults where options say nothing. */
export const busLimits = {
  /** Tokens and characters of a topic or pattern. */
  topicTokensMax: 8,
  topicCharactersMax: 128,
  /** Patterns of one subscription, and subscriptions of one context. */
  patternsMax: 32,
  subscriptionsMax: 100_000,
  /** Isolated spaces of one bus. */
  contextsMax: 1_000,
  /** Topics whose matching subscriptions are remembered, per context. */
  topicsCachedMax: 8_192,
  /** Topics with a count of their own, and events that are remembered, per context. */
  topicsCountedMax: 1_000,
  historyMax: 100_000,
  /** Nesting and parts (values) of one payload. */
  payloadDepthMax: 32,
  payloadPartsMax: 100_000,
  /** Shapes of objects that are remembered of one topic, and of one place in its payloads; members of such an object. */
  shapesMax: 64,
  shapesOfPlaceMax: 4,
  shapeMembersMax: 32,
  /**
   * How often a shape is seen before it is remembered; shapes of a topic that are counted until then; and objects of unknown shape at one place before no more is
   * learned there.
   */
  shapeSightings: 16,
  shapeSightingsMax: 128,
  shapeMissesMax: 10_000,
  /** Events that handlers publish while an event is handed out: how many may wait, and how many go out before other work gets its turn. */
  nestedMax: 10_000,
  nestedPerTurnMax: 1_000,
  /** Publications that wait at the door of one full queue with the policy `block`. */
  blockedMax: 1_000,
  /** Parts of an event that are looked through for what is to be redacted; of a larger one nothing is shown. */
  redactedPartsMax: 10_000,
  /** Entries of the event log that wait for the logger, and those that it is given before other work gets its turn. */
  logWaitingMax: 10_000,
  logTurnEntriesMax: 200,
  logTurnMs: 5,
  /** Promises of a logger that have not settled: while there are so many, entries wait. */
  logCallsMax: 200,
  /** Events of one batch. */
  batchMax: 1_000,
  /** Delayed events of one context that wait for their time, and the longest delay, milliseconds (a day). */
  delayedMax: 10_000,
  delayMsMax: 86_400_000,
} as const;

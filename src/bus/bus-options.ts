/** What a bus is made of, and the parts that all of its contexts share. */
import {
  type Clock,
  EventplaneError,
  type IdSource,
  type JsonObject,
  type Random,
  systemClock,
  systemIds,
  systemRandom,
} from "../kernel/index.js";
import type { AuthorizationOptions } from "./authorization.js";
import { busLimits } from "./bus-limits.js";
import { CoarseClock } from "./coarse-clock.js";
import type { DeliveryFailure } from "./consumer-parts.js";
import { Correlation, scopeOf } from "./correlation.js";
import { DataShapes } from "./data-shapes.js";
import { type DeadLetterStore, MemoryDeadLetters } from "./dead-letter.js";
import type { Unpublished } from "./delayed-events.js";
import { EventIds } from "./event-ids.js";
import { EventLog, type LogOptions } from "./event-log.js";
import { HandOut } from "./hand-out.js";
import type { TopicMap, TopicOf } from "./pattern.js";
import { compileTopic, jsonSchemaOf, type Lift, type PayloadCheck } from "./payload-check.js";
import type { RateLimit } from "./rate-limiter.js";
import { Redaction, type RedactionOptions } from "./redaction.js";
import { checkedRateLimit, whole } from "./subscription-options.js";
import { TimerWheel } from "./timer-wheel.js";
import type { Topic } from "./topic.js";

/** Options of a bus. */
export interface BusOptions<Topics extends TopicMap = Record<string, unknown>> extends AuthorizationOptions {
  /** The topics, made by `topic`. */
  readonly topics?: { readonly [Name in TopicOf<Topics>]: Topic<Topics[Name]> };
  /** What to do with topics that `topics` does not have: `refuse` by default; `allow` takes them unchecked. */
  readonly unknownTopics?: "refuse" | "allow";
  /** Events accepted, for each context. */
  readonly rateLimit?: RateLimit;
  /** Events that each context remembers for `history`: 100 by default, at most 100,000, none for 0. */
  readonly historyMax?: number;
  /** Where deliveries that failed for good are kept: 1,000 in memory by default. */
  readonly deadLetters?: DeadLetterStore;
  /** Called with each delivery that failed for good. What it throws is counted, and otherwise ignored. */
  readonly onFailure?: (failure: DeliveryFailure) => unknown;
  /** The event log; none by default, `{}` for lines of JSON on standard output. */
  readonly log?: LogOptions;
  /** What nobody may read in the event log and in exports, beside what has a secret's name. */
  readonly redact?: RedactionOptions;
  /** Called with each event that was accepted and then could not be published: a delayed one, or the end of an operation. What it throws is counted, and otherwise ignored. */
  readonly onUnpublished?: (unpublished: Unpublished) => unknown;
  /**
   * Whether the bus keeps what belongs together: scopes of `correlate` and of operations, and the event that a handler works on, reach what is published in
   * them. Off by default: `AsyncLocalStorage` of Node.js 20 makes every promise of the process dearer.
   */
  readonly correlation?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: IdSource;
}

/** A topic that the bus knows. */
export interface KnownTopic {
  readonly version: number;
  readonly check: PayloadCheck;
  readonly lift: Lift;
  /** Of its payloads. */
  readonly shapes: DataShapes;
}

/** What the contexts of one bus share. */
export interface BusShared {
  readonly clock: Clock;
  readonly coarse: CoarseClock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly handOut: HandOut;
  readonly ids: EventIds;
  readonly topics: ReadonlyMap<string, KnownTopic>;
  readonly allowsUnknown: boolean;
  readonly rateLimit: RateLimit | undefined;
  readonly historyMax: number;
  readonly authorization: AuthorizationOptions;
  readonly deadLetters: DeadLetterStore;
  readonly onFailure: ((failure: DeliveryFailure) => void) | undefined;
  readonly redaction: Redaction;
  readonly log: EventLog | undefined;
  readonly correlation: Correlation | undefined;
  readonly onUnpublished: ((unpublished: Unpublished) => void) | undefined;
  /** Callbacks of the user that threw. */
  readonly counters: { callbacksFailed: number; eventsNumbered: number };
}

/**
 * Compiles the topics and makes the shared parts.
 *
 * @throws EventplaneError `config_invalid` naming what cannot be used
 */
export function shareBus(options: BusOptions<TopicMap>): BusShared {
  const { clock = systemClock, random = systemRandom, ids = systemIds, rateLimit } = options;
  const coarse = new CoarseClock(clock);
  const correlation = options.correlation === true ? new Correlation() : undefined;
  const topics = new Map<string, KnownTopic>();
  const schemas = new Map<string, JsonObject | undefined>();
  for (const [name, topic] of Object.entries<Topic>(options.topics ?? {})) {
    topics.set(name, { version: topic.version, ...compileTopic(name, topic), shapes: new DataShapes() });
    schemas.set(name, jsonSchemaOf(topic));
  }
  const allowsUnknown = options.unknownTopics === "allow";
  const redaction = new Redaction(options.redact ?? {}, { schemas, allowsUnknown });
  return {
    clock,
    coarse,
    wheel: new TimerWheel(clock, coarse),
    random,
    handOut: new HandOut(clock),
    ids: new EventIds(`${ids.uuid7()}.`),
    topics,
    allowsUnknown,
    rateLimit: rateLimit === undefined ? undefined : checkedRateLimit("rateLimit", rateLimit),
    historyMax: whole("historyMax", options.historyMax ?? 100, { from: 0, to: busLimits.historyMax }),
    authorization: options,
    deadLetters: options.deadLetters ?? new MemoryDeadLetters(),
    onFailure: inScope(options.onFailure, correlation),
    correlation,
    redaction,
    log: options.log === undefined ? undefined : new EventLog(options.log, { clock, coarse, redaction }),
    onUnpublished: inNoScope(options.onUnpublished, correlation),
    counters: { callbacksFailed: 0, eventsNumbered: 0 },
  };
}

/** What is published because of a failure follows from the event that failed. */
function inScope(tell: BusOptions["onFailure"], correlation: Correlation | undefined): BusShared["onFailure"] {
  if (tell === undefined || correlation === undefined) return tell;
  return (failure) => correlation.run(scopeOf(failure.event), () => tell(failure));
}

/** It is called when a time has come, in the scope of whoever began a wait last. */
function inNoScope(
  tell: BusOptions["onUnpublished"],
  correlation: Correlation | undefined,
): BusShared["onUnpublished"] {
  if (tell === undefined || correlation === undefined) return tell;
  return (unpublished) => correlation.outside(() => tell(unpublished));
}

/** The refusal of a topic that nobody declared. */
export function unknownTopic(topic: string): EventplaneError {
  return new EventplaneError(
    "unknown_type",
    `The bus does not know the topic ${topic}. Declare it in \`topics\`, or set \`unknownTopics: "allow"\`.`,
    { details: { topic } },
  );
}

/** One context of a bus: what is published in it reaches its own subscriptions only. */
import { EventplaneError } from "../kernel/index.js";
import { AcceptedEvent, type PublishOptions } from "./accepted-event.js";
import { assertMayPublish } from "./authorization.js";
import { busLimits } from "./bus-limits.js";
import type { BusShared } from "./bus-options.js";
import { callBack } from "./callback.js";
import type { Consumer } from "./consumer.js";
import type { ConsumerHost, DeliveryFailure } from "./consumer-parts.js";
import type { Correlation } from "./correlation.js";
import { type DeadLetter, letterOf } from "./dead-letter.js";
import { type DelayedEvent, DelayedEvents, type Unpublished } from "./delayed-events.js";
import { frozenCopy } from "./frozen-copy.js";
import { History } from "./history.js";
import type { OperationCounts } from "./operation.js";
import { checkedOptions, noOptions } from "./publish-options.js";
import { RateLimiter } from "./rate-limiter.js";
import { contextClosed, queueFull, rateLimited, tooManyNested } from "./refusals.js";
import { Registry } from "./registry.js";
import { type HandlerOutcome, type SettledEvent, Settlement } from "./settlement.js";
import { type TopicState, TopicStates } from "./topic-states.js";

/** One event to publish. */
export interface Draft {
  readonly topic: string;
  readonly payload: unknown;
  readonly options: PublishOptions;
}

/** An event that may be handed out. */
interface Accepted {
  readonly consumers: readonly Consumer[];
  readonly event: AcceptedEvent;
}

interface Parts {
  readonly payload: unknown;
  readonly options: PublishOptions;
  readonly source: string | undefined;
  readonly atMs: number;
}

/** Counts of one context. */
export interface SpaceCounters {
  accepted: number;
  refused: number;
  unpublished: number;
  readonly operations: OperationCounts;
}

/** Publishing in one context. */
export class Space {
  readonly name: string;
  readonly registry: Registry = new Registry();
  readonly host: ConsumerHost;
  readonly counters: SpaceCounters = {
    accepted: 0,
    refused: 0,
    unpublished: 0,
    operations: { open: 0, done: 0, failed: 0, abandoned: 0 },
  };
  readonly history: History;
  readonly correlation: Correlation | undefined;
  /** Events that wait for their time. */
  readonly delayed: DelayedEvents;
  /** The topics that were published. */
  readonly topics: TopicStates;
  readonly #shared: BusShared;
  readonly #limiter: RateLimiter | undefined;
  #isClosed = false;

  constructor(name: string, shared: BusShared) {
    this.name = name;
    this.#shared = shared;
    this.topics = new TopicStates(name, shared, this.registry);
    this.history = new History(shared.historyMax);
    this.correlation = shared.correlation;
    this.delayed = new DelayedEvents(shared.wheel);
    this.#limiter = shared.rateLimit === undefined ? undefined : new RateLimiter(shared.rateLimit, shared.coarse);
    this.host = {
      wheel: shared.wheel,
      coarse: shared.coarse,
      clock: shared.clock,
      random: shared.random,
      queues: { full: 0 },
      failed: (failure) => this.#failed(failure),
      attemptFailed: (failure) => this.#shared.log?.attemptFailed(failure),
      callback: (call) => this.#callback(call),
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Refuses publications and subscriptions from now on, and the events that wait for their time. */
  close(): void {
    this.#isClosed = true;
    this.delayed.close(this.name);
  }

  /** @returns the id, or its promise when a full queue makes the publisher wait */
  publish(
    topic: string,
    payload: unknown,
    options: PublishOptions = noOptions,
    source?: string,
  ): string | Promise<string> {
    const { consumers, event } = this.#accept(topic, payload, options, source);
    const blocked = this.#shared.handOut.give(consumers, event, undefined);
    return blocked === undefined ? event.id : blocked.then(() => event.id);
  }

  /** @returns what became of the event at every subscription */
  publishAndSettle(topic: string, payload: unknown, options: PublishOptions = noOptions): Promise<SettledEvent> {
    return new Promise((resolve) => {
      const { consumers, event } = this.#accept(topic, payload, options);
      const settlement = new Settlement(event, resolve);
      void this.#shared.handOut.give(consumers, event, settlement);
    });
  }

  /** Accepts all or none. @returns the ids, in order */
  async publishBatch(drafts: readonly Draft[]): Promise<readonly string[]> {
    const accepted = this.#acceptAll(drafts);
    const waiting: Promise<void>[] = [];
    for (const { consumers, event } of accepted) {
      const admitted = this.#shared.handOut.give(consumers, event, undefined);
      if (admitted !== undefined) waiting.push(admitted);
    }
    await Promise.all(waiting);
    return accepted.map(({ event }) => event.id);
  }

  /** Accepts an event now, except for the room in the queues, and publishes it in `delayMs` milliseconds. The draft's options are nobody else's. */
  publishLater(draft: Draft, delayMs: number): DelayedEvent {
    const { topic, payload, options } = draft;
    const { state, event } = this.#orRefuse(draft, () => {
      this.#assertOpen();
      this.delayed.assertTakes(delayMs);
      this.#takeTokens(1);
      const known = this.topics.stateOf(topic);
      return { state: known, event: this.#admit(known, payload, options) };
    });
    const { id } = event;
    const publish = (): void | Promise<void> => this.#release(state, event, draft);
    const refused = (error: EventplaneError): void => this.unpublished({ id, topic, error });
    return this.delayed.add({ id, publish, refused }, delayMs);
  }

  /** An id that no event has. */
  freeId(): string {
    return this.#shared.ids.of(++this.#shared.counters.eventsNumbered);
  }

  /** Counts and tells that an accepted event could not be published. Never throws. */
  unpublished(told: Omit<Unpublished, "context">): void {
    this.counters.unpublished++;
    this.#callback(() => this.#shared.onUnpublished?.({ ...told, context: this.name }));
  }

  /**
   * Gives the event of a dead letter to its subscription alone.
   *
   * @returns undefined when the subscription is not there
   */
  redeliver({ subscription, event: json, attempts }: DeadLetter): Promise<HandlerOutcome> | undefined {
    const consumer = this.registry.byName(subscription)?.consumer;
    if (consumer === undefined || !consumer.permit.covers(json.topic)) return undefined;
    const state = this.topics.stateOf(json.topic);
    const { payload, atMs, source, ...options } = json;
    const event = this.#build(state, { payload, options, source, atMs });
    return new Promise((resolve) => {
      const settlement = new Settlement(event, ({ outcomes: [outcome] }) => outcome !== undefined && resolve(outcome));
      consumer.offerAgain(event, settlement, attempts);
      settlement.handedOut();
    });
  }

  #accept(topic: string, payload: unknown, options: PublishOptions, source?: string): Accepted {
    try {
      this.#assertOpen();
      this.#takeTokens(1);
      const state = this.topics.stateOf(topic);
      const event = this.#admit(state, payload, options, source);
      const consumers = this.topics.consumersOf(state);
      this.#assertRoom(consumers, event);
      this.#count(state, event);
      return { consumers, event };
    } catch (error) {
      this.counters.refused++;
      this.#logRefused({ topic, payload, options }, source, error);
      throw error;
    }
  }

  #acceptAll(drafts: readonly Draft[]): readonly Accepted[] {
    let [current] = drafts;
    try {
      this.#assertOpen();
      if (drafts.length > busLimits.batchMax)
        throw new EventplaneError("too_many_events", `A batch has at most ${busLimits.batchMax} events.`);
      this.#takeTokens(drafts.length);
      const accepted = drafts.map((draft) => {
        const { topic, payload, options } = (current = draft);
        const state = this.topics.stateOf(topic);
        return { state, event: this.#admit(state, payload, options), consumers: this.topics.consumersOf(state) };
      });
      this.#assertRoomForAll(accepted);
      for (const { state, event } of accepted) this.#count(state, event);
      return accepted;
    } catch (error) {
      this.counters.refused += drafts.length;
      if (current !== undefined) this.#logRefused(current, undefined, error);
      throw error;
    }
  }

  /** The time of an accepted event has come: it is published as of now, if its publisher still may. */
  #release(state: TopicState, accepted: AcceptedEvent, draft: Draft): void | Promise<void> {
    const { id, payload, priority, correlationId, causationId, metadata } = accepted;
    const parts = { number: 0, payload, atMs: this.#shared.coarse.wallMs() };
    const options = { id, priority, correlationId, causationId, metadata };
    const event = new AcceptedEvent(state.origin, parts, options);
    const consumers = this.#orRefuse(draft, () => {
      this.#assertOpen();
      this.#assertMayPublish(state, draft.options.principal, undefined);
      const found = this.topics.consumersOf(state);
      this.#assertRoom(found, event);
      return found;
    });
    this.#count(state, event);
    return this.#shared.handOut.give(consumers, event, undefined);
  }

  #orRefuse<Result>(draft: Draft, accept: () => Result): Result {
    try {
      return accept();
    } catch (error) {
      this.counters.refused++;
      this.#logRefused(draft, undefined, error);
      throw error;
    }
  }

  #count(state: TopicState, event: AcceptedEvent): void {
    this.counters.accepted++;
    state.count.accepted++;
    this.history.add(event);
    this.#shared.log?.accepted(event);
  }

  #admit(state: TopicState, payload: unknown, options: PublishOptions, source?: string): AcceptedEvent {
    this.#assertMayPublish(state, options.principal, source);
    const filled = this.correlation === undefined ? options : this.correlation.fill(options);
    return this.#build(state, { payload, options: filled, source, atMs: this.#shared.coarse.wallMs() });
  }

  #assertMayPublish({ origin }: TopicState, principal: string | undefined, source: string | undefined): void {
    const { authorization } = this.#shared;
    if (authorization.authorizePublish === undefined) return;
    assertMayPublish(authorization, { context: this.name, topic: origin.topic, principal, source });
  }

  #build(state: TopicState, { payload, options, source, atMs }: Parts): AcceptedEvent {
    const { origin } = state;
    const kept = keptPayload(state, payload, options.schemaVersion);
    const parts = { number: ++this.#shared.counters.eventsNumbered, payload: kept, atMs };
    const isBare = options === noOptions && source === undefined;
    return new AcceptedEvent(origin, parts, isBare ? noOptions : checkedOptions(options, source));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw contextClosed(this.name);
  }

  #takeTokens(count: number): void {
    if (this.#limiter !== undefined && !this.#limiter.take(count)) throw rateLimited(this.name);
  }

  #assertRoom(consumers: readonly Consumer[], event: AcceptedEvent): void {
    if (this.#shared.handOut.isFull) throw tooManyNested();
    if (this.host.queues.full === 0) return;
    for (const consumer of consumers)
      if (consumer.isFull && consumer.wouldRefuse(1) && consumer.wants(event)) throw queueFull(consumer.name);
  }

  #assertRoomForAll(accepted: readonly Accepted[]): void {
    if (this.#shared.handOut.room < accepted.length) throw tooManyNested();
    const counts = new Map<Consumer, number>();
    for (const { consumers, event } of accepted) {
      for (const consumer of consumers)
        if (consumer.wants(event)) counts.set(consumer, (counts.get(consumer) ?? 0) + 1);
    }
    for (const [consumer, count] of counts) if (consumer.wouldRefuse(count)) throw queueFull(consumer.name);
  }

  #failed(failure: DeliveryFailure): void {
    const { deadLetters, coarse, onFailure, log, redaction } = this.#shared;
    let deadLetter: number | undefined;
    this.topics.countOf(failure.event.topic).failed++;
    this.#callback(() => {
      deadLetter = deadLetters.add(letterOf(failure, coarse.wallMs(), redaction)).number;
      return onFailure?.(failure);
    });
    log?.failed(failure, deadLetter);
  }

  /** A callback that fails must not fail what it is told about; the count says that it did. */
  #callback(call: () => unknown): void {
    callBack(call, () => void this.#shared.counters.callbacksFailed++);
  }

  #logRefused(draft: Draft, source: string | undefined, error: unknown): void {
    this.#shared.log?.refused({ what: "publication", context: this.name, source, error, draft });
  }
}

/** Copied before it is checked: what was checked is what handlers get. */
function keptPayload({ known, shapes }: TopicState, payload: unknown, version: number | undefined): unknown {
  if (known === undefined) return frozenCopy(payload, shapes);
  const copy = frozenCopy(version === undefined ? payload : known.lift(payload, version), shapes);
  const checked = known.check(copy);
  // A Standard Schema may have made something else of it.
  return checked === copy ? copy : frozenCopy(checked, shapes);
}

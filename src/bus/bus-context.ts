/** Publishing and subscribing in one context of a bus. */
import { assert, EventplaneError } from "../kernel/index.js";
import type { BusEvent, EventOf } from "./accepted-event.js";
import type { BusShared } from "./bus-options.js";
import type { AnyHandler } from "./consumer-parts.js";
import { ContextSubscriptions, type SubscriptionDefinition } from "./context-subscriptions.js";
import { DeadLetters, type Redeliver } from "./dead-letters.js";
import type { HandlerContext } from "./delivery.js";
import { Emitter, type EmitterDefaults } from "./emitter.js";
import { type BusStream, EventStream, noPast, type StreamOptions } from "./event-stream.js";
import { type ExportFormat, historyText, performanceText } from "./export.js";
import type { HistoryFilter } from "./history.js";
import { assertDeadline, whenIdle } from "./idle.js";
import type { MonitorOptions } from "./monitor.js";
import { type Observed, startMonitor, statisticsOf } from "./observation.js";
import { streamFrom } from "./past-events.js";
import type { PatternOf, TopicMap } from "./pattern.js";
import { type PerformanceReport, performanceOf } from "./performance.js";
import { Publisher } from "./publisher.js";
import { Source, type SourceOptions } from "./source.js";
import type { Space } from "./space.js";
import type { BusStatistics } from "./statistics.js";
import type { Subscription } from "./subscription.js";
import type { SubscriptionOptions } from "./subscription-options.js";
import type { ThreadHandler } from "./threads/thread-handler.js";

/**
 * Gets the events that a subscription's patterns take. What it throws, or its promise rejects with, is its own failure and reaches
 * neither the publisher nor other handlers.
 */
export type Handler<Topics extends TopicMap, Patterns extends string> = (
  event: EventOf<Topics, Patterns>,
  context: HandlerContext,
) => unknown;

/** The patterns of a subscription: one or several. */
export type PatternsOf<Topics extends TopicMap, Patterns extends string> =
  | PatternOf<Topics, Patterns>
  | readonly PatternOf<Topics, Patterns>[];

/** For what the end of a context itself logs. */
const logClosingMs = 1_000;

/** A context: an isolated space. Events published in it reach its own subscriptions only. */
export class BusContext<Topics extends TopicMap> extends Publisher<Topics> {
  readonly #shared: BusShared;
  readonly #space: Space;
  readonly #onClosed: () => void;
  readonly #sources = new Map<string, Source>();
  readonly #subscriptions: ContextSubscriptions;
  /** What ends them. */
  readonly #monitors = new Set<() => void>();
  /** What its subscriptions could not handle. */
  readonly deadLetters: DeadLetters;

  /** Made by the bus. */
  constructor(space: Space, shared: BusShared, onClosed: () => void) {
    super(space);
    this.#space = space;
    this.#shared = shared;
    this.#onClosed = onClosed;
    this.#subscriptions = new ContextSubscriptions(space, shared);
    const redeliver: Redeliver = (letter) => space.redeliver(letter);
    this.deadLetters = new DeadLetters(space.name, { store: shared.deadLetters, redeliver, log: shared.log });
  }

  /** Its name; that of the bus itself is `default`. */
  get name(): string {
    return this.#space.name;
  }

  /** A publisher of this context with defaults. Throws `request_invalid` for defaults that no event may have. */
  emitter(defaults: EmitterDefaults): Emitter<Topics> {
    return new Emitter(this.#space, defaults);
  }

  /**
   * Calls `handler` with each event whose topic one of the patterns takes: `user.created` exactly, `user.*` with one token after `user`,
   * `user.**` with one or more.
   *
   * @throws EventplaneError `request_invalid` for a pattern that is none or a name that is taken, `config_invalid` for an option out of its range,
   * `unavailable` after the end
   */
  on<const Patterns extends string>(
    patterns: PatternsOf<Topics, Patterns>,
    handler: Handler<Topics, Patterns> | ThreadHandler,
    options: SubscriptionOptions<EventOf<Topics, Patterns>> = {},
  ): Subscription {
    return this.#subscriptions.add([plain(patterns, handler, options)])[0] as Subscription; // one definition, one subscription
  }

  /** As {@link BusContext.on}, for one event: the subscription has ended when its handler is called. */
  once<const Patterns extends string>(
    patterns: PatternsOf<Topics, Patterns>,
    handler: Handler<Topics, Patterns> | ThreadHandler,
    options: SubscriptionOptions<EventOf<Topics, Patterns>> = {},
  ): Subscription {
    return this.#subscriptions.add([{ ...plain(patterns, handler, options), isOnce: true }])[0] as Subscription; // as above
  }

  /** Ends the subscription of this name. @returns whether there was one */
  off(name: string): boolean {
    return this.#subscriptions.endByName(name);
  }

  /** The subscription that {@link BusContext.on} would add, as data for {@link BusContext.register}. */
  define<const Patterns extends string>(
    patterns: PatternsOf<Topics, Patterns>,
    handler: Handler<Topics, Patterns> | ThreadHandler,
    options: SubscriptionOptions<EventOf<Topics, Patterns>> = {},
  ): SubscriptionDefinition {
    return plain(patterns, handler, options);
  }

  /** Adds subscriptions that are written down as data, all or none. Throws as {@link BusContext.on}. */
  register(definitions: readonly SubscriptionDefinition[]): readonly Subscription[] {
    return this.#subscriptions.add(definitions);
  }

  /**
   * The events that the patterns take, one after the other; the next one is taken from the queue when the loop asks for it. Leaving the
   * loop, or an abort of `options.signal`, ends the subscription.
   *
   * Throws as {@link BusContext.on}. Its time-out, retries and concurrency are the loop's own affair.
   */
  stream<const Patterns extends string>(
    patterns: PatternsOf<Topics, Patterns>,
    options: StreamOptions<EventOf<Topics, Patterns>> = {},
  ): BusStream<EventOf<Topics, Patterns>> {
    const { afterId, ...rest } = options;
    const past = afterId === undefined ? noPast : this.#space.history.after(afterId);
    const stream = new EventStream(past.isWhole);
    const settings = { ...rest, concurrency: 1, timeoutMs: Number.POSITIVE_INFINITY };
    const definition = { ...plain(patterns, stream.handler, settings), ended: () => stream.end() };
    const [subscription] = this.#subscriptions.add([definition]);
    assert(subscription !== undefined, "one definition, one subscription");
    stream.begin(subscription, streamFrom(past.events, this.#space, subscription.name));
    // The patterns let only these events through.
    return stream as BusStream<BusEvent> as BusStream<EventOf<Topics, Patterns>>;
  }

  /**
   * Registers a source outside of this process: nothing that it sends becomes an event before its verifier has agreed.
   *
   * @throws EventplaneError `config_invalid`, `request_invalid` for a pattern that is none, or a name that is taken; `unavailable` after the end
   */
  addSource(options: SourceOptions): Source {
    if (this.#space.isClosed) throw new EventplaneError("unavailable", `The context ${this.name} is closed.`);
    if (this.#sources.has(options.name))
      throw new EventplaneError("request_invalid", `There is a source named ${options.name}; take another name.`);
    const source = new Source(options, this.#space, this.#shared);
    this.#sources.set(options.name, source);
    return source;
  }

  /**
   * Asks `authorizeSubscribe` again, for every subscription of the context. Call it when a permit was withdrawn.
   *
   * Subscriptions that are not permitted any more end; of those that are permitted less, what waits and is not permitted is dropped.
   *
   * @returns the names of those that ended
   */
  reauthorize(): readonly string[] {
    return this.#subscriptions.reauthorize();
  }

  /** The last events of the context, the oldest first: 100 unless `historyMax` says otherwise. */
  history(filter: HistoryFilter = {}): readonly BusEvent[] {
    return this.#space.history.list(filter);
  }

  /**
   * The events of {@link BusContext.history} as one JSON array or as CSV, as the event log shows them: redacted, harmless, bounded. Texts that a
   * spreadsheet could take for formulas begin with `'` in CSV.
   */
  exportHistory(format: ExportFormat, filter: HistoryFilter = {}): string {
    return historyText(this.#observed, format, filter);
  }

  /** How topics and subscriptions did: the busiest topics and the slowest subscriptions first. */
  performance(): PerformanceReport {
    return performanceOf(this.#observed);
  }

  /** The subscriptions of {@link BusContext.performance} as one JSON array or as CSV. */
  exportPerformance(format: ExportFormat): string {
    return performanceText(this.#observed, format);
  }

  /** What the context did so far. `prometheusText` turns it into what Prometheus reads. */
  statistics(): BusStatistics {
    return statisticsOf(this.#observed);
  }

  /**
   * Looks at the statistics again and again, until the returned function is called or the context is closed. Callbacks that throw are counted.
   *
   * @throws EventplaneError `config_invalid`
   */
  monitor(options: MonitorOptions): () => void {
    const stop = startMonitor(options, this.#observed);
    this.#monitors.add(stop);
    return () => {
      this.#monitors.delete(stop);
      stop();
    };
  }

  /** Its subscriptions, in the order in which they came. */
  subscriptions(): readonly Subscription[] {
    return this.#subscriptions.all;
  }

  /**
   * Waits until nothing waits, no handler is under way and the event log is written, at most `deadlineMs` milliseconds (up to a day).
   *
   * @returns whether that came true
   * @throws EventplaneError `request_invalid` for a deadline out of its range
   */
  async drain(deadlineMs: number): Promise<boolean> {
    const { clock, log } = this.#shared;
    const endMs = clock.monotonicMs() + deadlineMs;
    const isIdle = await whenIdle(this.#shared, {
      consumers: () => this.#subscriptions.consumers,
      deadlineMs,
    });
    if (log === undefined) return isIdle;
    return (await log.flush(Math.max(0, endMs - clock.monotonicMs()))) && isIdle;
  }

  /**
   * Ends the context: refuses what comes from now on, drains for at most `deadlineMs` (5,000 by default), then gives up what is left, which
   * fails as `aborted`, and ends all subscriptions. Calling it again is harmless.
   *
   * @returns whether everything was done in time
   * @throws EventplaneError `request_invalid` for a deadline out of the range of `drain`; nothing has ended then
   */
  async close({ deadlineMs = 5_000 }: { readonly deadlineMs?: number } = {}): Promise<boolean> {
    assertDeadline(deadlineMs);
    this.#space.close();
    const isDrained = await this.drain(deadlineMs);
    for (const stop of this.#monitors) stop();
    await this.#subscriptions.close(new EventplaneError("aborted", `The context ${this.name} was closed.`));
    await this.#shared.log?.flush(logClosingMs);
    this.#onClosed();
    return isDrained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #observed(): Observed {
    return { space: this.#space, shared: this.#shared, sources: this.#sources };
  }
}

/** Handlers, filters and patterns without the types of the topics: what a pattern takes, a handler of that pattern gets. */
function plain(patterns: unknown, handler: unknown, options: object): SubscriptionDefinition {
  const list = typeof patterns === "string" ? [patterns] : patterns;
  return { ...options, patterns: list as readonly string[], handler: handler as AnyHandler | ThreadHandler };
}

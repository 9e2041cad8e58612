/** Publishing in one context of a bus: at once, in a batch, or later. */
import { EventplaneError } from "../kernel/index.js";
import type { BusEvent, PublishOptions } from "./accepted-event.js";
import { type CorrelationScope, scopeOf } from "./correlation.js";
import type { DelayedEvent, Unpublished } from "./delayed-events.js";
import { OpenOperation, type Operation, type OperationOptions } from "./operation.js";
import type { TopicMap, TopicOf } from "./pattern.js";
import { assertId } from "./publish-options.js";
import type { SettledEvent } from "./settlement.js";
import type { Draft, Space } from "./space.js";

/** One event of {@link Publisher.publishBatch}. */
export type BatchItem<Topics extends TopicMap> = {
  [Topic in TopicOf<Topics>]: { readonly topic: Topic; readonly payload: Topics[Topic] } & PublishOptions;
}[TopicOf<Topics>];

/** The operations whose three topics a bus has. */
export type OperationOf<Topics extends TopicMap> =
  string extends TopicOf<Topics>
    ? string
    : {
        [Topic in TopicOf<Topics>]: Topic extends `${infer Name}.started`
          ? `${Name}.updated` | `${Name}.ended` extends TopicOf<Topics>
            ? Name
            : never
          : never;
      }[TopicOf<Topics>];

/** What a publisher may say of an event that is published later. */
export interface DelayOptions extends PublishOptions {
  /** Milliseconds from now, 0 to 86,400,000 (a day); it comes up to 20 ms late. */
  readonly delayMs: number;
}

/** Publishes events of a typed bus. */
export class Publisher<Topics extends TopicMap> {
  readonly #space: Space;

  /** Made by the bus. */
  constructor(space: Space) {
    this.#space = space;
  }

  /**
   * Publishes an event: checks it, freezes it, and hands it to the subscriptions that take its topic. Handlers that return no promise have
   * run when it returns, unless they are busy; their failures are not the publisher's.
   *
   * @returns the event's id; its promise when a full queue with the policy `block` makes the publisher wait
   * @throws EventplaneError `unknown_type`, `schema_violation`, `request_invalid`, `payload_too_large`; `rate_limited`; `busy`
   * when a queue refuses it; `unavailable` after the end. Nobody got the event then.
   */
  publish<Topic extends TopicOf<Topics>>(
    topic: Topic,
    payload: Topics[Topic],
    options?: PublishOptions,
  ): string | Promise<string> {
    return this.#space.publish(topic, payload, options);
  }

  /**
   * As {@link Publisher.publish}, and waits until every handler has ended, retries included. A handler must not wait so for an event
   * that it gets itself.
   *
   * @returns what became of it at each subscription
   */
  publishAndSettle<Topic extends TopicOf<Topics>>(
    topic: Topic,
    payload: Topics[Topic],
    options?: PublishOptions,
  ): Promise<SettledEvent> {
    return this.#space.publishAndSettle(topic, payload, options);
  }

  /**
   * Publishes up to 1,000 events in order, all or none: one that is refused refuses them all, before anybody gets one.
   *
   * @returns the ids, when no full queue makes the publisher wait any more
   * @throws EventplaneError as {@link Publisher.publish}; `too_many_events`
   */
  async publishBatch(items: readonly BatchItem<Topics>[]): Promise<readonly string[]> {
    return this.#space.publishBatch(items.map(draftOf));
  }

  /**
   * Publishes an event in `delayMs` milliseconds, unless it is cancelled before. Topic, payload, permit and rate limit are checked now; the permit again, and the
   * room in the queues, when its time comes. An event that is refused then is told of by `settled` and to `onUnpublished`, and is counted.
   *
   * Delayed events are in memory: they end with the process, and `close` refuses them as `aborted`. `drain` does not wait for them.
   *
   * @throws EventplaneError as {@link Publisher.publish}; `request_invalid` for a delay out of its range; `busy` when 10,000 wait in the context
   */
  emitLater<Topic extends TopicOf<Topics>>(topic: Topic, payload: Topics[Topic], options: DelayOptions): DelayedEvent {
    const { delayMs, ...said } = options;
    return this.#space.publishLater({ topic, payload, options: said }, delayMs);
  }

  /**
   * Calls `run` in a scope: what it publishes, after any number of awaits, belongs to the correlation id that is given, or to that of the event that is given, and
   * follows from that event, unless it says otherwise itself. Scopes nest, and those of concurrent calls do not meet.
   *
   * Handlers are called in the scope of their event anyway; a loop over a stream does it by `correlate(event, …)`.
   *
   * @throws EventplaneError `config_invalid` when the bus has not `correlation: true`; `request_invalid` for an id that is not 1 to 128 printable ASCII characters
   */
  correlate<Result>(cause: string | BusEvent, run: () => Result): Result {
    const { correlation } = this.#space;
    if (correlation === undefined)
      throw new EventplaneError("config_invalid", "Set the option `correlation: true` of the bus to use scopes.");
    if (typeof cause !== "string") return correlation.run(scopeOf(cause), run);
    assertId("correlationId", cause);
    return correlation.run({ correlationId: cause, causationId: undefined }, run);
  }

  /**
   * Does a piece of work that takes time, and tells of it: `<name>.started` now, `<name>.ended` when `work` has returned, thrown or rejected, with
   * the duration and the outcome. The topics are those of `operationTopics(name)`. `work` runs in a scope of the operation, and may `update` it.
   *
   * The result is that of `work`. An end that cannot be published changes nothing about it: it is told to `onUnpublished`, and counted.
   *
   * @throws EventplaneError as {@link Publisher.publish} when the start is refused; `work` is not called then
   */
  async operation<Name extends OperationOf<Topics>, Result>(
    name: Name,
    work: (operation: Operation) => Result | Promise<Result>,
    options: OperationOptions = {},
  ): Promise<Result> {
    return this.#open(name, options).complete(work);
  }

  /**
   * As {@link Publisher.operation}, for work that is no one function: declare it with `using`, and it ends as `abandoned` when nothing has ended it
   * before. One that is never disposed of is counted as open in the statistics.
   */
  startOperation<Name extends OperationOf<Topics>>(name: Name, options: OperationOptions = {}): Operation {
    return this.#open(name, options);
  }

  /** The scope of the code that runs; undefined outside of all scopes. */
  currentScope(): CorrelationScope | undefined {
    return this.#space.correlation?.current;
  }

  /** The correlation id that an event with these options has. */
  protected correlationOf(options: PublishOptions): string | undefined {
    return options.correlationId ?? this.currentScope()?.correlationId;
  }

  #open(name: string, options: OperationOptions): OpenOperation {
    const { correlation, counters, host } = this.#space;
    // The name was checked against the topics.
    const publisher = this as unknown as Publisher<Record<string, unknown>>;
    const operationHost = {
      publish: (topic: string, payload: unknown, with_: PublishOptions) => publisher.publish(topic, payload, with_),
      unpublished: (told: Omit<Unpublished, "context">) => this.#space.unpublished(told),
      monotonicMs: () => host.clock.monotonicMs(),
      correlation,
      counts: counters.operations,
    };
    const correlationId = this.correlationOf(options);
    const about = { id: this.#space.freeId(), name };
    return new OpenOperation(
      operationHost,
      about,
      correlationId === undefined ? options : { ...options, correlationId },
    );
  }
}

function draftOf({
  topic,
  payload,
  ...options
}: PublishOptions & { readonly topic: string; readonly payload: unknown }): Draft {
  return { topic, payload, options };
}

/** A publisher with defaults of its own. */
import type { PublishOptions } from "./accepted-event.js";
import type { DelayedEvent } from "./delayed-events.js";
import type { TopicMap, TopicOf } from "./pattern.js";
import { checkedOptions } from "./publish-options.js";
import { type BatchItem, type DelayOptions, Publisher } from "./publisher.js";
import type { SettledEvent } from "./settlement.js";
import type { Space } from "./space.js";

/** What an emitter says of its events where the call says nothing; metadata is merged, member by member. */
export type EmitterDefaults = Pick<
  PublishOptions,
  "priority" | "correlationId" | "causationId" | "metadata" | "principal"
>;

/** Publishes as its context does, with defaults. Made by `emitter` of a context. */
export class Emitter<Topics extends TopicMap> extends Publisher<Topics> {
  readonly #defaults: EmitterDefaults;

  /** @throws EventplaneError `request_invalid` for defaults that no event may have */
  constructor(space: Space, defaults: EmitterDefaults) {
    super(space);
    checkedOptions(defaults, undefined);
    this.#defaults = { ...defaults };
  }

  override publish<Topic extends TopicOf<Topics>>(
    topic: Topic,
    payload: Topics[Topic],
    options: PublishOptions = {},
  ): string | Promise<string> {
    return super.publish(topic, payload, this.#with(options));
  }

  override publishAndSettle<Topic extends TopicOf<Topics>>(
    topic: Topic,
    payload: Topics[Topic],
    options: PublishOptions = {},
  ): Promise<SettledEvent> {
    return super.publishAndSettle(topic, payload, this.#with(options));
  }

  override publishBatch(items: readonly BatchItem<Topics>[]): Promise<readonly string[]> {
    return super.publishBatch(items.map((item) => this.#with(item)));
  }

  override emitLater<Topic extends TopicOf<Topics>>(
    topic: Topic,
    payload: Topics[Topic],
    options: DelayOptions,
  ): DelayedEvent {
    return super.emitLater(topic, payload, this.#with(options));
  }

  protected override correlationOf(options: PublishOptions): string | undefined {
    return super.correlationOf(this.#with(options));
  }

  #with<Options extends PublishOptions>(options: Options): Options {
    const { metadata } = this.#defaults;
    const merged = { ...this.#defaults, ...options };
    return metadata === undefined ? merged : { ...merged, metadata: { ...metadata, ...options.metadata } };
  }
}

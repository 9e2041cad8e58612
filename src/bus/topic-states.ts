/** The topics that are published in one context: what is known of each, who takes it, how many events it had. */
import type { EventOrigin } from "./accepted-event.js";
import { busLimits } from "./bus-limits.js";
import { type BusShared, type KnownTopic, unknownTopic } from "./bus-options.js";
import type { Consumer } from "./consumer.js";
import { DataShapes } from "./data-shapes.js";
import { GenerationsMap } from "./generations-map.js";
import type { Registry } from "./registry.js";

/** What a publication looks up once. */
export interface TopicState {
  readonly origin: EventOrigin;
  readonly known: KnownTopic | undefined;
  readonly shapes: DataShapes;
  readonly count: TopicCount;
  /** Who takes the topic, as of this change of the registry. */
  consumers: readonly Consumer[];
  change: number;
}

/** Events of one topic. */
export interface TopicCount {
  accepted: number;
  /** Deliveries that failed for good. */
  failed: number;
}

const otherTopics = "(other)";

/** Remembers a bounded number of topics; the others are looked up again. */
export class TopicStates {
  /** Events by topic, a bounded number of topics. */
  readonly counts: Map<string, TopicCount> = new Map();
  readonly #context: string;
  readonly #shared: BusShared;
  readonly #registry: Registry;
  /** Of all topics that are not declared, whose number has no bound. */
  readonly #otherShapes = new DataShapes();
  readonly #states = new GenerationsMap<string, TopicState>(busLimits.topicsCachedMax);

  constructor(context: string, shared: BusShared, registry: Registry) {
    this.#context = context;
    this.#shared = shared;
    this.#registry = registry;
  }

  /** @throws EventplaneError `request_invalid` when it is no topic; `unknown_type` for one that is not declared */
  stateOf(topic: string): TopicState {
    return this.#states.get(topic) ?? this.#newState(topic);
  }

  /** Who takes the topic now, in the order in which they are served. */
  consumersOf(state: TopicState): readonly Consumer[] {
    if (state.change !== this.#registry.change) {
      state.consumers = this.#registry.match(state.origin.topic);
      state.change = this.#registry.change;
    }
    return state.consumers;
  }

  /** The counts of a topic; those of too many topics are counted together. */
  countOf(topic: string): TopicCount {
    const name = this.counts.size < busLimits.topicsCountedMax ? topic : otherTopics;
    let count = this.counts.get(topic) ?? this.counts.get(name);
    if (count === undefined) this.counts.set(name, (count = { accepted: 0, failed: 0 }));
    return count;
  }

  #newState(topic: string): TopicState {
    const definition = this.#shared.topics.get(topic);
    // The registry checks what a topic looks like before the name is used in a message.
    this.#registry.match(topic);
    if (definition === undefined && !this.#shared.allowsUnknown) throw unknownTopic(topic);
    const { ids } = this.#shared;
    const origin = { topic, context: this.#context, schemaVersion: definition?.version ?? 1, ids };
    const shapes = definition?.shapes ?? this.#otherShapes;
    const state = { origin, known: definition, shapes, count: this.countOf(topic), consumers: [], change: -1 };
    this.#states.set(topic, state);
    return state;
  }
}

/** The event that handlers get. */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import type { EventIds } from "./event-ids.js";
import type { EventJson } from "./event-json.js";
import type { TopicMap, TopicsTaken } from "./pattern.js";
import type { Priority } from "./priority.js";

/** An event of the bus. Frozen, its payload and metadata with everything in them. */
export interface BusEvent<Topic extends string = string, Payload = unknown> {
  /** Unique, also among processes; or the one that the publisher gave. */
  readonly id: string;
  readonly topic: Topic;
  readonly payload: Payload;
  /** Version of the topic's schema that the payload has. */
  readonly schemaVersion: number;
  readonly priority: Priority;
  /** The isolated space in which it was published. */
  readonly context: string;
  /** When it was accepted, milliseconds since 1970; up to 10 ms old. */
  readonly atMs: number;
  /** What it belongs to, and the event that it followed from. */
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  /** The verified outside source; undefined for events of this process. */
  readonly source: string | undefined;
  readonly metadata: JsonObject;
  /** All of the above as plain data; absent parts are left out. */
  toJSON(): EventJson;
}

/** The events of a typed bus that patterns take: a union that `event.topic` tells apart. */
export type EventOf<Topics extends TopicMap, Patterns extends string> = {
  [Topic in TopicsTaken<Topics, Patterns>]: BusEvent<Topic, Topics[Topic]>;
}[TopicsTaken<Topics, Patterns>];

/** What a publisher may say of an event. */
export interface PublishOptions {
  /** Instead of a new id: 1 to 128 printable ASCII characters. */
  readonly id?: string;
  readonly priority?: Priority;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly metadata?: JsonObject;
  /** Version of the schema that the payload has; the topic's own by default. Older ones are lifted by the topic's upcasters. */
  readonly schemaVersion?: number;
  /** Who publishes, for `authorizePublish`. It is not part of the event. */
  readonly principal?: string;
}

/** The parts of an event that its publisher did not give. */
export interface EventOrigin {
  readonly topic: string;
  readonly context: string;
  readonly schemaVersion: number;
  /** Makes its id of its number. */
  readonly ids: EventIds;
}

/** What is kept of a publisher's options: checked and frozen. */
export interface EventOptions {
  readonly id?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly metadata?: JsonObject | undefined;
  readonly source?: string | undefined;
}

const noMetadata: JsonObject = Object.freeze({});

/**
 * An accepted event. Its fields are private and it is frozen, so it is as immutable as its payload; what is seldom read is made when it is
 * read.
 */
export class AcceptedEvent implements BusEvent {
  readonly #origin: EventOrigin;
  readonly #number: number;
  readonly #payload: unknown;
  readonly #atMs: number;
  readonly #options: EventOptions;

  /** `payload` and `options` are frozen by the caller. */
  constructor(
    origin: EventOrigin,
    parts: { readonly number: number; readonly payload: unknown; readonly atMs: number },
    options: EventOptions,
  ) {
    this.#origin = origin;
    this.#number = parts.number;
    this.#payload = parts.payload;
    this.#atMs = parts.atMs;
    this.#options = options;
    Object.freeze(this);
  }

  get id(): string {
    return this.#options.id ?? this.#origin.ids.of(this.#number);
  }

  get topic(): string {
    return this.#origin.topic;
  }

  get payload(): unknown {
    return this.#payload;
  }

  get schemaVersion(): number {
    return this.#origin.schemaVersion;
  }

  get priority(): Priority {
    return this.#options.priority ?? "normal";
  }

  get context(): string {
    return this.#origin.context;
  }

  get atMs(): number {
    return this.#atMs;
  }

  get correlationId(): string | undefined {
    return this.#options.correlationId;
  }

  get causationId(): string | undefined {
    return this.#options.causationId;
  }

  get source(): string | undefined {
    return this.#options.source;
  }

  get metadata(): JsonObject {
    return this.#options.metadata ?? noMetadata;
  }

  toJSON(): EventJson {
    const { id, topic, schemaVersion, priority, context, atMs, correlationId, causationId, source, metadata } = this;
    // Plain data: frozenCopy refused everything else. JSON has no undefined.
    const payload = (this.#payload ?? null) as JsonValue;
    return {
      id,
      topic,
      payload,
      schemaVersion,
      priority,
      context,
      atMs,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(causationId === undefined ? {} : { causationId }),
      ...(source === undefined ? {} : { source }),
      metadata,
    };
  }
}

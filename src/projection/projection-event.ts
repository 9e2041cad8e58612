/** The event as projections see it: decoded when it is looked at, once, and frozen. */
import {
  deepFreeze,
  type EventKind,
  type EventRow,
  type Lift,
  type ProjectionEvent,
  parseStored,
} from "../event/index.js";
import { formatUs, type JsonObject } from "../kernel/index.js";

/**
 * Wraps a row of the log.
 *
 * @throws EventplaneError `event_corrupt` when a payload that is looked at is not JSON; `upcast_failed` when it cannot be lifted
 */
export function projectionEvent(row: EventRow, lift: Lift): ProjectionEvent {
  return new LazyProjectionEvent(row, lift);
}

class LazyProjectionEvent implements ProjectionEvent {
  readonly #row: EventRow;
  readonly #lift: Lift;
  #spec: JsonObject | undefined;
  #status: JsonObject | undefined;

  constructor(row: EventRow, lift: Lift) {
    this.#row = row;
    this.#lift = lift;
    Object.freeze(this);
  }

  get id(): ProjectionEvent["id"] {
    return this.#row.id;
  }
  get kind(): EventKind {
    return this.#row.kind;
  }
  get aggregateType(): string {
    return this.#row.aggregateType;
  }
  get aggregateId(): string {
    return this.#row.aggregateId;
  }
  get version(): number {
    return this.#row.version;
  }
  get position(): number {
    return this.#row.position;
  }
  get type(): string {
    return this.#row.type;
  }
  get schemaVersion(): number {
    return this.#row.schemaVersion;
  }
  get source(): string | null {
    return this.#row.source;
  }
  get correlationId(): string {
    return this.#row.correlationId;
  }
  get causationId(): string | null {
    return this.#row.causationId;
  }
  get occurredAt(): string | null {
    return this.#row.occurredAt;
  }
  get recordedAt(): string {
    return formatUs(this.#row.recordedAtUs);
  }
  get spec(): JsonObject {
    return (this.#spec ??= this.#lift(this.#row, this.#parsed(this.#row.specText)));
  }
  get status(): JsonObject {
    return (this.#status ??= this.#parsed(this.#row.statusText));
  }

  #parsed(text: string): JsonObject {
    return deepFreeze(parseStored(text, this.#row) as JsonObject); // the store takes objects only
  }
}

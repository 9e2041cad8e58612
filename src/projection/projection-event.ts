/** The event as projections see it: decoded when it is looked at, once, and frozen. */
import { deepFreeze, type EventKind, type EventRow, type ProjectionEvent, parseStored } from "../event/index.js";
import { formatUs, type JsonObject } from "../kernel/index.js";

/** Wraps a row of the log. @throws EventplaneError `event_corrupt` when a payload that is looked at is not JSON */
export function projectionEvent(row: EventRow): ProjectionEvent {
  return new LazyProjectionEvent(row);
}

class LazyProjectionEvent implements ProjectionEvent {
  readonly #row: EventRow;
  #spec: JsonObject | undefined;
  #status: JsonObject | undefined;

  constructor(row: EventRow) {
    this.#row = row;
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
    return (this.#spec ??= this.#parsed(this.#row.specText));
  }
  get status(): JsonObject {
    return (this.#status ??= this.#parsed(this.#row.statusText));
  }

  #parsed(text: string): JsonObject {
    return deepFreeze(parseStored(text, this.#row) as JsonObject); // the store takes objects only
  }
}

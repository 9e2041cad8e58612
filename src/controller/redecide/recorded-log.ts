/** What deciding again reads: recorded events, and the folds before them, in bounded memory. */
import {
  type AggregateDefinition,
  emptyFold,
  type FoldableRow,
  foldEvent,
  isSpecBearing,
  type Resource,
  runtimeComponent,
} from "../../event/index.js";
import { LruMap } from "../../kernel/index.js";
import type { StreamName } from "../../store/index.js";

/** An event as anybody may read it; generation and lifecycle follow from the events before it. */
export type RecordedEvent = Omit<FoldableRow, "generation" | "lifecycle">;

/** Where to begin: after a position, or with what was recorded at or after a time (RFC 3339). */
export interface RecordedSince {
  readonly after?: number;
  readonly recordedFrom?: string;
}

/** The log of one tenant. */
export interface RecordedLog {
  /** All events since, in position order. */
  read(since: RecordedSince): AsyncIterable<RecordedEvent>;
  /** One stream's events in version order, from the first; nothing when it has none. */
  stream(name: StreamName): AsyncIterable<RecordedEvent>;
}

type Stream = Pick<RecordedEvent, "tenantId" | "aggregateType" | "aggregateId">;

/** Folds that are kept; others are made again from their streams. */
const foldsMax = 4_096;

/** The resources as they were at each recorded event. */
export class RecordedFolds {
  readonly #log: RecordedLog;
  readonly #aggregates: ReadonlyMap<string, AggregateDefinition>;
  readonly #latest = new LruMap<string, Resource>(foldsMax);

  constructor(log: RecordedLog, aggregates: ReadonlyMap<string, AggregateDefinition>) {
    this.#log = log;
    this.#aggregates = aggregates;
  }

  /**
   * The resource right before this event.
   *
   * @throws EventplaneError `event_corrupt` when the definitions cannot fold the stream; whatever a fold of theirs throws
   */
  async before(row: RecordedEvent): Promise<Resource> {
    return this.at(row, row.version - 1);
  }

  /** The resource at this version of its stream. @throws as {@link before} */
  async at(stream: Stream, version: number): Promise<Resource> {
    const kept = this.#latest.get(keyOf(stream));
    if (kept?.version === version) return kept;
    return version === 0 ? emptyFold(stream) : this.#foldWhile(stream, (row) => row.version <= version);
  }

  /** The resource as it was before this position of the log; version 0: there was none. @throws as {@link before} */
  until(stream: Stream, position: number): Promise<Resource> {
    return this.#foldWhile(stream, (row) => row.position < position);
  }

  async #foldWhile(stream: Stream, isOfIt: (row: RecordedEvent) => boolean): Promise<Resource> {
    let fold = emptyFold(stream);
    for await (const row of this.#log.stream(stream)) {
      if (!isOfIt(row)) break;
      fold = this.#next(fold, row);
    }
    return fold;
  }

  /** The resource with its next event, kept for the one after. @throws as {@link before} */
  advance(before: Resource, row: RecordedEvent): Resource {
    const fold = this.#next(before, row);
    this.#latest.set(keyOf(row), fold);
    return fold;
  }

  #next(before: Resource, row: RecordedEvent): Resource {
    const aggregate = this.#aggregates.get(row.aggregateType);
    const opens = isSpecBearing(row);
    const generation = before.generation + (opens ? 1 : 0);
    return foldEvent(
      before,
      { ...row, generation, lifecycle: opens ? opened(row, aggregate) : kept(before, row) },
      aggregate,
    );
  }
}

function opened({ type }: RecordedEvent, aggregate: AggregateDefinition | undefined): Resource["lifecycle"] {
  return aggregate?.intents.get(type)?.effect === "deletes" ? "deleting" : "live";
}

function kept(before: Resource, { type, aggregateType, decision }: RecordedEvent): Resource["lifecycle"] {
  const ends = decision?.component === runtimeComponent && type === `${aggregateType}.deleted`;
  return ends ? "deleted" : before.lifecycle;
}

function keyOf({ aggregateType, aggregateId }: StreamName): string {
  return `${aggregateType} ${aggregateId}`;
}

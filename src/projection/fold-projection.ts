/** One batch of a tenant's log folded into the tables of a projection. Pure, but for what it is given to look up with. */
import type { EventRow, Lift, ProjectionDefinition, ProjectionHandle } from "../event/index.js";
import { describeFailure } from "../work/index.js";
import { type Cursor, checkContinues, cursorAt } from "./cursor.js";
import { handlesOf, type WritesTo } from "./handles.js";
import { projectionEvent } from "./projection-event.js";
import { BatchWrites, invalid, type RowName, type StoredLookup, type TableWrites } from "./table-writes.js";

/** Why a fold ended before its last event: the event's position, and what is told of it. */
export interface FoldFailure {
  readonly position: number;
  /** An error code, or the name of what `apply` threw. */
  readonly code: string;
  readonly message: string;
}

/** What a batch came to: everything up to `to` is in `writes`. */
export interface FoldedRows {
  readonly to: Cursor | undefined;
  readonly writes: TableWrites;
  readonly failure: FoldFailure | undefined;
}

/** Rows that must be known before the batch can be folded, and how many of its events can be without them. */
export interface FoldNeeds {
  readonly missing: readonly RowName[];
  readonly foldable: number;
}

/** Folds batches of one projection. */
export class ProjectionFold {
  readonly #definition: ProjectionDefinition;
  readonly #lift: Lift;
  readonly #to: WritesTo = { writes: new BatchWrites(() => null) };
  readonly #handles: Readonly<Record<string, ProjectionHandle>>;

  constructor(definition: ProjectionDefinition, lift: Lift) {
    this.#definition = definition;
    this.#lift = lift;
    this.#handles = handlesOf(definition.tables, this.#to);
  }

  /**
   * Folds rows in position order until the last one, or the first that does not continue the log or cannot be applied.
   *
   * Where `apply` looks at rows that `stored` does not know, the batch is only walked through to learn which ones.
   */
  fold(rows: readonly EventRow[], from: Cursor | undefined, stored: StoredLookup): FoldedRows | FoldNeeds {
    const writes = new BatchWrites(stored);
    this.#to.writes = writes;
    let to = from;
    let foldable: number | undefined;
    for (const [index, row] of rows.entries()) {
      const failure = this.#apply(row, to);
      if (writes.missing.size > 0) foldable ??= index;
      else if (failure !== undefined) return { to, writes, failure };
      to = cursorAt(row);
    }
    if (foldable !== undefined) return { missing: [...writes.missing.values()], foldable };
    return { to, writes, failure: undefined };
  }

  /** What an event with nothing around it does; for checks of `apply`. */
  #apply(row: EventRow, after: Cursor | undefined): FoldFailure | undefined {
    const apply = this.#definition.apply.get(row.type);
    try {
      checkContinues(row, after);
      if (apply === undefined) return undefined;
      const { writes } = this.#to;
      writes.begin(row.position);
      const result: unknown = apply(projectionEvent(row, this.#lift), this.#handles);
      if (typeof (result as { readonly then?: unknown } | undefined)?.then === "function")
        throw invalid(`apply of ${row.type} is asynchronous`);
      writes.commit();
      return undefined;
    } catch (error) {
      return failureOf(row, error);
    }
  }
}

function failureOf(row: EventRow, error: unknown): FoldFailure {
  const { code, message } = describeFailure(error, `apply of ${row.type}`);
  return { position: row.position, code, message };
}

/** What a batch of events changes in the stored tables, event by event: an event counts whole or not at all. */
import { EventplaneError, limits } from "../kernel/index.js";
import type { StoredRow, StoredTotals } from "./layout.js";

/** Changes of the stored tables, by their names. `undefined` for a row: it is gone. */
export interface TableWrites {
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, StoredRow | undefined>>;
  /** What is added to the totals. */
  readonly totals: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;
}

/** The name of a row. */
export interface RowName {
  readonly table: string;
  readonly key: string;
}

/** The stored row as it was before the batch; null when there was none, undefined when that is not known yet. */
export type StoredLookup = (name: RowName) => StoredRow | null | undefined;

type Op =
  | { readonly table: string; readonly key: string; readonly row: StoredRow | undefined }
  | { readonly table: string; readonly key: string; readonly added: readonly number[] };

const forbiddenInKeys = /[\u0000\p{Surrogate}]/u;

/** Whether a text can be stored and read again: it holds no NUL and no half of a character. */
export const isStorable = (text: string): boolean => !forbiddenInKeys.test(text);

/** Collects the changes of a batch. */
export class BatchWrites implements TableWrites {
  readonly rows: Map<string, Map<string, StoredRow | undefined>> = new Map();
  readonly totals: Map<string, Map<string, number[]>> = new Map();
  /** Rows that were asked for and are not known: load them and fold again. */
  readonly missing: Map<string, RowName> = new Map();
  readonly #stored: StoredLookup;
  #ops: Op[] = [];
  #position = 0;

  constructor(stored: StoredLookup) {
    this.#stored = stored;
  }

  /** Begins an event; what an event before it left uncommitted is dropped. */
  begin(position: number): void {
    this.#position = position;
    if (this.#ops.length > 0) this.#ops = [];
  }

  /** The event counts. */
  commit(): void {
    for (const op of this.#ops) {
      if ("added" in op) this.#addTotals(op.table, op.key, op.added);
      else tableOf(this.rows, op.table).set(op.key, op.row);
    }
    this.#ops = [];
  }

  /** The row as the events before and this one have left it. */
  row(table: string, key: string): StoredRow | undefined {
    checkKey(table, key);
    for (let at = this.#ops.length - 1; at >= 0; at--) {
      const op = this.#ops[at];
      if (op !== undefined && "row" in op && op.table === table && op.key === key) return op.row;
    }
    const changed = this.rows.get(table);
    if (changed?.has(key) === true) return changed.get(key);
    const stored = this.#stored({ table, key });
    if (stored === undefined) this.missing.set(`${table} ${key}`, { table, key });
    return stored ?? undefined;
  }

  /** Writes a row; an undefined value removes it. */
  set(table: string, key: string, value: string | undefined): void {
    checkKey(table, key);
    this.#push({ table, key, row: value === undefined ? undefined : { key, position: this.#position, value } });
  }

  add(table: string, key: string, added: readonly number[]): void {
    checkKey(table, key);
    this.#push({ table, key, added });
  }

  #push(op: Op): void {
    if (this.#ops.length === limits.projectionWritesPerEventMax)
      throw invalid(`one event changes more than ${limits.projectionWritesPerEventMax} rows`);
    this.#ops.push(op);
  }

  #addTotals(table: string, key: string, added: readonly number[]): void {
    const totals = tableOf(this.totals, table);
    const sums = totals.get(key);
    if (sums === undefined) totals.set(key, [...added]);
    else for (const [index, by] of added.entries()) sums[index] = (sums[index] ?? 0) + by;
  }
}

function tableOf<Value>(tables: Map<string, Map<string, Value>>, name: string): Map<string, Value> {
  const table = tables.get(name) ?? new Map<string, Value>();
  tables.set(name, table);
  return table;
}

function checkKey(table: string, key: unknown): void {
  const { projectionKeyCharactersMax: charactersMax } = limits;
  if (typeof key === "string" && key !== "" && key.length <= charactersMax && isStorable(key)) return;
  throw invalid(`a key of ${table} is no text of 1 to ${charactersMax} characters`);
}

/** Adds to totals. @throws EventplaneError `projection_invalid` beyond the whole numbers that JSON can hold */
export function addedTotals({ key, values }: StoredTotals, added: readonly number[]): StoredTotals {
  const sums = values.map((value, index) => value + (added[index] ?? 0));
  if (!sums.every(Number.isSafeInteger)) throw invalid("a number leaves the range of safe integers");
  return { key, values: sums };
}

/** An apply that cannot be carried out; the message names no payload. */
export function invalid(why: string): EventplaneError {
  return new EventplaneError("projection_invalid", `The projection cannot go on: ${why}.`);
}

/** The tables that a projection can have: counters, the latest value of a key, JSON documents, groups. */
import {
  type CounterHandle,
  type DocumentsHandle,
  deepFreeze,
  type GroupsHandle,
  type LatestHandle,
  type ProjectionTable,
} from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";
import { type Infer, readSchema, type SchemaSource } from "../schema/index.js";

/** A declared table; `Handle` is what `apply` gets of it, `Row` what a query gives. */
export interface Table<Handle, Row, Where = never> {
  readonly table: ProjectionTable;
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly handle: Handle; readonly row: Row; readonly where: Where };
}

/** A row of a counter. */
export interface CounterRow {
  readonly key: string;
  readonly value: number;
}

/** A row of `latest` and of `documents`; `position` is that of the event that wrote it last. */
export interface ValueRow<Value> {
  readonly key: string;
  readonly value: Value;
  readonly position: number;
}

/** A group: how many members it has, and their sums. */
export interface GroupRow<By extends string, Sum extends string> {
  readonly group: Readonly<Record<By, string>>;
  readonly count: number;
  readonly sums: Readonly<Record<Sum, number>>;
}

const wordForm = /^[a-z][a-z0-9_]{0,39}$/;
const wordsMax = 8;
/** Parameters of a query, which no value of a group may be called. */
const queryWords: readonly string[] = ["table", "key", "after", "limit", "minposition", "count", "tenant_id"];

/** Whole numbers by key: `tables.signups.add("2026-01")`. Rows that come to 0 are not there. */
export function counter(options: { readonly acrossTenants?: boolean } = {}): Table<CounterHandle, CounterRow> {
  return Object.freeze({ table: Object.freeze({ kind: "counter", acrossTenants: options.acrossTenants === true }) });
}

/**
 * The last value of each key, written without looking: the cheapest table of values.
 *
 * @throws EventplaneError `config_invalid` for a schema that cannot be used
 */
export function latest<const Schema extends SchemaSource>(
  schema: Schema,
): Table<LatestHandle<Infer<Schema>>, ValueRow<Infer<Schema>>> {
  return Object.freeze({
    table: deepFreeze<ProjectionTable>({ kind: "latest", schema: readSchema(schema, "a table latest") }),
  });
}

/**
 * One JSON document of each key, which `apply` may read, replace and patch.
 *
 * @throws EventplaneError `config_invalid` for a schema that cannot be used
 */
export function documents<const Schema extends SchemaSource>(
  schema: Schema,
): Table<DocumentsHandle<Infer<Schema>>, ValueRow<Infer<Schema>>> {
  return Object.freeze({
    table: deepFreeze<ProjectionTable>({ kind: "documents", schema: readSchema(schema, "a table documents") }),
  });
}

/**
 * Members in groups, with the count of each group and sums: `tables.plans.put(id, { plan: "team" }, { seats: 5 })`.
 *
 * @throws EventplaneError `config_invalid` for names that SQL or a query could not use
 */
export function groupBy<const By extends string, const Sum extends string = never>(options: {
  /** Names of the values that make a group, 1 to 8. */
  readonly by: readonly By[];
  /** Names of numbers that are added up, at most 8. */
  readonly sums?: readonly Sum[];
  readonly acrossTenants?: boolean;
}): Table<GroupsHandle<By, Sum>, GroupRow<By, Sum>, Readonly<Partial<Record<By, string>>>> {
  const { by, sums = [], acrossTenants = false } = options;
  const names: readonly string[] = [...by, ...sums];
  const isUsable = (name: string): boolean => wordForm.test(name) && !queryWords.includes(name);
  if (by.length === 0 || by.length > wordsMax || sums.length > wordsMax)
    throw invalid(`a group has 1 to ${wordsMax} values and at most ${wordsMax} sums`);
  if (!names.every(isUsable) || new Set(names).size < names.length)
    throw invalid(
      `the values and sums of a group need different names of a-z, 0-9 and _, none of ${queryWords.join(", ")}`,
    );
  return Object.freeze({
    table: deepFreeze<ProjectionTable>({ kind: "groups", by: [...by], sums: [...sums], acrossTenants }),
  });
}

function invalid(why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The table cannot be used: ${why}.`);
}

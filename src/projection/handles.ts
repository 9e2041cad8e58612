/** What `apply` gets of each declared table. */
import {
  deepFreeze,
  isJsonObject,
  jsonProblem,
  mergeObject,
  type ProjectionHandle,
  type ProjectionTable,
} from "../event/index.js";
import { compileSchema, type JsonObject, type JsonValue, limits, type SchemaCheck } from "../kernel/index.js";
import { rowsOf, totalsOf } from "./layout.js";
import { type BatchWrites, invalid, isStorable } from "./table-writes.js";

/** The group of a member, as it is stored. */
export interface StoredMember {
  readonly group: readonly string[];
  readonly sums: readonly number[];
}

/** Where the handles write; the runner puts each batch in. */
export interface WritesTo {
  writes: BatchWrites;
}

/** Makes the handles of a projection once; they write into whatever batch `to` holds. */
export function handlesOf(
  tables: ReadonlyMap<string, ProjectionTable>,
  to: WritesTo,
): Readonly<Record<string, ProjectionHandle>> {
  const handles = [...tables].map(([name, table]) => [name, handleOf({ name, table, to })] as const);
  return Object.freeze(Object.fromEntries(handles));
}

interface Declared<Table extends ProjectionTable = ProjectionTable> {
  readonly name: string;
  readonly table: Table;
  readonly to: WritesTo;
}
type OfKind<Kind> = Declared<Extract<ProjectionTable, { readonly kind: Kind }>>;

function handleOf({ name, table, to }: Declared): ProjectionHandle {
  if (table.kind === "counter") return counterHandle({ name, table, to });
  if (table.kind === "groups") return groupsHandle({ name, table, to });
  return table.kind === "latest" ? latestHandle({ name, table, to }) : documentsHandle({ name, table, to });
}

function counterHandle({ name, to }: OfKind<"counter">): ProjectionHandle {
  const stored = totalsOf(name);
  return {
    add: (key: string, by = 1) => {
      if (!Number.isSafeInteger(by)) throw invalid(`${name}.add was given no whole number`);
      to.writes.add(stored, key, [by]);
    },
  };
}

function latestHandle({ name, table, to }: OfKind<"latest">): ProjectionHandle {
  const stored = rowsOf(name);
  const check = compileSchema(table.schema);
  return {
    set: (key: string, value: JsonValue) => to.writes.set(stored, key, valueText(value, { name, check })),
    delete: (key: string) => to.writes.set(stored, key, undefined),
  };
}

function documentsHandle({ name, table, to }: OfKind<"documents">): ProjectionHandle {
  const stored = rowsOf(name);
  const check = compileSchema(table.schema);
  const get = (key: string): JsonValue | undefined => {
    const row = to.writes.row(stored, key);
    return row === undefined ? undefined : deepFreeze(JSON.parse(row.value) as JsonValue); // written here
  };
  const set = (key: string, value: JsonValue): void => to.writes.set(stored, key, valueText(value, { name, check }));
  return {
    get,
    set,
    merge: (key: string, patch: JsonObject) => {
      if (!isJsonObject(patch)) throw invalid(`${name}.merge was given no object`);
      const before = get(key);
      // While the document is loading nothing is known of it, so nothing can be said of what the patch makes of it.
      if (!to.writes.missing.has(`${stored} ${key}`)) set(key, mergeObject(before, patch));
    },
    delete: (key: string) => to.writes.set(stored, key, undefined),
  };
}

function groupsHandle({ name, table, to }: OfKind<"groups">): ProjectionHandle {
  const { by, sums } = table;
  const leave = (member: string): void => {
    const row = to.writes.row(rowsOf(name), member);
    if (row === undefined) return;
    const { group, sums: numbers } = JSON.parse(row.value) as StoredMember; // written here
    const gone = [1, ...numbers].map((number) => -number);
    to.writes.add(totalsOf(name), JSON.stringify(group), gone);
  };
  return {
    put: (
      member: string,
      values: Readonly<Record<string, string>>,
      numbers: Readonly<Partial<Record<string, number>>> = {},
    ) => {
      const group = by.map((each) => groupValue(name, each, values[each]));
      const added = sums.map((each) => groupNumber(name, each, numbers[each] ?? 0));
      leave(member);
      to.writes.set(rowsOf(name), member, JSON.stringify({ group, sums: added } satisfies StoredMember));
      to.writes.add(totalsOf(name), JSON.stringify(group), [1, ...added]);
    },
    remove: (member: string) => {
      leave(member);
      to.writes.set(rowsOf(name), member, undefined);
    },
  };
}

function groupValue(table: string, name: string, value: unknown): string {
  // As JSON in the key of its group it would be stored, and could never be read by its value again.
  if (typeof value === "string" && isStorable(value)) return value;
  throw invalid(`${table}.put was given no text for ${name}, or one with NUL or half a character`);
}

function groupNumber(table: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number; // checked
  throw invalid(`${table}.put was given no whole number for ${name}`);
}

function valueText(value: JsonValue, { name, check }: { readonly name: string; readonly check: SchemaCheck }): string {
  const problem = value === undefined ? "it is undefined" : jsonProblem(value);
  if (problem !== undefined) throw invalid(`a value for ${name} is not JSON: ${problem}`);
  const text = JSON.stringify(value);
  const [misfit] = check(JSON.parse(text) as JsonValue);
  if (misfit !== undefined)
    throw invalid(`a value for ${name} does not fit its schema: ${misfit.pointer} ${misfit.message}`);
  if (Buffer.byteLength(text) > limits.projectionValueBytesMax)
    throw invalid(`a value for ${name} has more than ${limits.projectionValueBytesMax} bytes`);
  return text;
}

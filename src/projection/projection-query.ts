/** What may be asked of a projection, and what its rows look like. */
import type { ProjectionDefinition, ProjectionTable } from "../event/index.js";
import { EventplaneError, type JsonObject, limits, type TenantId } from "../kernel/index.js";
import type { StoredMember } from "./handles.js";
import { rowsOf, type StoredRow, type StoredSums, type StoredTotals, totalsOf } from "./layout.js";
import { isStorable } from "./table-writes.js";

/** A question to one table. All given parts must match. */
export interface ProjectionQuery {
  readonly table: string;
  /** Of counters, latest values and documents: this row. */
  readonly key?: string;
  /** Of groups: those with these values. */
  readonly where?: Readonly<Record<string, string | undefined>>;
  /** `next` of the page before. */
  readonly after?: string;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
}

/** A page in the order of keys, as bytes. */
export interface ProjectionPage<Row = JsonObject> {
  readonly rows: readonly Row[];
  /** Every event of the tenant up to this position is in the rows. 0 before the first. */
  readonly position: number;
  /** Goes into `after` of the next page; null at the end. */
  readonly next: string | null;
}

/** Groups or counters of all tenants added up: of each row, in how many tenants there is one. */
export interface AcrossTenantsPage<Row = JsonObject> {
  /** In the order of keys, as bytes. No tenant is named in them. */
  readonly rows: readonly (Row & { readonly tenants: number })[];
  /** Goes into `after` of the next page; null at the end. */
  readonly next: string | null;
}

/** A question to a stored table. */
export interface StoredQuery {
  readonly projection: string;
  /** The declared one. */
  readonly table: string;
  readonly stored: string;
  readonly kind: "rows" | "totals";
  readonly key: string | undefined;
  /** For each value of a group what it must be; null: anything. */
  readonly where: readonly (string | null)[] | undefined;
  readonly after: string;
  readonly limit: number;
}

/** Rows of live builds under the row security of their tenant. Every method throws `unavailable` (retryable) when the store is away. */
export interface ProjectionRows {
  /** Rows and position of one moment. */
  read(
    tenantId: TenantId,
    query: StoredQuery,
  ): Promise<{ readonly position: number; readonly rows: readonly (StoredRow | StoredTotals)[] }>;
  /** The totals of all tenants' live builds, added up by key. Only for tables that are declared so; a sum may be unsafe. */
  sums(query: StoredQuery): Promise<readonly StoredSums[]>;
  /** Position of the tenant's live build; 0 before the first event. */
  position(tenantId: TenantId, projection: string): Promise<number>;
}

const limitDefault = 100;

/**
 * Checks a question.
 *
 * @throws EventplaneError `request_invalid` naming the table or the parameter
 */
export function storedQueryOf(definition: ProjectionDefinition, query: ProjectionQuery): StoredQuery {
  const { table: name, key, where, after = "", limit = limitDefault } = query;
  const table = definition.tables.get(name);
  if (table === undefined) throw invalid("table", `must be one of ${[...definition.tables.keys()].join(", ")}`);
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.readPageMax)
    throw invalid("limit", `must be a whole number from 1 to ${limits.readPageMax}`);
  for (const [parameter, value] of Object.entries({ ...where, key, after })) checkText(parameter, value);
  const isTotals = table.kind === "counter" || table.kind === "groups";
  return {
    projection: definition.name,
    table: name,
    stored: isTotals ? totalsOf(name) : rowsOf(name),
    kind: isTotals ? "totals" : "rows",
    key: keyOf(name, table, key),
    where: whereOf(name, table, where),
    after,
    limit,
  };
}

function checkText(parameter: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && isStorable(value))) return;
  throw invalid(parameter, "must be a text without NUL");
}

/**
 * Checks a question to all tenants together.
 *
 * @throws EventplaneError `request_invalid` naming the table or the parameter
 */
export function acrossQueryOf(definition: ProjectionDefinition, query: ProjectionQuery): StoredQuery {
  const stored = storedQueryOf(definition, query);
  const summed = [...definition.tables].flatMap(([name, table]) =>
    "acrossTenants" in table && table.acrossTenants ? [name] : [],
  );
  if (summed.includes(query.table)) return stored;
  const those = "added up over tenants are those that are declared with acrossTenants";
  throw invalid("table", `cannot be ${query.table}: ${those}, here ${summed.join(", ") || "none"}`);
}

function keyOf(name: string, table: ProjectionTable, key: string | undefined): string | undefined {
  if (key !== undefined && table.kind === "groups")
    throw invalid("key", `does not go with ${name}, whose rows are named by ${table.by.join(", ")}`);
  return key;
}

function whereOf(
  name: string,
  table: ProjectionTable,
  where: ProjectionQuery["where"],
): readonly (string | null)[] | undefined {
  const given = Object.entries(where ?? {}).filter(([, value]) => value !== undefined);
  if (given.length === 0) return undefined;
  const by = table.kind === "groups" ? table.by : [];
  const unknown = given.find(([each]) => !by.includes(each));
  if (unknown !== undefined) throw invalid(unknown[0], `is no value of a group of ${name}`);
  return by.map((each) => where?.[each] ?? null);
}

/** A stored row as it is given to whoever asked. */
export function rowOf(table: ProjectionTable, row: StoredRow | StoredTotals): JsonObject {
  const { key } = row;
  if ("value" in row) return { key, value: JSON.parse(row.value) as JsonObject, position: row.position }; // written by the fold
  const [first = 0, ...rest] = row.values;
  if (table.kind !== "groups") return { key, value: first };
  const values = JSON.parse(key) as StoredMember["group"]; // written by the fold
  return {
    group: Object.fromEntries(table.by.map((name, index) => [name, values[index] ?? ""])),
    count: first,
    sums: Object.fromEntries(table.sums.map((name, index) => [name, rest[index] ?? 0])),
  };
}

/**
 * Sums over tenants as they are given to whoever asked.
 *
 * @throws EventplaneError `projection_invalid` for a sum that a JSON number cannot hold
 */
export function sumsOf(table: ProjectionTable, row: StoredSums): JsonObject & { readonly tenants: number } {
  if (row.values.every(Number.isSafeInteger)) return { ...rowOf(table, row), tenants: row.tenants };
  throw new EventplaneError(
    "projection_invalid",
    "A sum over all tenants is beyond 2^53 - 1, which JSON numbers cannot hold: read it from the view in SQL.",
  );
}

function invalid(name: string, why: string): EventplaneError {
  const shown = name.replaceAll(/[^A-Za-z0-9._-]/g, "?").slice(0, 64);
  return new EventplaneError("request_invalid", `The parameter ${shown} ${why}.`, { details: { parameter: shown } });
}

/** The tables in the store that declared tables are kept in. */
import type { ProjectionDefinition } from "../event/index.js";
import { sha256 } from "../kernel/index.js";

/** `rows`: a JSON text of each key. `totals`: `width` whole numbers of each key, which are added to. */
export type StoredTable =
  | { readonly name: string; readonly kind: "rows" }
  | { readonly name: string; readonly kind: "totals"; readonly width: number };

/** A row of a stored table `rows`. */
export interface StoredRow {
  readonly key: string;
  /** Of the event that wrote it last. */
  readonly position: number;
  /** JSON. */
  readonly value: string;
}

/** A row of a stored table `totals`; never all 0. */
export interface StoredTotals {
  readonly key: string;
  readonly values: readonly number[];
}

/** Totals of one key, added up over all tenants that have it. */
export interface StoredSums extends StoredTotals {
  readonly tenants: number;
}

/** Name of the stored rows of a declared table. */
export const rowsOf = (table: string): string => `${table}_rows`;
/** Name of the stored totals of a declared table. */
export const totalsOf = (table: string): string => `${table}_totals`;

/** Name of the view that adds the totals of a declared table up over all tenants. */
export const acrossOf = (table: string): string => `${table}_across_tenants`;

/** The stored tables of a projection, in the order of their names. */
export function layoutOf({ tables }: Pick<ProjectionDefinition, "tables">): readonly StoredTable[] {
  const stored = [...tables].flatMap(([name, table]): StoredTable[] => {
    const rows: StoredTable = { name: rowsOf(name), kind: "rows" };
    if (table.kind === "counter") return [{ name: totalsOf(name), kind: "totals", width: 1 }];
    if (table.kind !== "groups") return [rows];
    return [rows, { name: totalsOf(name), kind: "totals", width: 1 + table.sums.length }];
  });
  return stored.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Changes when a projection has to be folded anew: another version, or other tables. 64 characters. */
export function fingerprintOf({ version, tables }: Pick<ProjectionDefinition, "version" | "tables">): string {
  const declared = [...tables].sort(([one], [other]) => (one < other ? -1 : 1));
  return sha256("eventplane.projection-definition.v1\n", JSON.stringify([version, declared])).toString("hex");
}

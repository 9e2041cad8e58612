/** Reads of projections in memory. */
import type { TenantId } from "../../kernel/index.js";
import type { StoredRow, StoredSums, StoredTotals } from "../layout.js";
import type { ProjectionRows, StoredQuery } from "../projection-query.js";
import type { MemoryProjectionStore } from "./memory-projection-store.js";

/** Over the stores of one process, by name of the projection. */
export class MemoryProjectionRows implements ProjectionRows {
  readonly #stores: ReadonlyMap<string, MemoryProjectionStore>;

  constructor(stores: ReadonlyMap<string, MemoryProjectionStore>) {
    this.#stores = stores;
  }

  async read(
    tenantId: TenantId,
    query: StoredQuery,
  ): Promise<{ readonly position: number; readonly rows: readonly (StoredRow | StoredTotals)[] }> {
    const store = this.#stores.get(query.projection);
    const live = (await store?.tenant(tenantId))?.builds.find(({ role }) => role === "live");
    if (store === undefined || live === undefined) return { position: 0, rows: [] };
    const tables = store.tables(tenantId, live.build)[query.kind];
    const rows = [...(tables.get(query.stored)?.values() ?? [])]
      .filter((row) => fits(row.key, query))
      .sort((one, other) => compareBytes(one.key, other.key))
      .slice(0, query.limit);
    return { position: live.cursor?.position ?? 0, rows };
  }

  async sums(query: StoredQuery): Promise<readonly StoredSums[]> {
    const sums = new Map<string, StoredSums>();
    for (const { key, values } of this.#stores.get(query.projection)?.liveTotals(query.stored) ?? []) {
      if (!fits(key, query)) continue;
      const before = sums.get(key);
      const added = values.map((value, index) => value + (before?.values[index] ?? 0));
      sums.set(key, { key, values: added, tenants: 1 + (before?.tenants ?? 0) });
    }
    return [...sums.values()].sort((one, other) => compareBytes(one.key, other.key)).slice(0, query.limit);
  }

  async position(tenantId: TenantId, projection: string): Promise<number> {
    const tenant = await this.#stores.get(projection)?.tenant(tenantId);
    return tenant?.builds.find(({ role }) => role === "live")?.cursor?.position ?? 0;
  }
}

function fits(key: string, { key: wanted, where, after }: StoredQuery): boolean {
  if (wanted !== undefined && key !== wanted) return false;
  if (compareBytes(key, after) <= 0) return false;
  if (where === undefined) return true;
  const group = JSON.parse(key) as readonly string[]; // keys of groups are lists of texts
  return where.every((value, index) => value === null || group[index] === value);
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** Reads of projections under the row security of their tenant, for the roles `_edge`, `_reader` and `_auditor`. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { ask, askInTenant } from "../../store/postgres/index.js";
import type { StoredRow, StoredSums, StoredTotals } from "../layout.js";
import type { ProjectionRows, StoredQuery } from "../projection-query.js";
import * as sql from "./projection-sql.js";

interface Row {
  readonly at: string;
  /** null: the live build has no such row. */
  readonly key: string | null;
  readonly position: string;
  readonly value: string;
}

/** Rows and position come by one statement, so they are of one moment. The pool belongs to the caller. */
export class PostgresProjectionRows implements ProjectionRows {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async read(
    tenantId: TenantId,
    query: StoredQuery,
  ): Promise<{ readonly position: number; readonly rows: readonly (StoredRow | StoredTotals)[] }> {
    const { projection, after, limit, key = null, where = null } = query;
    const values = [tenantId, projection, after, limit, key, where];
    const found = await askInTenant<Row>(this.#pool, tenantId, { ...sql.livePage(query), values });
    return {
      position: Number(found[0]?.at ?? 0),
      rows: found.flatMap((row) => (row.key === null ? [] : [decode(query.kind, { ...row, key: row.key })])),
    };
  }

  /** Only for the role `_edge`, which may read the views. */
  async sums(query: StoredQuery): Promise<readonly StoredSums[]> {
    const { after, limit, key = null, where = null } = query;
    const values = [after, limit, key, where];
    const found = await ask<{ key: string; value: string; tenants: string }>(this.#pool, sql.acrossPage(query), values);
    return found.map((row) => ({
      key: row.key,
      values: row.value.split(",").map(Number),
      tenants: Number(row.tenants),
    }));
  }

  async position(tenantId: TenantId, projection: string): Promise<number> {
    const values = [tenantId, projection];
    const [row] = await askInTenant<{ position: string }>(this.#pool, tenantId, { ...sql.livePosition, values });
    return Number(row?.position ?? 0);
  }
}

function decode(kind: StoredQuery["kind"], row: Row & { readonly key: string }): StoredRow | StoredTotals {
  const { key, value } = row;
  if (kind === "totals") return { key, values: value.split(",").map(Number) };
  return { key, position: Number(row.position), value };
}

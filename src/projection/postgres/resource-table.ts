/** Materialized resources in PostgreSQL, as the role `_projector` writes them. */
import type pg from "pg";
import type { Resource } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import { ask, askInTenant } from "../../store/postgres/index.js";
import type { Cursor } from "../cursor.js";
import type { ResourceTable, StreamName } from "../port.js";
import * as sql from "./statements.js";

/** The table of one database. The pool belongs to the caller. */
export class PostgresResourceTable implements ResourceTable {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async tenantsWithNews(after: string, limit: number): Promise<readonly TenantId[]> {
    const rows = await ask<{ tenant_id: TenantId }>(this.#pool, sql.tenantsWithNews, [after, limit]);
    return rows.map((row) => row.tenant_id);
  }

  async cursor(tenantId: TenantId): Promise<Cursor | undefined> {
    const [row] = await ask<{ log_epoch: number; position: string; hash: Buffer }>(this.#pool, sql.cursor, [tenantId]);
    return row === undefined ? undefined : { logEpoch: row.log_epoch, position: Number(row.position), hash: row.hash };
  }

  async folds(tenantId: TenantId, streams: readonly StreamName[]): Promise<readonly Resource[]> {
    const types = streams.map(({ aggregateType }) => aggregateType);
    const ids = streams.map(({ aggregateId }) => aggregateId);
    const rows = await askInTenant<{ resource: string }>(this.#pool, tenantId, {
      ...sql.folds,
      values: [tenantId, types, ids],
    });
    return rows.map(({ resource }) => JSON.parse(resource) as Resource); // this class wrote it
  }

  async apply(
    tenantId: TenantId,
    change: { readonly from: Cursor | undefined; readonly to: Cursor; readonly folds: readonly Resource[] },
  ): Promise<boolean> {
    const { from, to, folds } = change;
    const [row] = await ask<{ applied: boolean }>(this.#pool, sql.apply, [
      tenantId,
      to.logEpoch,
      from?.position ?? 0,
      to.position,
      to.hash,
      folds.map((fold) => fold.aggregateType),
      folds.map((fold) => fold.aggregateId),
      folds.map((fold) => fold.version),
      folds.map((fold) => fold.position),
      folds.map((fold) => fold.generation),
      folds.map((fold) => fold.lifecycle),
      folds.map((fold) => fold.phase),
      folds.map((fold) => JSON.stringify(fold)),
    ]);
    return row?.applied === true;
  }
}

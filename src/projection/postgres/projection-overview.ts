/** How projections stand: one tenant under its row security, all together by functions that count for the edge. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { ask } from "../../store/postgres/index.js";
import type { ProjectionOverview, ProjectionSummary, StoppedTenant, TenantProjection } from "../projection-port.js";
import { runTogether } from "./pipeline.js";
import * as sql from "./projection-sql.js";
import { type BuildRow, decodeTenant, type NotesRow } from "./tenant-rows.js";

/** The pool belongs to the caller. */
export class PostgresProjectionOverview implements ProjectionOverview {
  readonly #pool: pg.Pool;

  /** @param pool of `_edge` */
  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  tenant(tenantId: TenantId, projection: string): Promise<TenantProjection> {
    return readTenant(this.#pool, tenantId, projection);
  }

  summary(projection: string, platformVersion: number): Promise<ProjectionSummary> {
    return readSummary(this.#pool, projection, platformVersion);
  }

  async stopped(projection: string, limit: number): Promise<readonly StoppedTenant[]> {
    const rows = await ask<{ tenant_id: TenantId; code: string; message: string; position: string }>(
      this.#pool,
      sql.stoppedTenants,
      [projection, limit],
    );
    return rows.map(({ tenant_id: tenantId, code, message, position }) => ({
      tenantId,
      code,
      message,
      position: Number(position),
    }));
  }
}

/** Builds and notes of a tenant, of one moment. */
export async function readTenant(pool: pg.Pool, tenantId: TenantId, projection: string): Promise<TenantProjection> {
  const values = [projection, tenantId];
  const results = await runTogether(pool, tenantId, {
    begin: "begin isolation level repeatable read read only",
    bound: [
      { statement: sql.builds, values },
      { statement: sql.notes, values },
    ],
  });
  // The rows are those that the statements select.
  const [builds = [], notes = []] = (results ?? []) as [BuildRow[]?, NotesRow[]?];
  return decodeTenant(builds, notes[0]);
}

interface SummaryRow {
  readonly tenants: string;
  readonly lag_events: string;
  readonly differing: string;
  readonly waiting: string;
  readonly fresh_tenants: string;
  readonly fresh_position: string;
  readonly fresh_head: string;
}

/** All tenants together. */
export async function readSummary(pool: pg.Pool, projection: string, version: number): Promise<ProjectionSummary> {
  const [[row], stopped] = await Promise.all([
    ask<SummaryRow>(pool, sql.summary, [projection, version]),
    ask<{ code: string; tenants: string }>(pool, sql.stopped, [projection]),
  ]);
  return {
    tenants: Number(row?.tenants ?? 0),
    lagEvents: Number(row?.lag_events ?? 0),
    stopped: stopped.map(({ code, tenants }) => ({ code, tenants: Number(tenants) })),
    differing: Number(row?.differing ?? 0),
    fresh: {
      tenants: Number(row?.fresh_tenants ?? 0),
      position: Number(row?.fresh_position ?? 0),
      head: Number(row?.fresh_head ?? 0),
    },
    waiting: Number(row?.waiting ?? 0),
  };
}

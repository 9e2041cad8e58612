/** A projection's tables in PostgreSQL: bookkeeping as `_projector`, rows as the role of the projection, in one commit. */
import type pg from "pg";
import type { ProjectionDefinition } from "../../event/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { ask, projectionRole, translatePgError } from "../../store/postgres/index.js";
import { layoutOf, type StoredRow } from "../layout.js";
import type {
  ProjectionStep,
  ProjectionStore,
  ProjectionSummary,
  TenantNews,
  TenantProjection,
} from "../projection-port.js";
import { StateDigest } from "../state-digest.js";
import { invalid, type RowName, type TableWrites } from "../table-writes.js";
import { type Bound, runTogether, sqlstateOf } from "./pipeline.js";
import { readSummary, readTenant } from "./projection-overview.js";
import * as sql from "./projection-sql.js";
import type { BuildRow } from "./tenant-rows.js";

const digestPageRows = 5_000;
const checkViolation = "23514";

/** The tables of one projection in one database. The pool logs in as `_projector` and belongs to the caller. */
export class PostgresProjectionStore implements ProjectionStore {
  readonly #pool: pg.Pool;
  readonly #definition: ProjectionDefinition;
  /** What the transaction becomes for rows. */
  readonly #setRole: string;

  /** @throws EventplaneError `config_invalid` when prefix and name together are too long for a role */
  constructor(pool: pg.Pool, options: { readonly rolePrefix: string; readonly definition: ProjectionDefinition }) {
    this.#pool = pool;
    this.#definition = options.definition;
    this.#setRole = `set local role "${projectionRole(options.rolePrefix, options.definition.name)}"`;
  }

  async lead(holder: string, leaseMs: number): Promise<number | undefined> {
    const [row] = await ask<{ epoch: string | null }>(this.#pool, sql.lead, [this.#name, holder, leaseMs]);
    return row === undefined || row.epoch === null ? undefined : Number(row.epoch);
  }

  async resign(holder: string): Promise<void> {
    await ask(this.#pool, sql.resign, [this.#name, holder]);
  }

  async tenantsWithNews(query: {
    readonly after: string;
    readonly limit: number;
    readonly fingerprint: string;
    readonly platformVersion: number;
  }): Promise<readonly TenantNews[]> {
    const { after, limit, fingerprint, platformVersion } = query;
    const values = [this.#name, after, limit, fingerprint, platformVersion, PLATFORM_TENANT_ID];
    const rows = await ask<{ tenant_id: TenantId; head: string }>(this.#pool, sql.tenantsWithNews, values);
    return rows.map((row) => ({ tenantId: row.tenant_id, head: Number(row.head) }));
  }

  async tenant(tenantId: TenantId): Promise<TenantProjection> {
    return readTenant(this.#pool, tenantId, this.#name);
  }

  async load(tenantId: TenantId, build: number, names: readonly RowName[]): Promise<readonly (RowName & StoredRow)[]> {
    const tables = [...new Set(names.map(({ table }) => table))];
    const results = await runTogether(this.#pool, tenantId, {
      begin: "begin read only",
      bound: [
        { statement: this.#setRole },
        ...tables.map((table) => ({
          statement: sql.load(this.#name, table),
          values: [tenantId, build, names.filter((name) => name.table === table).map(({ key }) => key)],
        })),
      ],
    });
    return tables.flatMap((table, index) =>
      (results?.[index + 1] ?? []).map((row) => ({
        table,
        key: String(row.key),
        position: Number(row.position),
        value: String(row.value),
      })),
    );
  }

  async change(epoch: number, tenantId: TenantId, steps: readonly ProjectionStep[]): Promise<boolean> {
    const written = steps.flatMap((step) => (step.step === "advance" ? this.#writes(tenantId, step) : []));
    const bound = [
      { statement: sql.fence, values: [this.#name, epoch] },
      ...steps.map((step) => this.#bookkeeping(tenantId, step)),
      ...(written.length === 0 ? [] : [{ statement: this.#setRole }, ...written]),
    ];
    try {
      return (await runTogether(this.#pool, tenantId, { begin: "begin", bound })) !== undefined;
    } catch (error) {
      if (isEventplaneError(error) && sqlstateOf(error.cause) === checkViolation)
        throw invalid("a number leaves the range of safe integers");
      throw error;
    }
  }

  async sweep(epoch: number, tenantId: TenantId, build: number, limit: number): Promise<number | undefined> {
    const tables = await ask<{ name: string }>(this.#pool, sql.storedTables, [sql.schemaOf(this.#name)]);
    const results = await runTogether(this.#pool, tenantId, {
      begin: "begin",
      bound: [
        { statement: sql.fence, values: [this.#name, epoch] },
        { statement: this.#setRole },
        ...tables.map(({ name }) => ({ statement: sql.sweep(this.#name, name), values: [tenantId, build, limit] })),
      ],
    });
    return results?.slice(2).reduce((sum, [row]) => sum + Number(row?.removed ?? 0), 0);
  }

  async digests(
    tenantId: TenantId,
    builds: readonly number[],
  ): Promise<readonly { readonly build: number; readonly position: number; readonly digest: string }[]> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw translatePgError(error);
    });
    try {
      await client.query("begin isolation level repeatable read read only");
      await client.query("select set_config('eventplane.tenant_id', $1, true)", [tenantId]);
      const rows = await client.query<BuildRow>({ ...sql.builds, values: [this.#name, tenantId] });
      await client.query(this.#setRole);
      const found: { build: number; position: number; digest: string }[] = [];
      for (const build of builds) {
        const position = Number(rows.rows.find((row) => Number(row.build) === build)?.position ?? 0);
        found.push({ build, position, digest: await this.#digest(client, tenantId, build) });
      }
      await client.query("commit");
      client.release();
      return found;
    } catch (error) {
      client.release(true);
      throw translatePgError(error);
    }
  }

  summary(platformVersion: number): Promise<ProjectionSummary> {
    return readSummary(this.#pool, this.#name, platformVersion);
  }

  get #name(): string {
    return this.#definition.name;
  }

  #bookkeeping(tenantId: TenantId, step: ProjectionStep): Bound {
    const of = [this.#name, tenantId];
    switch (step.step) {
      case "open":
        return { statement: sql.open, values: [...of, step.build, step.role, step.version, step.fingerprint] };
      case "advance": {
        const { build, from, to } = step;
        const values = [...of, build, from?.position ?? 0, to.logEpoch, to.position, to.hash];
        return { statement: sql.advance, values };
      }
      case "appoint":
        return { statement: sql.appoint, values: [...of, step.build, step.role] };
      case "close":
        return { statement: sql.close, values: [...of, step.build] };
      case "note": {
        const { ownVersion, platformVersion, isPaused, failure, check } = step;
        const stopped = [failure?.code ?? null, failure?.message ?? null, failure?.position ?? null];
        const checked = [check?.position ?? null, check?.live ?? null, check?.fresh ?? null];
        return { statement: sql.note, values: [...of, ownVersion, platformVersion, isPaused, ...stopped, ...checked] };
      }
    }
  }

  #writes(
    tenantId: TenantId,
    { build, writes }: { readonly build: number; readonly writes: TableWrites },
  ): readonly Bound[] {
    const bound: Bound[] = [];
    const add = (statement: sql.Statement, ...values: readonly unknown[]): void =>
      void bound.push({ statement, values: [tenantId, build, ...values] });
    for (const [table, changed] of writes.rows) {
      const set = [...changed.values()].filter((row) => row !== undefined);
      const gone = [...changed].flatMap(([key, row]) => (row === undefined ? [key] : []));
      const [keys, positions] = [set.map(({ key }) => key), set.map(({ position }) => position)];
      if (set.length > 0)
        add(
          sql.putRows(this.#name, table),
          keys,
          positions,
          set.map(({ value }) => value),
        );
      if (gone.length > 0) add(sql.removeRows(this.#name, table), gone);
    }
    for (const [table, changed] of writes.totals) {
      const added = [...changed].filter(([, by]) => by.some((number) => number !== 0));
      if (added.length === 0) continue;
      const keys = added.map(([key]) => key);
      add(
        sql.addTotals(this.#name, table),
        keys,
        added.map(([, by]) => `{${by.join(",")}}`),
      );
      add(sql.removeZeros(this.#name, table), keys);
    }
    return bound;
  }

  async #digest(client: pg.PoolClient, tenantId: TenantId, build: number): Promise<string> {
    const digest = new StateDigest();
    for (const table of layoutOf(this.#definition)) {
      digest.table(table.name);
      for (let after = ""; ; ) {
        const values = [tenantId, build, after, digestPageRows];
        const { rows } = await client.query<{ key: string; position: string; value: string }>({
          ...sql.page(this.#name, table),
          values,
        });
        for (const row of rows) digest.row({ key: row.key, position: Number(row.position), value: row.value });
        const last = rows.at(-1);
        if (last === undefined || rows.length < digestPageRows) break;
        after = last.key;
      }
    }
    return digest.hex();
  }
}

/**
 * Ends the leases of all projections, where no other process works on this database: what led before was killed.
 *
 * @throws EventplaneError as translatePgError
 */
export async function endProjectionLeases(pool: pg.Pool): Promise<void> {
  try {
    await pool.query({ ...sql.endLeases });
  } catch (error) {
    throw translatePgError(error);
  }
}

/** Statements of one transaction under the row security of one tenant, sent at once where the pool pipelines. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { translatePgError } from "../../store/postgres/index.js";
import type { Statement } from "./projection-sql.js";

/** A statement with its values; `role` is what the transaction becomes before it. */
export interface Bound {
  readonly statement: Statement | string;
  readonly values?: readonly unknown[];
}

/** Each new leader and each cursor that has moved fails so: see projection_fence in 0006. */
const overtaken = "EV001";

/**
 * Runs the statements in order; the first that fails ends them all.
 *
 * @returns the rows of each; undefined, and nothing is done, when another leads or has moved the cursor
 * @throws EventplaneError as translatePgError
 */
export async function runTogether(
  pool: pg.Pool,
  tenantId: TenantId,
  {
    begin,
    bound,
  }: {
    readonly begin: "begin" | "begin read only" | "begin isolation level repeatable read read only";
    readonly bound: readonly Bound[];
  },
): Promise<readonly (readonly pg.QueryResultRow[])[] | undefined> {
  try {
    const client = await pool.connect();
    const sent = [
      client.query(begin),
      client.query({
        name: "set_tenant",
        text: "select set_config('eventplane.tenant_id', $1, true)",
        values: [tenantId],
      }),
      ...bound.map(({ statement, values = [] }) =>
        typeof statement === "string" ? client.query(statement) : client.query({ ...statement, values: [...values] }),
      ),
      client.query("commit"),
    ];
    const done = await Promise.allSettled(sent);
    const failed = done.find((each) => each.status === "rejected");
    if (failed !== undefined) await client.query("rollback").catch(() => undefined);
    client.release(done.at(-1)?.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return done.slice(2, -1).map((each) => (each.status === "fulfilled" ? each.value.rows : []));
  } catch (error) {
    if (sqlstateOf(error) === overtaken) return undefined;
    throw translatePgError(error);
  }
}

/** The SQLSTATE of a failure of PostgreSQL. */
export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

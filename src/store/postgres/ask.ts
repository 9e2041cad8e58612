/** One statement, as the pool's role or under the row security of one tenant; failures in the project's own words. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { translatePgError } from "./pg-error.js";

/** A named statement without its values. */
export interface NamedStatement {
  readonly name: string;
  readonly text: string;
}

/** The rows of a statement. @throws EventplaneError as translatePgError */
export async function ask<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  statement: NamedStatement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  try {
    return (await pool.query<Row>({ ...statement, values: [...values] })).rows;
  } catch (error) {
    throw translatePgError(error);
  }
}

const setTenant = "select set_config('eventplane.tenant_id', $1, true)";

/** The rows of a statement in a transaction of {@link inTenant}. @throws EventplaneError as translatePgError */
export function askInTenant<Row>(
  pool: pg.Pool,
  tenantId: TenantId,
  statement: pg.QueryConfig,
): Promise<readonly Row[]> {
  // The rows are what the caller's statement gives.
  return inTenant(pool, tenantId, async (client) => (await client.query(statement)).rows as readonly Row[]);
}

/**
 * What `send` gets from the statement that it sends, in a read-only transaction that the tenant setting ends with. All of it is
 * sent at once where the pool pipelines.
 *
 * @throws EventplaneError as translatePgError
 */
export async function inTenant<Answer>(
  pool: pg.Pool,
  tenantId: TenantId,
  send: (client: pg.PoolClient) => Promise<Answer>,
): Promise<Answer> {
  try {
    const client = await pool.connect();
    // All four are on their way before the first answers; each must be waited for, whichever of them fails.
    const [begun, set, read, ended] = await Promise.allSettled([
      client.query("begin read only"),
      client.query({ name: "set_tenant", text: setTenant, values: [tenantId] }),
      send(client),
      client.query("commit"),
    ]);
    // A connection that failed to end its transaction is not used again.
    client.release(ended.status === "rejected");
    for (const step of [begun, set, ended]) if (step.status === "rejected") throw step.reason;
    if (read.status === "rejected") throw read.reason;
    return read.value;
  } catch (error) {
    throw translatePgError(error);
  }
}

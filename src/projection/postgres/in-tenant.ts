/** One statement under the row security of one tenant. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { translatePgError } from "../../store/postgres/index.js";

const setTenant = "select set_config('eventplane.tenant_id', $1, true)";

/**
 * Runs the statement in a transaction that the tenant setting ends with. All of it is sent at once where the pool
 * pipelines.
 *
 * @throws EventplaneError as translatePgError
 */
export async function inTenant<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  tenantId: TenantId,
  statement: { readonly name: string; readonly text: string; readonly values: readonly unknown[] },
): Promise<readonly Row[]> {
  try {
    const client = await pool.connect();
    const { name, text, values } = statement;
    const [begun, set, read, ended] = await Promise.allSettled([
      client.query("begin read only"),
      client.query({ name: "set_tenant", text: setTenant, values: [tenantId] }),
      client.query<Row>({ name, text, values: [...values] }),
      client.query("commit"),
    ]);
    client.release(ended.status === "rejected");
    for (const step of [begun, set, ended]) if (step.status === "rejected") throw step.reason;
    if (read.status === "rejected") throw read.reason;
    return read.value.rows;
  } catch (error) {
    throw translatePgError(error);
  }
}

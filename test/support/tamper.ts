/** The embedded PostgreSQL's superuser changes history behind the plane's back. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";

/** What an event held. */
export interface StoredTexts {
  readonly spec: string;
  readonly caused_by: string;
}

/** Changes one event with the triggers off. `change` is the list of a SQL update, `place` its condition. */
export async function tamper(
  dataDir: string,
  change: string,
  place: string,
): Promise<{ readonly before: StoredTexts; readonly position: string; readonly tenantId: string }> {
  return asSuperuser(dataDir, async (client) => {
    const { rows } = await client.query<StoredTexts & { position: string; tenantId: string }>(
      `select spec::text, caused_by::text, position, tenant_id as "tenantId" from eventplane.events ${place}`,
    );
    const [before] = rows;
    if (before === undefined) throw new Error("There is no such event.");
    await changeOne(client, `update eventplane.events set ${change} ${place}`);
    return { before, position: before.position, tenantId: before.tenantId };
  });
}

/** Puts back what {@link tamper} found. */
export async function restore(dataDir: string, { spec, caused_by }: StoredTexts, place: string): Promise<void> {
  const statement = `update eventplane.events set spec = $1::json, caused_by = $2::json ${place}`;
  await asSuperuser(dataDir, (client) => changeOne(client, statement, [spec, caused_by]));
}

async function changeOne(client: pg.Client, statement: string, values: readonly string[] = []): Promise<void> {
  await client.query("begin");
  await client.query("alter table eventplane.events disable trigger all");
  const { rowCount } = await client.query(statement, [...values]);
  await client.query("alter table eventplane.events enable trigger all");
  await client.query("commit");
  if (rowCount !== 1) throw new Error(`The change met ${rowCount} events.`);
}

async function asSuperuser<Result>(dataDir: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const { superuser } = JSON.parse(await readFile(join(dataDir, "postgres.secret"), "utf8")) as { superuser: string };
  const { port } = JSON.parse(await readFile(join(dataDir, "plane.lock"), "utf8")) as { port: number };
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password: superuser,
    database: "eventplane",
  });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The demo's attacker: somebody who owns the machine and is superuser of the database. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";

/** An event, by its place. */
export interface EventPlace {
  readonly tenantId: string;
  readonly position: number;
}

/** Does `work` with the embedded PostgreSQL's own superuser, whose password is in the data folder. */
export async function asSuperuser<Result>(
  dataDir: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const { superuser } = JSON.parse(readFileSync(join(dataDir, "postgres.secret"), "utf8")) as { superuser: string }; // see store/postgres/embedded/credentials.ts
  const { port } = JSON.parse(readFileSync(join(dataDir, "plane.lock"), "utf8")) as { port: number }; // see data-directory-lock.ts there
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

/** Bytes of the log's table with its indexes and long values, for one event on average. */
export async function bytesPerEvent(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    "select (pg_total_relation_size('eventplane.events') / count(*))::float8 as bytes from eventplane.events",
  );
  return rows[0]?.bytes ?? 0;
}

/** What the database says when even its superuser changes an event in the ordinary way; undefined when it lets him. */
export async function refusalOfChange(
  client: pg.Client,
  { tenantId, position }: EventPlace,
): Promise<string | undefined> {
  try {
    await client.query("update eventplane.events set spec = '{}' where tenant_id = $1 and position = $2", [
      tenantId,
      position,
    ]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Turns the triggers off, changes one character of an event's spec, and turns them on again.
 *
 * @returns the change as text
 */
export async function changeOneByte(client: pg.Client, { tenantId, position }: EventPlace): Promise<string> {
  const { rows } = await client.query<{ before: string; after: string }>(
    `select spec::text as before, regexp_replace(spec::text, 'Customer (.)', 'Customer 9') as after
       from eventplane.events where tenant_id = $1 and position = $2`,
    [tenantId, position],
  );
  const { before = "", after = "" } = rows[0] ?? {};
  await client.query("begin");
  await client.query("alter table eventplane.events disable trigger events_unchanging");
  await client.query("update eventplane.events set spec = $3::json where tenant_id = $1 and position = $2", [
    tenantId,
    position,
    after,
  ]);
  await client.query("alter table eventplane.events enable always trigger events_unchanging");
  await client.query("commit");
  return `${before} → ${after}`;
}

/** Fresh databases for tests: each with its own owner and role prefix, so test files run in parallel on one server. */
import { randomBytes } from "node:crypto";
import pg from "pg";

/** One fresh database. */
export interface TestDatabase {
  /** This database as the server's superuser: for tampering and for looking behind RLS. */
  readonly superuserUrl: string;
  /** This database as its owner: NOT a superuser, with CREATEROLE and CREATEDB, as a hosted installation would be. */
  readonly ownerUrl: string;
  /** The prefix the installation's roles must use; unique on the server. */
  readonly rolePrefix: string;
  /** Cuts all connections, then removes the database and every role with the prefix. Safe to call twice. */
  drop(): Promise<void>;
}

const DROP_PASSES_MAX = 10;

/** Creates a database on the server at `serverUrl`, which must name a superuser. */
export async function createDatabase(serverUrl: string): Promise<TestDatabase> {
  const rolePrefix = `t${randomBytes(6).toString("hex")}`;
  const database = `${rolePrefix}_db`;
  const owner = `${rolePrefix}_admin`;
  const password = randomBytes(12).toString("hex");
  await withClient(serverUrl, async (client) => {
    await client.query(`create role ${owner} login nosuperuser createdb createrole password '${password}'`);
    await client.query(`create database ${database} owner ${owner}`);
  });
  const superuser = new URL(serverUrl);
  superuser.pathname = `/${database}`;
  const ownerUrl = new URL(superuser);
  ownerUrl.username = owner;
  ownerUrl.password = password;
  return {
    superuserUrl: superuser.href,
    ownerUrl: ownerUrl.href,
    rolePrefix,
    drop: () => withClient(serverUrl, (client) => dropDatabase(client, { database, rolePrefix })),
  };
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

async function dropDatabase(
  client: pg.Client,
  { database, rolePrefix }: { readonly database: string; readonly rolePrefix: string },
): Promise<void> {
  await client.query(`drop database if exists ${database} with (force)`);
  for (let pass = 0; pass < DROP_PASSES_MAX; pass += 1) {
    const found = await client.query<{ name: string }>("select rolname as name from pg_roles where rolname like $1", [
      `${rolePrefix}\\_%`,
    ]);
    if (found.rows.length === 0) return;
    for (const { name } of found.rows) await dropRole(client, name);
  }
  throw new Error(`roles of ${rolePrefix} are left behind: something outside its database depends on them`);
}

/** A role that granted a membership cannot go before the member: such a failure is left to the next pass. */
async function dropRole(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query(`drop role if exists "${name}"`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === "2BP01")) throw error;
  }
}

/** A fresh database with Eventplane's schema and roles, and pools that log in as them. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import {
  createPool,
  type LoginRole,
  loginRoles,
  migrate,
  PostgresAppender,
  PostgresReader,
} from "../../src/store/postgres/index.js";
import { createDatabase, type TestDatabase } from "./postgres-database.js";
import { createTestDatabase } from "./postgres-server.js";

/** A migrated database. */
export interface Installation {
  readonly database: TestDatabase;
  /** The URL of a login role. */
  url(role: LoginRole): string;
  /** One pool per login role, made when first asked for. */
  pool(role: LoginRole): pg.Pool;
  readonly edge: PostgresAppender;
  readonly runtime: PostgresAppender;
  readonly reader: PostgresReader;
  /** Runs SQL as the server's superuser. */
  asSuperuser<Row extends pg.QueryResultRow>(this: void, sql: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Makes one on the run's shared server, or on the server at `serverUrl`. */
export async function installEventplane(
  options: { readonly serverUrl?: string; readonly partitions?: number } = {},
): Promise<Installation> {
  const database =
    options.serverUrl === undefined ? await createTestDatabase() : await createDatabase(options.serverUrl);
  const passwords = Object.fromEntries(loginRoles.map((role) => [role, randomBytes(12).toString("hex")])) as Record<
    LoginRole,
    string
  >; // one entry a role
  await migrate(database.ownerUrl, { rolePrefix: database.rolePrefix, passwords, partitions: options.partitions ?? 0 });
  return openInstallation(database, passwords);
}

/** Pools on a database that has its schema already. */
export function openInstallation(database: TestDatabase, passwords: Readonly<Record<LoginRole, string>>): Installation {
  const pools = new Map<LoginRole, pg.Pool>();
  const url = (role: LoginRole): string => {
    const roleUrl = new URL(database.ownerUrl);
    roleUrl.username = `${database.rolePrefix}_${role}`;
    roleUrl.password = passwords[role];
    return roleUrl.href;
  };
  const pool = (role: LoginRole): pg.Pool => {
    const known = pools.get(role);
    if (known !== undefined) return known;
    const made = createPool(url(role), { connectionsMax: 4 });
    pools.set(role, made);
    return made;
  };
  return {
    database,
    url,
    pool,
    edge: new PostgresAppender(pool("edge"), "edge"),
    runtime: new PostgresAppender(pool("runtime"), "runtime"),
    reader: new PostgresReader(pool("reader")),
    asSuperuser: (sql, values) => runAs(database.superuserUrl, sql, values),
    close: async () => {
      await Promise.all([...pools.values()].map((open) => open.end()));
      await database.drop();
    },
  };
}

/** One statement on a connection of its own. */
export async function runAs<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await (values.length === 0 ? client.query<Row>(sql) : client.query<Row>(sql, values));
    return result.rows;
  } finally {
    await client.end();
  }
}

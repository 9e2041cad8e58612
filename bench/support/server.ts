/** One PostgreSQL server with its default durability, and on it one database for each contender. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { systemClock } from "../../dist/kernel/index.js";
import { Coalescer } from "../../dist/store/index.js";
import {
  createPool,
  type LoginRole,
  loginRoles,
  migrate,
  PostgresAppender,
  PostgresReader,
  type RolePasswords,
} from "../../dist/store/postgres/index.js";
import { createTestKeys } from "../../dist/testing/index.js";
import { type PostgresCluster, startPostgres } from "../../test/support/postgres-cluster.js";
import { createDatabase } from "../../test/support/postgres-database.js";
import { type Emmett, openEmmett } from "../peers/peers.mjs";

/** A server of a bench run. */
export interface BenchServer {
  readonly cluster: PostgresCluster;
  /** Our store in a fresh database: migrated, roles, durable, everything on. */
  ours(): Promise<OurStore>;
  /** Emmett in a fresh database. */
  emmett(): Promise<Emmett>;
  /** One plain table in a fresh database. */
  bare(): Promise<BareTable>;
  /** Ends all that was opened, then the server. */
  close(): Promise<void>;
}

/** Eventplane's store as a plane composes it. */
export interface OurStore {
  readonly edge: Coalescer;
  readonly reader: PostgresReader;
  /** The URL of a login role, for processes of their own. */
  urlOf(role: LoginRole): string;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly rolePrefix: string;
  readonly passwords: RolePasswords;
}

/** A table with two keys and nothing else: what a team would write by hand. */
export interface BareTable {
  readonly pool: pg.Pool;
  readonly url: string;
  insert(row: BareRow): Promise<void>;
}

/** A row of it. */
export interface BareRow {
  readonly tenantId: string;
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly spec: string;
}

const bareTable = `create table bare (
  position bigint generated always as identity primary key,
  tenant_id uuid not null, id uuid not null unique, stream text not null, type text not null, spec jsonb not null,
  recorded_at timestamptz not null default clock_timestamp()
)`;

/** Starts a server of the installed PostgreSQL. */
export async function openBenchServer(): Promise<BenchServer> {
  const cluster = await startPostgres();
  const closers: (() => Promise<void>)[] = [];
  const fresh = async (): ReturnType<typeof createDatabase> => createDatabase(cluster.superuserUrl);
  return {
    cluster,
    async ours() {
      const database = await fresh();
      const passwords = Object.fromEntries(loginRoles.map((role) => [role, randomBytes(12).toString("hex")]));
      await migrate(database.ownerUrl, { rolePrefix: database.rolePrefix, passwords });
      const urlOf = (role: LoginRole): string => {
        const url = new URL(database.ownerUrl);
        url.username = `${database.rolePrefix}_${role}`;
        url.password = passwords[role] ?? "";
        return url.href;
      };
      const pool = (role: LoginRole): pg.Pool => {
        const made = createPool(urlOf(role));
        closers.unshift(() => made.end());
        return made;
      };
      const appender = new PostgresAppender(pool("edge"), "edge");
      const edge = new Coalescer({ appender, signer: createTestKeys().edge, clock: systemClock });
      closers.unshift(() => edge.close());
      const { superuserUrl, ownerUrl, rolePrefix } = database;
      return { edge, reader: new PostgresReader(pool("reader")), urlOf, superuserUrl, ownerUrl, rolePrefix, passwords };
    },
    async emmett() {
      const store = await openEmmett((await fresh()).superuserUrl);
      closers.unshift(() => store.close());
      return store;
    },
    async bare() {
      const { superuserUrl: url } = await fresh();
      // Not createPool: COPY needs a connection that is not pipelined.
      const pool = new pg.Pool({ connectionString: url, max: 8 });
      pool.on("error", () => {});
      closers.unshift(() => pool.end());
      await pool.query(bareTable);
      return { pool, url, insert: (row) => insertBare(pool, row) };
    },
    async close() {
      for (const close of closers) await close();
      await cluster.close();
    },
  };
}

async function insertBare(pool: pg.Pool, { tenantId, id, stream, type, spec }: BareRow): Promise<void> {
  await pool.query({
    name: "insert_bare",
    text: "insert into bare (tenant_id, id, stream, type, spec) values ($1, $2, $3, $4, $5)",
    values: [tenantId, id, stream, type, spec],
  });
}

/**
 * Database and owner role, as hosted PostgreSQL gives them: the owner is no superuser, may create roles and databases.
 * The superuser is used here and nowhere else, and its connection is closed before anything is served.
 */
import pg from "pg";
import { EventplaneError } from "../../../kernel/index.js";
import { SUPERUSER } from "./cluster.js";
import type { Credentials } from "./credentials.js";
import { directoryDamaged, diskFull } from "./failure.js";

const OWNER = "eventplane_admin";
const DATABASE = "eventplane";
const CONNECT_TIMEOUT_MS = 10_000;

/** SQLSTATEs that say "not bootstrapped yet": no such role or password, no such database. */
const notYet: ReadonlySet<string> = new Set(["28P01", "28000", "3D000"]);

interface Target {
  readonly dataDir: string;
  readonly port: number;
  readonly credentials: Credentials;
  /** The cluster is new: nothing can be there yet. */
  readonly created: boolean;
}

/**
 * Makes role and database when they are missing, and proves that the owner can connect.
 *
 * @returns the owner's URL
 * @throws EventplaneError `data_directory_damaged` when the stored passwords do not fit, `disk_full`, `database_unreachable`
 */
export async function ensureOwner(target: Target): Promise<string> {
  const ownerUrl = urlOf(target, { user: OWNER, password: target.credentials.owner, database: DATABASE });
  try {
    if (target.created || !(await answers(ownerUrl))) {
      await bootstrap(target);
      await withClient(ownerUrl, ping);
    }
    return ownerUrl;
  } catch (error) {
    throw explain(error, target.dataDir);
  }
}

const ping = (client: pg.Client): Promise<unknown> => client.query("select 1");

async function answers(ownerUrl: string): Promise<boolean> {
  try {
    await withClient(ownerUrl, ping);
    return true;
  } catch (error) {
    if (notYet.has(sqlState(error) ?? "")) return false;
    throw error;
  }
}

async function bootstrap(target: Target): Promise<void> {
  const { superuser, owner } = target.credentials;
  const url = urlOf(target, { user: SUPERUSER, password: superuser, database: "postgres" });
  await withClient(url, async (client) => {
    const found = await client.query(
      `select exists (select from pg_roles where rolname = $1) as role,
              exists (select from pg_database where datname = $2) as database`,
      [OWNER, DATABASE],
    );
    const verb = found.rows[0]?.role === true ? "alter" : "create";
    const options = "login createdb createrole nosuperuser nobypassrls noreplication";
    await client.query(`${verb} role ${OWNER} ${options} password ${client.escapeLiteral(owner)}`);
    if (found.rows[0]?.database !== true) await client.query(`create database ${DATABASE} owner ${OWNER}`);
    await client.query("revoke all on database postgres, template1 from public");
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A server that dies under an idle client says so here; the running query fails as well.
  client.on("error", () => {});
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(
  target: Target,
  login: { readonly user: string; readonly password: string; readonly database: string },
): string {
  return `postgres://${login.user}:${login.password}@127.0.0.1:${target.port}/${login.database}`;
}

function explain(error: unknown, dataDir: string): EventplaneError {
  const state = sqlState(error);
  if (state === "53100") return diskFull(dataDir, error);
  if (state !== undefined && notYet.has(state)) {
    return directoryDamaged(dataDir, "the passwords in postgres.secret are not those of its PostgreSQL");
  }
  if (state?.startsWith("XX") === true) return directoryDamaged(dataDir, `PostgreSQL reports corruption (${state})`);
  const message = `The embedded PostgreSQL in ${dataDir} runs but cannot be set up${state === undefined ? "" : ` (${state})`}. Start again; see postgres.log there.`;
  return new EventplaneError("database_unreachable", message, { details: { dataDir }, cause: error });
}

function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

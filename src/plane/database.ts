/** The database as services see it: one pool a role, each checked before anything is served. */
import type pg from "pg";
import { assert, EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { assertServiceRole, createPool, endPool, type LoginRole, type RolePasswords } from "../store/postgres/index.js";

/** One of the roles that a plane logs in as. */
export type PlaneRole = Exclude<LoginRole, "auditor">;

const planeRoles: readonly PlaneRole[] = ["edge", "runtime", "projector", "reader", "relay"];

/** Open pools of a process; looking at one of a login that it does not hold is a fault of ours. */
export interface DatabasePools extends AsyncDisposable {
  readonly edge: pg.Pool;
  readonly runtime: pg.Pool;
  readonly projector: pg.Pool;
  /** Read-only: the events that projections fold come by it. */
  readonly reader: pg.Pool;
  readonly relay: pg.Pool;
  /** Ends all connections. Idempotent. */
  close(): Promise<void>;
}

/**
 * The URL of a service's role: host, port, database and options of `databaseUrl`, user and password of the role. The driver
 * lets those among the options win, so they go.
 */
export function serviceUrl(
  databaseUrl: string,
  role: LoginRole,
  options: { readonly rolePrefix: string; readonly passwords: RolePasswords },
): string {
  const url = parseDatabaseUrl(databaseUrl);
  url.username = `${options.rolePrefix}_${role}`;
  url.password = options.passwords[role] ?? "";
  for (const name of ["user", "password"]) url.searchParams.delete(name);
  return url.toString();
}

/**
 * Opens and checks the pools.
 *
 * @throws EventplaneError `database_unreachable`, `database_role_unsafe`, `database_not_durable`, `migration_needed`,
 * `schema_too_new`, `database_unsupported`; nothing stays open
 */
export async function openPools(
  databaseUrl: string,
  options: {
    readonly rolePrefix: string;
    readonly passwords: RolePasswords;
    readonly connectionsMax: number;
    readonly logger: Logger;
    /** Default: all that a plane logs in as. */
    readonly logins?: ReadonlySet<PlaneRole>;
  },
): Promise<DatabasePools> {
  let closing: Promise<void> | undefined;
  const open = (role: PlaneRole): pg.Pool =>
    createPool(serviceUrl(databaseUrl, role, options), {
      connectionsMax: options.connectionsMax,
      applicationName: `eventplane ${role}`,
      onConnectionLost: (error) => {
        // The server may end a connection that we are ending ourselves.
        if (closing === undefined)
          options.logger.warn({ role, error }, "A database connection was lost and will be replaced");
      },
    });
  const pools = new Map([...(options.logins ?? planeRoles)].map((role) => [role, open(role)]));
  const close = (): Promise<void> => {
    closing ??= Promise.all([...pools.values()].map((pool) => endPool(pool))).then(() => undefined);
    return closing;
  };
  try {
    await Promise.all([...pools.values()].map((pool) => assertServiceRole(pool)));
  } catch (error) {
    await close();
    throw startFailure(error);
  }
  const of = (role: PlaneRole): pg.Pool => {
    const pool = pools.get(role);
    assert(pool !== undefined, `this process does not log in as ${role}`);
    return pool;
  };
  return {
    get edge() {
      return of("edge");
    },
    get runtime() {
      return of("runtime");
    },
    get projector() {
      return of("projector");
    },
    get reader() {
      return of("reader");
    },
    get relay() {
      return of("relay");
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** SQLSTATEs of a login that is not there or has another password: class 28. */
const refusedLogin = /^28/;

/** At the start nothing is under way yet: what matters is whether anybody migrated, and whether the server is there. */
function startFailure(error: unknown): unknown {
  if (!isEventplaneError(error, "unavailable")) return error;
  const { sqlstate } = error.details;
  if (typeof sqlstate === "string" && refusedLogin.test(sqlstate)) {
    return new EventplaneError(
      "migration_needed",
      "The database refuses the login of a service role: it was not migrated with this data folder; run evtctl migrate up.",
      { details: { sqlstate }, cause: error },
    );
  }
  return new EventplaneError("database_unreachable", "The database of DATABASE_URL does not answer.", { cause: error });
}

function parseDatabaseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // The cause is left out: it would quote the URL with its password.
    throw new EventplaneError(
      "config_invalid",
      "DATABASE_URL is not a URL; it looks like postgresql://user:password@host:5432/database.",
    );
  }
}

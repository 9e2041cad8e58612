/** The database that a pool of the application is connected to. */
import { EventplaneError } from "../../kernel/index.js";

/** The part of a `pg.Pool` that says where it connects. */
export interface PoolAddress {
  readonly options: {
    readonly connectionString?: string | undefined;
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly database?: string | undefined;
    readonly user?: string | undefined;
    readonly password?: unknown;
    readonly ssl?: unknown;
  };
}

const portDefault = 5432;

/**
 * The address as a URL, with user and password where the pool has them as texts: migrations need its owner.
 *
 * @throws EventplaneError `config_invalid` for what a URL cannot say
 */
export function urlOfPool({ options }: PoolAddress): string {
  const { connectionString, host, port = portDefault, database, user, password, ssl } = options;
  if (connectionString !== undefined) return connectionString;
  if (host === undefined || database === undefined) {
    throw invalid("it names neither a connectionString nor host and database");
  }
  if (ssl !== undefined && typeof ssl !== "boolean") throw invalid("its ssl is an object");
  const url = new URL("postgresql://localhost");
  if (host.startsWith("/")) url.searchParams.set("host", host);
  else url.hostname = host;
  url.port = String(port);
  url.pathname = `/${database}`;
  if (user !== undefined) url.username = encodeURIComponent(user);
  if (typeof password === "string") url.password = encodeURIComponent(password);
  if (ssl === true) url.searchParams.set("sslmode", "require");
  return url.href;
}

function invalid(why: string): EventplaneError {
  const message = `openPlane cannot tell which database the pool is connected to: ${why}. Give databaseUrl instead.`;
  return new EventplaneError("config_invalid", message);
}

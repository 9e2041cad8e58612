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
/** Parameters by which a URL says how its connections are encrypted; they go before the pool's `ssl`, as in pg. */
const sslParameters = ["ssl", "sslmode", "sslcert", "sslkey", "sslrootcert"] as const;

/**
 * The address as a URL, with user and password where the pool has them as texts: migrations need its owner. Connections
 * are encrypted as the pool's are.
 *
 * @throws EventplaneError `config_invalid` for what a URL cannot say
 */
export function urlOfPool({ options }: PoolAddress): string {
  const url = options.connectionString === undefined ? urlOfParts(options) : urlOfText(options.connectionString);
  if (sslParameters.some((name) => url.searchParams.has(name))) return url.href;
  const mode = sslModeOf(options.ssl);
  if (mode !== undefined) url.searchParams.set("sslmode", mode);
  return url.href;
}

function urlOfText(connectionString: string): URL {
  if (URL.canParse(connectionString)) return new URL(connectionString);
  throw invalid("its connectionString is no URL");
}

function urlOfParts({ host, port = portDefault, database, user, password }: PoolAddress["options"]): URL {
  if (host === undefined || database === undefined) {
    throw invalid("it names neither a connectionString nor host and database");
  }
  const url = new URL("postgresql://localhost");
  // Sockets and IPv6 addresses are no host names of a URL.
  if (/[/:]/.test(host)) url.searchParams.set("host", host);
  else url.hostname = host;
  url.port = String(port);
  url.pathname = `/${encodeURIComponent(database)}`;
  if (user !== undefined) url.username = encodeURIComponent(user);
  if (typeof password === "string") url.password = encodeURIComponent(password);
  return url;
}

/** As Node.js reads `ssl`: true verifies the server, unless the pool says not to. */
function sslModeOf(ssl: unknown): string | undefined {
  if (ssl === undefined || ssl === null || ssl === false) return undefined;
  const said = ssl === true ? {} : ssl;
  if (typeof said !== "object" || Object.keys(said).some((name) => name !== "rejectUnauthorized"))
    throw invalid("its ssl holds more than a URL can say, which takes sslmode, sslrootcert, sslcert and sslkey");
  return "rejectUnauthorized" in said && said.rejectUnauthorized === false ? "no-verify" : "verify-full";
}

function invalid(why: string): EventplaneError {
  const message = `openPlane cannot tell which database the pool is connected to: ${why}. Give databaseUrl instead.`;
  return new EventplaneError("config_invalid", message);
}

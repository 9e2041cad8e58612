/** Work on the database that is not serving: migrations, and what doctor asks. The drivers are loaded when asked for. */
import { EventplaneError } from "../kernel/errors.js";
import type { MigrationReport, MigrationStatus } from "../store/postgres/index.js";
import type { Config } from "./config.js";
import { databasePasswords } from "./key-files.js";

/**
 * Brings the database of DATABASE_URL up to this package; role passwords are made in the data folder on first use.
 *
 * @throws EventplaneError `config_invalid` without DATABASE_URL, and those of migrate
 */
export async function migrateUp(config: Config, options: { readonly dryRun: boolean }): Promise<MigrationReport> {
  const url = databaseUrl(config);
  const { loginRoles, migrate } = await import("../store/postgres/index.js");
  const rolePrefix = config.required("database.role-prefix");
  if (options.dryRun) return migrate(url, { rolePrefix, dryRun: true });
  return migrate(url, { rolePrefix, passwords: databasePasswords(config.required("data.dir"), loginRoles) });
}

/** Where the database of DATABASE_URL stands. @throws EventplaneError as {@link migrateUp} */
export async function migrationsOf(config: Config): Promise<MigrationStatus> {
  const url = databaseUrl(config);
  const { migrationStatus } = await import("../store/postgres/index.js");
  return migrationStatus(url);
}

/**
 * Opens what a service would open, checks it and closes it.
 *
 * @throws EventplaneError what a service would refuse to start with
 */
export async function checkServiceDatabase(config: Config): Promise<void> {
  const url = databaseUrl(config);
  const [{ openPools }, { createLogger }, { loginRoles }] = await Promise.all([
    import("./database.js"),
    import("../observe/index.js"),
    import("../store/postgres/index.js"),
  ]);
  const pools = await openPools(url, {
    rolePrefix: config.required("database.role-prefix"),
    passwords: databasePasswords(config.required("data.dir"), loginRoles),
    connectionsMax: 2,
    logger: createLogger({ level: "silent" }),
  });
  await pools.close();
}

function databaseUrl(config: Config): string {
  const url = config.text("database.url");
  if (url !== undefined) return url;
  const message =
    "There is no database to work on: set DATABASE_URL. An embedded one is migrated by `evtctl dev` itself.";
  throw new EventplaneError("config_invalid", message);
}

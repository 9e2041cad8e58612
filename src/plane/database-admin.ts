/** Work on the database that is not serving: migrations, and what doctor asks. The drivers are loaded when asked for. */
import { existsSync } from "node:fs";
import type { ProjectionDefinition } from "../event/index.js";
import { EventplaneError } from "../kernel/errors.js";
import type { MigrationReport, MigrationStatus } from "../store/postgres/index.js";
import type { Config } from "./config.js";
import { appCacheFolder } from "./data-folder.js";
import { databasePasswords } from "./key-files.js";
import { holdingOf, type ProcessRole, parseProcessRoles } from "./process-roles.js";

/**
 * Brings the database of DATABASE_URL up to this package, with the tables of the application's projections; keys, role
 * passwords and the first admin key are made in the data folder on first use, and the keys introduced.
 *
 * @throws EventplaneError `config_invalid` without DATABASE_URL, those of the application's file, and those of migrate
 */
export async function migrateUp(config: Config, options: { readonly dryRun: boolean }): Promise<MigrationReport> {
  const url = databaseUrl(config);
  const { loginRoles, migrate } = await import("../store/postgres/index.js");
  const { installProjections, installSql } = await import("../projection/index.js");
  const rolePrefix = config.required("database.role-prefix");
  const definitions = await projectionsOf(config);
  if (options.dryRun) {
    const report = await migrate(url, { rolePrefix, dryRun: true });
    return { ...report, sql: `${report.sql}\n${installSql({ rolePrefix, definitions })}` };
  }
  const passwords = databasePasswords(config.required("data.dir"), loginRoles);
  const report = await migrate(url, { rolePrefix, passwords });
  await installProjections(url, { rolePrefix, definitions });
  const { preparePlatform } = await import("./prepare-platform.js");
  await preparePlatform(config, url);
  return report;
}

/**
 * Writes the data folder of a process with the roles of the configuration.
 *
 * @returns the roles
 * @throws EventplaneError as {@link exportRoleFolder}
 */
export async function exportRoles(config: Config, target: string): Promise<readonly ProcessRole[]> {
  const roles = parseProcessRoles(config.texts("process.roles"));
  const { exportRoleFolder } = await import("./role-folder.js");
  exportRoleFolder(config.required("data.dir"), target, roles);
  return [...roles];
}

/** Of the application's file that was named, or of the default one where it is there. */
async function projectionsOf(config: Config): Promise<readonly ProjectionDefinition[]> {
  const file = config.required("app.config");
  if (!config.isGiven("app.config") && !existsSync(file)) return [];
  const { loadApp } = await import("./load-app.js");
  const app = await loadApp(file, { cacheDir: appCacheFolder(config.required("data.dir")) });
  return [...app.projections.values()];
}

/** The SQL for Supabase, for the role prefix of the configuration. @throws EventplaneError `config_invalid` */
export async function supabaseSqlOf(config: Config): Promise<string> {
  const { supabaseSql } = await import("../store/postgres/index.js");
  return supabaseSql(config.required("database.role-prefix"));
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
  const { logins } = holdingOf(parseProcessRoles(config.texts("process.roles")));
  const pools = await openPools(url, {
    rolePrefix: config.required("database.role-prefix"),
    passwords: databasePasswords(config.required("data.dir"), loginRoles),
    connectionsMax: 2,
    logger: createLogger({ level: "silent" }),
    logins,
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

/** Migrations: numbered SQL, forward only, checksummed, one transaction each. */
import pg from "pg";
import { EventplaneError, isEventplaneError } from "../../kernel/index.js";
import { type MigrationFile, readMigrationFiles, renderMigration } from "./migration-files.js";
import { translatePgError } from "./pg-error.js";
import { assertRolePrefix, loginRoles, type RolePasswords, rolesSql, schemaSql } from "./roles.js";

/** How to migrate. */
export interface MigrateOptions {
  /** Prefix of the installation's roles; default `eventplane`. */
  readonly rolePrefix?: string;
  /** Passwords of login roles, set every time they are given. */
  readonly passwords?: RolePasswords;
  /** HASH partitions of the log, 0 to 256, chosen once at the set-up; default 0, one plain table. */
  readonly partitions?: number;
  /** Makes the roles only, so that a dump can be restored. */
  readonly rolesOnly?: boolean;
  /** Changes nothing; the report has the SQL. */
  readonly dryRun?: boolean;
  /** Stops between two migrations; those that are done stay. */
  readonly signal?: AbortSignal;
}

/** What was done, or would be. */
export interface MigrationReport {
  /** Those applied by this run, or pending when it was dry. */
  readonly migrations: readonly { readonly version: number; readonly name: string }[];
  /** The SQL in the order in which it runs; passwords are left out. */
  readonly sql: string;
  /** What the operator should know. */
  readonly warnings: readonly string[];
}

/** Where a database stands. */
export interface MigrationStatus {
  /** Version of the last migration applied; 0 for a database without Eventplane. */
  readonly version: number;
  /** Version that this package needs. */
  readonly wanted: number;
  readonly applied: readonly { readonly version: number; readonly name: string; readonly appliedAt: string }[];
  readonly pending: readonly { readonly version: number; readonly name: string }[];
}

/** One lock for all migrators of a database; transaction-bound, so it works behind a pooler too. */
const lockSql = "select pg_advisory_xact_lock(hashtext('eventplane.migrate'))";
const partitionsMax = 256;
const versionNumberMin = 150000;

/**
 * Brings a database up to this package, with the one URL of its owner, who may create roles.
 *
 * Two at once are harmless: the second waits and finds nothing to do.
 *
 * @throws EventplaneError `migration_changed` (an applied file has other content now), `schema_too_new` (the database was
 * migrated by a newer package), `database_unsupported` (older than 15, or not UTF-8), `database_role_unsafe` (the URL's
 * role may not create roles), `database_unreachable`, `config_invalid`, `aborted`, and those of translatePgError
 */
export async function migrate(ownerUrl: string, options: MigrateOptions = {}): Promise<MigrationReport> {
  const {
    rolePrefix = "eventplane",
    partitions = 0,
    passwords = {},
    dryRun = false,
    rolesOnly = false,
    signal,
  } = options;
  assertRolePrefix(rolePrefix);
  if (!Number.isInteger(partitions) || partitions < 0 || partitions > partitionsMax) {
    throw new EventplaneError("config_invalid", `The log has 0 to ${partitionsMax} partitions, not ${partitions}.`);
  }
  const setup = (shown: RolePasswords): string =>
    rolesOnly ? rolesSql(rolePrefix, shown) : `${rolesSql(rolePrefix, shown)}\n${schemaSql(rolePrefix)}`;
  const render = (file: MigrationFile): string => renderMigration(file, { rolePrefix, partitions });
  return withOwner(ownerUrl, async (client) => {
    await assertDatabase(client, rolePrefix);
    const pending = rolesOnly ? [] : pendingOf(readMigrationFiles(), await appliedOf(client));
    const report = (migrations: readonly MigrationFile[], warnings: readonly string[]): MigrationReport => ({
      migrations: migrations.map(({ version, name }) => ({ version, name })),
      sql: [setup({}), ...migrations.map(render)].join("\n"),
      warnings,
    });
    if (dryRun) return report(pending, []);
    await inTransaction(client, async () => void (await client.query(setup(passwords))));
    const done: MigrationFile[] = [];
    for (const file of pending) {
      signal?.throwIfAborted();
      if (await applyOne(client, file, { rolePrefix, sql: render(file) })) done.push(file);
    }
    if (done.length > 0) await inTransaction(client, () => analyze(client, rolePrefix));
    return report(done, await warningsOf(client, rolePrefix));
  });
}

/**
 * What is applied and what is pending.
 *
 * @throws EventplaneError as {@link migrate}
 */
export async function migrationStatus(ownerUrl: string): Promise<MigrationStatus> {
  return withOwner(ownerUrl, async (client) => {
    const files = readMigrationFiles();
    const applied = await appliedOf(client);
    const pending = pendingOf(files, applied);
    return {
      version: applied.at(-1)?.version ?? 0,
      wanted: files.at(-1)?.version ?? 0,
      applied: applied.map(({ version, name, appliedAt }) => ({ version, name, appliedAt })),
      pending: pending.map(({ version, name }) => ({ version, name })),
    };
  });
}

/**
 * Runs SQL of this package in one transaction, as the role of the owner URL; two at once follow one another.
 *
 * @throws EventplaneError as {@link migrate}
 */
export async function runAsOwner(ownerUrl: string, sql: string): Promise<void> {
  await withOwner(ownerUrl, (client) => inTransaction(client, async () => void (await client.query(sql))));
}

interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: string;
}

async function withOwner<Result>(ownerUrl: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    application_name: "eventplane migrate",
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new EventplaneError(
      "database_unreachable",
      "The database of the owner URL cannot be reached; check host, port, name and password.",
      { cause: error },
    );
  }
  try {
    return await work(client);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") {
      throw new EventplaneError("aborted", "The migration was stopped between two steps; run it again to go on.", {
        cause: error,
      });
    }
    throw isEventplaneError(error) ? error : translatePgError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query("begin");
  try {
    await client.query(lockSql);
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

async function assertDatabase(client: pg.Client, rolePrefix: string): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string; may: boolean; owner: string | null }>(
    `select current_setting('server_version_num')::integer as version, current_setting('server_encoding') as encoding,
            (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) as may,
            (select nspowner::regrole::text from pg_namespace where nspname = 'eventplane') as owner`,
  );
  const found = rows[0];
  if (found === undefined || found.version < versionNumberMin || found.encoding !== "UTF8") {
    throw new EventplaneError(
      "database_unsupported",
      "Eventplane needs PostgreSQL 15 or later and a database in UTF-8.",
    );
  }
  if (!found.may) {
    throw new EventplaneError(
      "database_role_unsafe",
      "The role of the owner URL may not create roles; give it CREATEROLE.",
    );
  }
  if (found.owner !== null && found.owner !== `${rolePrefix}_owner`) {
    throw new EventplaneError(
      "config_invalid",
      `The schema eventplane belongs to ${found.owner}; use the role prefix that this database was set up with.`,
      { details: { rolePrefix, owner: found.owner } },
    );
  }
}

async function appliedOf(client: pg.Client): Promise<readonly AppliedMigration[]> {
  const { rows: tables } = await client.query("select 1 where to_regclass('eventplane.migrations') is not null");
  if (tables.length === 0) return [];
  const { rows } = await client.query<AppliedMigration>(
    `select version, name, checksum, to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "appliedAt"
     from eventplane.migrations order by version`,
  );
  return rows;
}

function pendingOf(files: readonly MigrationFile[], applied: readonly AppliedMigration[]): readonly MigrationFile[] {
  for (const { version, checksum } of applied) assertSame(files, { version, checksum });
  const versions = new Set(applied.map(({ version }) => version));
  return files.filter(({ version }) => !versions.has(version));
}

function assertSame(
  files: readonly MigrationFile[],
  applied: { readonly version: number; readonly checksum: string },
): void {
  const known = files.at(-1)?.version ?? 0;
  if (applied.version > known) {
    throw new EventplaneError(
      "schema_too_new",
      `The database is at migration ${applied.version}, this package knows ${known}; use the newer package.`,
      { details: { applied: applied.version, known } },
    );
  }
  const file = files.find(({ version }) => version === applied.version);
  if (file?.checksum === applied.checksum) return;
  throw new EventplaneError(
    "migration_changed",
    `Migration ${applied.version} was applied with other content; use the package that it was applied with or a later one.`,
    { details: { version: applied.version } },
  );
}

/** @returns false when another migrator was faster */
async function applyOne(
  client: pg.Client,
  file: MigrationFile,
  { rolePrefix, sql }: { readonly rolePrefix: string; readonly sql: string },
): Promise<boolean> {
  let applied = false;
  await inTransaction(client, async () => {
    const { rows } = await client.query("select 1 from eventplane.migrations where version = $1", [file.version]);
    if (rows.length > 0) return;
    await client.query(`set local role ${rolePrefix}_owner`);
    await client.query(sql);
    await client.query("insert into eventplane.migrations (version, name, checksum) values ($1, $2, $3)", [
      file.version,
      file.name,
      file.checksum,
    ]);
    applied = true;
  });
  return applied;
}

/** A table that was never analyzed is planned by guess. */
async function analyze(client: pg.Client, rolePrefix: string): Promise<void> {
  await client.query(`set local role ${rolePrefix}_owner`);
  const { rows } = await client.query<{ name: string }>(
    "select c.oid::regclass::text as name from pg_class c where c.relnamespace = 'eventplane'::regnamespace and c.relkind in ('r', 'p')",
  );
  await client.query(`analyze ${rows.map(({ name }) => name).join(", ")}`);
}

async function warningsOf(client: pg.Client, rolePrefix: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ role: string }>(
    "select rolname as role from pg_roles where rolname = any ($1) and has_database_privilege(rolname, current_database(), 'TEMP')",
    [loginRoles.map((name) => `${rolePrefix}_${name}`)],
  );
  if (rows.length === 0) return [];
  return [
    "Services may still make temporary objects in this database; let the owner of the database run: revoke temporary on database … from public",
  ];
}

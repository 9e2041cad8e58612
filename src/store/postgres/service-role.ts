/** What a service checks of its database before it serves. */
import type pg from "pg";
import { EventplaneError } from "../../kernel/index.js";
import { readMigrationFiles } from "./migration-files.js";
import { translatePgError } from "./pg-error.js";

interface Found {
  readonly version: number;
  readonly superuser: boolean;
  readonly bypassesRls: boolean;
  readonly createsRoles: boolean;
  readonly owns: boolean;
  readonly writes: boolean;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
  readonly encoding: string;
}

/** What a role may become by SET ROLE or RESET ROLE counts as what it is. */
const foundSql = `with may_be as (
  select r.* from pg_roles r where pg_has_role(current_user, r.oid, 'member') or pg_has_role(session_user, r.oid, 'member'))
select current_setting('server_version_num')::integer as version,
  (select bool_or(rolsuper) from may_be) as superuser,
  (select bool_or(rolbypassrls) from may_be) as "bypassesRls",
  (select bool_or(rolcreaterole) from may_be) as "createsRoles",
  exists (select from pg_namespace n join may_be r on r.oid = n.nspowner where n.nspname = 'eventplane')
    or exists (select from pg_database d join may_be r on r.oid = d.datdba where d.datname = current_database()) as owns,
  exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace join may_be r on r.oid = p.proowner where n.nspname = 'eventplane')
    or exists (
      select from may_be, unnest(array['eventplane.events', 'eventplane.heads']) t (name), unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) w (word)
      where to_regclass(t.name) is not null and has_table_privilege(may_be.oid, to_regclass(t.name), w.word)) as writes,
  current_setting('fsync') as fsync, current_setting('full_page_writes') as "fullPageWrites",
  current_setting('synchronous_commit') as "synchronousCommit", current_setting('server_encoding') as encoding`;

const versionNumberMin = 150000;

/**
 * Refuses to serve with a role that could do more than its tier, on a server that could lose acknowledged commits, or on
 * a schema of another version.
 *
 * @throws EventplaneError `database_role_unsafe` (superuser, owner, writer of the log, BYPASSRLS or CREATEROLE, or a member
 * of one), `database_not_durable` (fsync, full_page_writes or synchronous_commit off), `database_unsupported` (older than
 * 15, not UTF-8), `migration_needed`, `schema_too_new`, and those of translatePgError
 */
export async function assertServiceRole(pool: pg.Pool): Promise<void> {
  try {
    const { rows } = await pool.query<Found>(foundSql);
    const found = rows[0];
    if (found === undefined)
      throw new EventplaneError(
        "database_role_unsafe",
        "The database role of this service is not known to the server.",
      );
    assertRole(found);
    assertServer(found);
    await assertSchema(pool);
  } catch (error) {
    throw translatePgError(error);
  }
}

function assertRole(found: Found): void {
  const reasons = [
    ...(found.superuser ? ["is a superuser"] : []),
    ...(found.owns ? ["is or may become the owner of the log or of its database"] : []),
    ...(found.writes ? ["may write the log without its append functions"] : []),
    ...(found.bypassesRls ? ["bypasses row security"] : []),
    ...(found.createsRoles ? ["may create roles"] : []),
  ];
  if (reasons.length === 0) return;
  throw new EventplaneError(
    "database_role_unsafe",
    `The database role of this service ${reasons.join(", ")}. Give it the URL of its own role, as evtctl migrate made it.`,
    { details: { reasons } },
  );
}

function assertServer(found: Found): void {
  if (found.version < versionNumberMin || found.encoding !== "UTF8") {
    throw new EventplaneError(
      "database_unsupported",
      "Eventplane needs PostgreSQL 15 or later and a database in UTF-8.",
    );
  }
  const off = [
    ...(found.fsync === "off" ? ["fsync"] : []),
    ...(found.fullPageWrites === "off" ? ["full_page_writes"] : []),
    ...(found.synchronousCommit === "off" ? ["synchronous_commit"] : []),
  ];
  if (off.length === 0) return;
  throw new EventplaneError(
    "database_not_durable",
    `The server may lose acknowledged events: turn on ${off.join(", ")}.`,
    { details: { off } },
  );
}

/** SQLSTATEs of a schema or a table that is not there, or not ours to see. */
const missing = new Set(["42P01", "3F000", "42501"]);

async function assertSchema(pool: pg.Pool): Promise<void> {
  const wanted = readMigrationFiles().at(-1)?.version ?? 0;
  const applied = await appliedVersion(pool);
  const details = { applied, wanted };
  if (applied < wanted) {
    throw new EventplaneError(
      "migration_needed",
      `The database is at migration ${applied}, this package needs ${wanted}; run evtctl migrate up.`,
      {
        details,
      },
    );
  }
  if (applied > wanted) {
    throw new EventplaneError(
      "schema_too_new",
      `The database is at migration ${applied}, this package knows ${wanted}; use the newer package.`,
      {
        details,
      },
    );
  }
}

async function appliedVersion(pool: pg.Pool): Promise<number> {
  try {
    const { rows } = await pool.query<{ version: number }>(
      "select coalesce(max(version), 0) as version from eventplane.migrations",
    );
    return rows[0]?.version ?? 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && missing.has(String(error.code))) return 0;
    throw error;
  }
}

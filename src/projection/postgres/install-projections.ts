/** The schema, the role, the tables and the views of each projection: made by the owner, never by a service. */
import type pg from "pg";
import type { ProjectionDefinition, ProjectionTable } from "../../event/index.js";
import { EventplaneError } from "../../kernel/index.js";
import { groupRoleSql, projectionRole, runAsOwner, translatePgError } from "../../store/postgres/index.js";
import { acrossOf, layoutOf, rowsOf, type StoredTable, totalsOf } from "../layout.js";
import { schemaOf } from "./projection-sql.js";

/**
 * Makes what is missing for these projections, in one transaction; what is there stays, with its rows.
 *
 * @throws EventplaneError `config_invalid` for a name that is too long for a role, and those of migrate
 */
export async function installProjections(
  ownerUrl: string,
  options: { readonly rolePrefix: string; readonly definitions: readonly ProjectionDefinition[] },
): Promise<void> {
  if (options.definitions.length > 0) await runAsOwner(ownerUrl, installSql(options));
}

/** The SQL of {@link installProjections}. */
export function installSql(options: {
  readonly rolePrefix: string;
  readonly definitions: readonly ProjectionDefinition[];
}): string {
  return options.definitions.map((definition) => projectionSql(options.rolePrefix, definition)).join("\n");
}

/**
 * Refuses to run projections whose tables, or views across tenants, are not there.
 *
 * @throws EventplaneError `migration_needed` naming the first of them, and those of translatePgError
 */
export async function assertInstalled(pool: pg.Pool, definitions: readonly ProjectionDefinition[]): Promise<void> {
  for (const { name, tables } of definitions) {
    const views = [...tables].filter(([, table]) => isSummed(table)).map(([table]) => acrossOf(table));
    const wanted = [...layoutOf({ tables }).map((table) => table.name), ...views];
    const missing = await missingOf(pool, name, wanted);
    if (missing === undefined) continue;
    throw new EventplaneError(
      "migration_needed",
      `The database has no table ${missing} for projection ${name}: run evtctl migrate up with the application's file.`,
      { details: { projection: name, table: missing } },
    );
  }
}

async function missingOf(pool: pg.Pool, projection: string, wanted: readonly string[]): Promise<string | undefined> {
  try {
    const { rows } = await pool.query<{ name: string }>(
      `select w.name from unnest($2::text[]) w (name) where not exists (
         select from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1::text and c.relname = w.name and c.relkind in ('r', 'v')) limit 1`,
      [schemaOf(projection), wanted],
    );
    return rows[0]?.name;
  } catch (error) {
    throw translatePgError(error);
  }
}

function isSummed(table: ProjectionTable): boolean {
  return "acrossTenants" in table && table.acrossTenants;
}

interface Names {
  readonly prefix: string;
  /** Who may read under the row security of a tenant. */
  readonly readers: string;
  readonly schema: string;
  readonly role: string;
  readonly projection: string;
}

function projectionSql(prefix: string, definition: ProjectionDefinition): string {
  const names: Names = {
    prefix,
    readers: ["edge", "reader", "auditor"].map((role) => `${prefix}_${role}`).join(", "),
    schema: schemaOf(definition.name),
    role: projectionRole(prefix, definition.name),
    projection: definition.name,
  };
  const { schema, role, readers } = names;
  return [
    groupRoleSql(role),
    `grant ${role} to ${prefix}_projector;`,
    `create schema if not exists ${schema} authorization ${prefix}_owner;`,
    `set local role ${prefix}_owner;`,
    `grant usage on schema ${schema} to ${role}, ${readers}, ${prefix}_totals;`,
    // The views look at which build is live.
    `grant usage on schema eventplane to ${role};`,
    `grant select on eventplane.projection_builds to ${role};`,
    policySql({ on: "eventplane.projection_builds", name: role, what: `for select to ${role} using (${ofTenant})` }),
    ...layoutOf(definition).map((table) => tableSql(names, table)),
    ...[...definition.tables].map(([name, table]) => viewSql(names, name, table)),
    "reset role;",
  ].join("\n");
}

const ofTenant = "tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid";
const safeIntegerMax = 9_007_199_254_740_991;

function tableSql({ prefix, schema, role, readers }: Names, { name, kind }: StoredTable): string {
  const table = `${schema}.${name}`;
  const columns =
    kind === "rows"
      ? "position bigint not null, value text not null"
      : `value bigint[] not null check (${safeIntegerMax} >= all (value) and -${safeIntegerMax} <= all (value))`;
  return [
    `create table if not exists ${table} (
  tenant_id uuid not null, build bigint not null, key text collate "C" not null, ${columns},
  primary key (tenant_id, build, key)
) with (fillfactor = 80);`,
    `alter table ${table} enable row level security, force row level security;`,
    policySql({ on: table, name: "fold", what: `to ${role} using (${ofTenant}) with check (${ofTenant})` }),
    policySql({ on: table, name: "tenant", what: `for select to ${readers} using (${ofTenant})` }),
    `grant select, insert, update, delete on ${table} to ${role};`,
    `grant select on ${table} to ${readers};`,
    // Of an older declaration: across tenants it is read where the declaration of today says so.
    `drop policy if exists totals on ${table};`,
    `revoke all on ${table} from ${prefix}_totals;`,
  ].join("\n");
}

function policySql({ on, name, what }: { readonly on: string; readonly name: string; readonly what: string }): string {
  return `drop policy if exists ${name} on ${on};\ncreate policy ${name} on ${on} ${what};`;
}

/** For people: the live rows of one tenant, and where it was declared the sums over all of them. */
function viewSql(names: Names, name: string, table: ProjectionTable): string {
  const { schema, role, readers, projection } = names;
  const stored = table.kind === "counter" || table.kind === "groups" ? totalsOf(name) : rowsOf(name);
  const live = `from ${schema}.${stored} r join eventplane.projection_builds b
  on b.tenant_id = r.tenant_id and b.projection = '${projection}' and b.build = r.build and b.role = 'live'`;
  return [
    `drop view if exists ${schema}.${name}, ${schema}.${acrossOf(name)};`,
    `create view ${schema}.${name} with (security_invoker = true) as select r.tenant_id, ${columnsOf(table)} ${live};`,
    `grant select on ${schema}.${name} to ${role}, ${readers};`,
    ...(isSummed(table) ? [acrossSql(names, { name, table, stored, live })] : []),
  ].join("\n");
}

function columnsOf(table: ProjectionTable): string {
  if (table.kind === "counter") return "r.key, r.value[1] as value";
  if (table.kind !== "groups") return "r.key, r.position, r.value::json as value";
  const by = table.by.map((each, index) => `(r.key::json ->> ${index}) as ${each}`);
  const sums = table.sums.map((each, index) => `r.value[${index + 2}] as ${each}`);
  return [...by, "r.value[1] as count", ...sums].join(", ");
}

/** Owned by a role that sees the rows of all tenants, so that whoever may read the view sees sums and never a tenant. */
function acrossSql(
  { schema, prefix }: Names,
  {
    name,
    table,
    stored,
    live,
  }: { readonly name: string; readonly table: ProjectionTable; readonly stored: string; readonly live: string },
): string {
  const view = `${schema}.${acrossOf(name)}`;
  const width = table.kind === "groups" ? 1 + table.sums.length : 1;
  const sums = Array.from({ length: width }, (_, index) => `sum(r.value[${index + 1}])::numeric`);
  return [
    policySql({ on: `${schema}.${stored}`, name: "totals", what: `for select to ${prefix}_totals using (true)` }),
    `grant select on ${schema}.${stored} to ${prefix}_totals;`,
    `create view ${view} with (security_barrier = true) as
  select r.key, array[${sums.join(", ")}] as value, count(*) as tenants ${live} group by r.key;`,
    `grant create on schema ${schema} to ${prefix}_totals;`,
    `alter view ${view} owner to ${prefix}_totals;`,
    `revoke create on schema ${schema} from ${prefix}_totals;`,
    `grant select on ${view} to ${prefix}_edge;`,
  ].join("\n");
}

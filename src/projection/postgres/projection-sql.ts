/** The SQL of projections: bookkeeping in schema eventplane, rows in the schema of each. Names are those of definitions, which are words. */
import { sha256 } from "../../kernel/index.js";
import { acrossOf, type StoredTable } from "../layout.js";
import type { StoredQuery } from "../projection-query.js";

/** A statement; its name is made of its text, so that no two texts share one. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

function statement(text: string): Statement {
  return { name: `ep_p_${sha256(text).toString("hex").slice(0, 24)}`, text };
}

/** The schema of a projection's rows. */
export const schemaOf = (projection: string): string => `projection_${projection}`;
const tableIn = (projection: string, table: string): string => `"${schemaOf(projection)}"."${table}"`;

/** $1 projection, $2 holder, $3 milliseconds. */
export const lead: Statement = statement("select eventplane.projection_lead($1::text, $2::uuid, $3::bigint) as epoch");

/** $1 projection, $2 holder. */
export const resign: Statement = statement(
  "update eventplane.projection_leases set until = '-infinity' where projection = $1::text and holder = $2::uuid",
);

/** All leases. */
export const endLeases: Statement = statement("update eventplane.projection_leases set until = '-infinity'");

/** $1 projection, $2 epoch. */
export const fence: Statement = statement("select eventplane.projection_fence($1::text, $2::bigint)");

/** $1 projection, $2 after this tenant, $3 how many, $4 fingerprint, $5 version of the platform's requests, $6 platform. */
export const tenantsWithNews: Statement = statement(`select h.tenant_id, h.position::text as head
  from eventplane.heads h
  left join eventplane.projection_builds b on b.tenant_id = h.tenant_id and b.projection = $1::text and b.role = 'live'
  left join eventplane.projection_tenants t on t.tenant_id = h.tenant_id and t.projection = $1::text
  where h.tenant_id > $2::uuid and h.tenant_id <> $6::uuid and (
    b.position is distinct from h.position or b.fingerprint is distinct from $4::text or t.platform_version < $5::bigint
    or exists (
      select from eventplane.projection_builds o
      where o.projection = $1::text and o.tenant_id = h.tenant_id and o.role <> 'live'))
  order by h.tenant_id limit $3::int`);

/** $1 projection, $2 tenant. */
export const builds: Statement =
  statement(`select build::text, role, version, fingerprint, log_epoch, position::text, hash,
    (extract(epoch from started_at) * 1000000)::bigint::text as started_at_us
  from eventplane.projection_builds where tenant_id = $2::uuid and projection = $1::text order by build`);

/** $1 projection, $2 tenant. */
export const notes: Statement =
  statement(`select own_version::text, platform_version::text, paused, failure_code, failure_message,
    failure_position::text, check_position::text, check_live, check_fresh
  from eventplane.projection_tenants where tenant_id = $2::uuid and projection = $1::text`);

/** $1 projection, $2 version of the platform's requests. */
export const summary: Statement = statement(`select tenants::text, lag_events::text, differing::text, waiting::text,
    fresh_tenants::text, fresh_position::text, fresh_head::text
  from eventplane.projection_summary($1::text, $2::bigint)`);

/** $1 projection. */
export const stopped: Statement = statement(`select code, tenants::text
  from eventplane.projection_stopped($1::text) order by code`);

/** $1 projection, $2 how many. */
export const stoppedTenants: Statement = statement(`select tenant_id, code, message, failed_position::text as position
  from eventplane.projection_stopped_tenants($1::text, $2::int) order by tenant_id`);

/** $1 projection, $2 tenant, $3 build, $4 role, $5 version, $6 fingerprint. */
export const open: Statement = statement(`insert into eventplane.projection_builds
    (tenant_id, projection, build, role, version, fingerprint, log_epoch, position, hash)
  values ($2::uuid, $1::text, $3::bigint, $4::text, $5::int, $6::text, 0, 0, '')`);

/** $1 projection, $2 tenant, $3 build, $4 from, $5 epoch, $6 position, $7 hash. */
export const advance: Statement = statement(
  "select eventplane.projection_advance($1::text, $2::uuid, $3::bigint, $4::bigint, $5::int, $6::bigint, $7::bytea)",
);

/** $1 projection, $2 tenant, $3 build, $4 role. */
export const appoint: Statement = statement(`update eventplane.projection_builds set role = $4::text
  where tenant_id = $2::uuid and projection = $1::text and build = $3::bigint`);

/** $1 projection, $2 tenant, $3 build. */
export const close: Statement = statement(`delete from eventplane.projection_builds
  where tenant_id = $2::uuid and projection = $1::text and build = $3::bigint`);

/** $1 projection, $2 tenant, $3–$11 the columns. */
export const note: Statement =
  statement(`insert into eventplane.projection_tenants as t (tenant_id, projection, own_version,
    platform_version, paused, failure_code, failure_message, failure_position, check_position, check_live, check_fresh)
  values ($2::uuid, $1::text, $3::bigint, $4::bigint, $5::boolean, $6::text, $7::text, $8::bigint, $9::bigint, $10::text, $11::text)
  on conflict (tenant_id, projection) do update set
    own_version = excluded.own_version, platform_version = excluded.platform_version, paused = excluded.paused,
    failure_code = excluded.failure_code, failure_message = excluded.failure_message,
    failure_position = excluded.failure_position, check_position = excluded.check_position,
    check_live = excluded.check_live, check_fresh = excluded.check_fresh`);

/** $1 tenant, $2 build, $3 keys. */
export function load(projection: string, table: string): Statement {
  return statement(`select r.key, r.position::text, r.value from ${tableIn(projection, table)} r
    where r.tenant_id = $1::uuid and r.build = $2::bigint and r.key = any ($3::text[])`);
}

/** $1 tenant, $2 build, $3 keys, $4 positions, $5 values. */
export function putRows(projection: string, table: string): Statement {
  return statement(`insert into ${tableIn(projection, table)} (tenant_id, build, key, position, value)
    select $1::uuid, $2::bigint, n.key, n.position, n.value from unnest($3::text[], $4::bigint[], $5::text[]) n (key, position, value)
    on conflict (tenant_id, build, key) do update set position = excluded.position, value = excluded.value`);
}

/** $1 tenant, $2 build, $3 keys. */
export function removeRows(projection: string, table: string): Statement {
  return statement(`delete from ${tableIn(projection, table)}
    where tenant_id = $1::uuid and build = $2::bigint and key = any ($3::text[])`);
}

/** $1 tenant, $2 build, $3 keys, $4 what is added, as array literals. */
export function addTotals(projection: string, table: string): Statement {
  return statement(`insert into ${tableIn(projection, table)} as t (tenant_id, build, key, value)
    select $1::uuid, $2::bigint, n.key, n.added::bigint[] from unnest($3::text[], $4::text[]) n (key, added)
    on conflict (tenant_id, build, key) do update set
      value = array(select a.one + a.other from unnest(t.value, excluded.value) with ordinality a (one, other, place) order by a.place)`);
}

/** What came to nothing is not there, so that the state does not hang on how it was cut into batches. $1 tenant, $2 build, $3 keys. */
export function removeZeros(projection: string, table: string): Statement {
  return statement(`delete from ${tableIn(projection, table)}
    where tenant_id = $1::uuid and build = $2::bigint and key = any ($3::text[]) and 0 = all (value)`);
}

/** $1 tenant, $2 build, $3 after this key, $4 how many. */
export function page(projection: string, { name, kind }: StoredTable): Statement {
  const columns =
    kind === "rows" ? "r.position::text, r.value" : "'0' as position, array_to_string(r.value, ',') as value";
  return statement(`select r.key, ${columns} from ${tableIn(projection, name)} r
    where r.tenant_id = $1::uuid and r.build = $2::bigint and r.key > $3::text order by r.key limit $4::int`);
}

/** $1 tenant, $2 projection. */
export const livePosition: Statement = statement(`select position::text from eventplane.projection_builds
  where tenant_id = $1::uuid and projection = $2::text and role = 'live'`);

/** One row without a key where the live build has none. $1 tenant, $2 projection, $3 after, $4 how many, $5 key, $6 values of groups. */
export function livePage({ projection, stored, kind, ...narrowing }: StoredQuery): Statement {
  const columns =
    kind === "rows" ? "d.position::text, d.value" : "'0' as position, array_to_string(d.value, ',') as value";
  return statement(`select b.position::text as at, r.key, r.position, r.value
    from eventplane.projection_builds b
    left join lateral (
      select d.key, ${columns} from ${tableIn(projection, stored)} d
      where d.tenant_id = $1::uuid and d.build = b.build and d.key > $3::text and ${narrowed(narrowing, [5, 6])}
      order by d.key limit $4::int) r on true
    where b.tenant_id = $1::uuid and b.projection = $2::text and b.role = 'live'`);
}

/** $1 after, $2 how many, $3 key, $4 values of groups. */
export function acrossPage({ projection, table, ...narrowing }: StoredQuery): Statement {
  return statement(`select d.key, array_to_string(d.value, ',') as value, d.tenants::text
    from ${tableIn(projection, acrossOf(table))} d
    where d.key > $1::text and ${narrowed(narrowing, [3, 4])} order by d.key limit $2::int`);
}

/** Which rows d are meant, by the parameters with these numbers: a key, and the values of a group. */
function narrowed(
  { key, where }: Pick<StoredQuery, "key" | "where">,
  [keyAt, whereAt]: readonly [number, number],
): string {
  const ofKey = key === undefined ? `$${keyAt}::text is null` : `d.key = $${keyAt}::text`;
  const ofGroup =
    where === undefined
      ? `$${whereAt}::text[] is null`
      : `not exists (
        select from unnest($${whereAt}::text[]) with ordinality w (value, place)
        where w.value is not null and (d.key::json ->> (w.place::int - 1)) is distinct from w.value)`;
  return `${ofKey} and ${ofGroup}`;
}

/** $1 tenant, $2 build, $3 how many. */
export function sweep(projection: string, table: string): Statement {
  return statement(`with gone as (
      delete from ${tableIn(projection, table)} d using (
        select r.key from ${tableIn(projection, table)} r
        where r.tenant_id = $1::uuid and r.build = $2::bigint order by r.key limit $3::int) o
      where d.tenant_id = $1::uuid and d.build = $2::bigint and d.key = o.key returning 1)
    select count(*)::text as removed from gone`);
}

/** The stored tables that there are, also of older definitions. $1 schema. */
export const storedTables: Statement = statement(`select c.relname as name from pg_class c
  join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1::text and c.relkind = 'r' order by c.relname`);

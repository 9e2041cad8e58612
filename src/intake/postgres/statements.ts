/** The statements on an intake's table. `SCHEMA` stands for its quoted schema. */

/** Rows of a tenant that are looked at for streams that may go on. */
const windowRows = 1_000;
/** Tenants in one claim, streams of each, and rows of each stream. */
const claimShares = { tenants: 16, streams: 16, rows: 16 } as const;

/**
 * Tenants in turn, of each the first row of streams that nobody holds, and what follows it there. Whoever holds the first row of
 * a stream has the stream: rows behind it are nobody's first.
 *
 * $1 tenants after this one · $2 without these · $3 rows · $4 lease in seconds · $5 claim
 */
export const claimSql: string = `with recursive turns (tenant, turn) as (
  (select i.tenant, 1 from SCHEMA.intents i
   where i.state = 'waiting' and i.tenant > $1::text and i.tenant <> all ($2::text[]) order by i.tenant limit 1)
  union all
  (select n.tenant, t.turn + 1 from turns t cross join lateral (
     select i.tenant from SCHEMA.intents i
     where i.state = 'waiting' and i.tenant > t.tenant and i.tenant <> all ($2::text[]) order by i.tenant limit 1) n
   where t.turn < ${claimShares.tenants})
), firsts as (
  select f.id, f.tenant, f.stream, row_number() over (partition by f.tenant order by f.id) as rank
  from turns t cross join lateral (
    select i.id, i.tenant, i.stream from SCHEMA.intents i
    where i.tenant = t.tenant and i.state = 'waiting' and i.due_at <= clock_timestamp()
      and i.id <= coalesce((select w.id from SCHEMA.intents w where w.tenant = t.tenant and w.state = 'waiting'
                            order by w.id offset ${windowRows - 1} limit 1), 9223372036854775807)
      and not exists (select from SCHEMA.intents e
                      where e.tenant = i.tenant and e.stream = i.stream and e.state = 'waiting' and e.id < i.id)
    order by i.id limit ${claimShares.streams} for update of i skip locked) f
), batch as (
  select r.row_id from firsts f cross join lateral (
    select i.row_id, i.id, row_number() over (order by i.id) as place from SCHEMA.intents i
    where i.tenant = f.tenant and i.stream = f.stream and i.state = 'waiting' and i.id >= f.id
    order by i.id limit ${claimShares.rows}) r
  order by r.place, f.rank, r.id limit $3::integer
)
update SCHEMA.intents i set due_at = clock_timestamp() + make_interval(secs => $4::float8), claim = $5::uuid
where i.row_id = any (array(select b.row_id from batch b)) and i.state = 'waiting'
returning i.id::text, i.row_id::text as "rowId", left(i.tenant, 65) as tenant, left(i.principal_type, 65) as "principalType",
  left(i.principal_id, 257) as "principalId", left(i.stream, 257) as stream, i.attempts,
  case when length(i.intent::text) <= $6::integer then i.intent::text end as "intentText"`;

/** $1 claim · arrays of one length: $2 row ids · $3 states · $4 tried · $5 waits in seconds · $6 codes · $7 messages · $8 event ids · $9 positions */
export const markSql = `update SCHEMA.intents i set state = m.state, claim = null, attempts = i.attempts + m.tried,
  due_at = clock_timestamp() + make_interval(secs => m.delay), code = m.code, message = m.message,
  event_id = m.event_id, position = m.position,
  decided_at = case when m.state = 'waiting' then null else clock_timestamp() end
from unnest($2::uuid[], $3::text[], $4::integer[], $5::float8[], $6::text[], $7::text[], $8::uuid[], $9::bigint[])
  m (row_id, state, tried, delay, code, message, event_id, position)
where i.row_id = m.row_id and i.row_id = any ($2::uuid[]) and i.state <> 'accepted' and (i.claim = $1::uuid or m.state = 'accepted')`;

/** The age is that of the oldest first row of the first 1,000 tenants. */
export const standingSql = `with recursive firsts (tenant, enqueued_at, turn) as (
  (select i.tenant, i.enqueued_at, 1 from SCHEMA.intents i where i.state = 'waiting' order by i.tenant, i.id limit 1)
  union all
  (select n.tenant, n.enqueued_at, f.turn + 1 from firsts f cross join lateral (
     select i.tenant, i.enqueued_at from SCHEMA.intents i
     where i.state = 'waiting' and i.tenant > f.tenant order by i.tenant, i.id limit 1) n
   where f.turn < 1000)
)
select (select count(*)::integer from (select from SCHEMA.intents where state = 'waiting' limit 10000) w) as waiting,
  (select count(*)::integer from (select from SCHEMA.intents where state = 'refused' limit 10000) r) as refused,
  coalesce((select greatest(0, extract(epoch from clock_timestamp() - min(enqueued_at)))::float8 from firsts), 0) as "oldestSeconds"`;

/** $1 seconds */
export const deleteAcceptedSql = `delete from SCHEMA.intents where row_id in (
  select row_id from SCHEMA.intents where state = 'accepted' and decided_at < clock_timestamp() - make_interval(secs => $1::float8)
  order by decided_at limit 1000 for update skip locked)`;

/** $1 row · $2 tenant · $3 code, each null for any */
const isRefused = `state = 'refused' and ($1::uuid is null or row_id = $1::uuid)
  and ($2::text is null or tenant = $2::text) and ($3::text is null or code = $3::text)`;

/** As {@link isRefused}, and $4 rows. */
export const refusedSql: string = `select row_id::text as "rowId", tenant, principal_type || ':' || principal_id as principal, stream, code, message,
  to_char(decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "refusedAt"
from SCHEMA.intents where ${isRefused} order by id limit $4::integer`;

/** As {@link isRefused}. */
export const retrySql: string = `update SCHEMA.intents set state = 'waiting', due_at = '-infinity', claim = null, attempts = 0, code = null,
  message = null, decided_at = null where ${isRefused}`;

/** As {@link isRefused}. */
export const purgeSql: string = `delete from SCHEMA.intents where ${isRefused}`;

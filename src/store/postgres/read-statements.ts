/**
 * The statements of the reader: one text for each index and direction, all filters always present, so that each is
 * prepared once and its plan hangs on nothing but itself.
 *
 * The reads of the hot path set the tenant themselves: three statements less for each. The inner part names the tenant
 * through `s`, so whatever the plan, the setting is made before a row of the log is looked at; were it not, row security
 * would show none.
 *
 * A probe by id or correlation is a range in the order of its index: see migration 0001, "Places in the log".
 */
import { formatUs } from "../../kernel/index.js";
import type { ReadFilter, ReadQuery } from "../port.js";
import { kindLetters } from "./append-codec.js";
import { eventColumns } from "./event-row.js";
import type { RawStatement } from "./raw-query.js";

/** One prepared statement with its parameters. */
export interface Statement extends RawStatement {
  /** It sets the tenant of its own transaction. */
  readonly setsTenant?: true;
}

const defaultLimit = 100;
const positionMax = Number.MAX_SAFE_INTEGER;
/** $1 tenant, $2 and $3 position bounds, $4 from, $5 before, $6 kind, $7 type, $8 aggregate type, $9 aggregate id, $10 limit. */
const bounds = `e.tenant_id = $1::uuid
  and e.position > greatest($2::bigint, case when $4::timestamptz is not null then eventplane.position_before($1::uuid, $4::timestamptz) end)
  and e.position < least($3::bigint, case when $5::timestamptz is not null then eventplane.position_before($1::uuid, $5::timestamptz) + 1 end)`;
const filters = `($6::text is null or e.kind = $6::text::"char") and ($7::text is null or e.type = $7::text)
  and ($8::text is null or e.aggregate_type = $8::text) and ($9::text is null or e.aggregate_id = $9::text)`;

/** A page of the tenant's log. A stream is read by its versions, a correlation by its index, everything else by position. */
export function pageStatement(tenantId: string, query: ReadQuery): Statement {
  const { filter = {}, after = 0, before = positionMax, direction = "forwards", limit = defaultLimit } = query;
  const order = direction === "forwards" ? "asc" : "desc";
  const values = [tenantId, String(after), String(before), ...filterValues(filter), String(limit)];
  if (filter.correlationId !== undefined) {
    return {
      name: `read_correlation_${order}`,
      text: correlationText(order),
      values: [...values, filter.correlationId],
    };
  }
  if (filter.aggregateType !== undefined && filter.aggregateId !== undefined) {
    return { name: `read_stream_page_${order}`, text: streamPageText(order), values };
  }
  return { name: `read_${order}`, text: positionTexts[order], values, setsTenant: true };
}

function filterValues(filter: ReadFilter): (string | null)[] {
  return [
    time(filter.recordedFromUs),
    time(filter.recordedBeforeUs),
    filter.kind === undefined ? null : kindLetters[filter.kind],
    filter.type ?? null,
    filter.aggregateType ?? null,
    filter.aggregateId ?? null,
  ];
}

function time(us: number | undefined): string | null {
  return us === undefined ? null : formatUs(Math.min(Math.max(us, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER));
}

type Order = "asc" | "desc";

/** A statement that sets its tenant, `$1`, for itself: whatever `inner` reads of `$1::uuid` is read after that. */
export function settingTenant(inner: string): string {
  const scope = "select set_config('eventplane.tenant_id', $1::text, true)::uuid as tenant offset 0";
  return `select found.* from (${scope}) s cross join lateral (${inner.replaceAll("$1::uuid", "s.tenant")}) found`;
}

function positionText(order: Order): string {
  return settingTenant(
    `select ${eventColumns} from eventplane.events e where ${bounds} and ${filters} order by e.position ${order} limit $10::bigint`,
  );
}

const positionTexts: Readonly<Record<Order, string>> = { asc: positionText("asc"), desc: positionText("desc") };

/** In a stream, the order of versions is that of positions. */
function streamPageText(order: Order): string {
  return `select ${eventColumns} from eventplane.events e
where ${bounds} and e.aggregate_type = $8::text and e.aggregate_id = $9::text
  and e.version > eventplane.version_at($1::uuid, $8::text, $9::text, $2::bigint)
  and e.version <= eventplane.version_at($1::uuid, $8::text, $9::text, $3::bigint)
  and ($6::text is null or e.kind = $6::text::"char") and ($7::text is null or e.type = $7::text)
order by e.version ${order} limit $10::bigint`;
}

/** The event that opened the correlation is found by its id, the others by the partial index. */
function correlationText(order: Order): string {
  return `select ${eventColumns} from (
  (select e.* from eventplane.events e
   where ${bounds} and ${filters} and e.correlation_id >= $11::uuid and e.correlation_id <= $11::uuid
   order by e.correlation_id ${order}, e.position ${order} limit $10::bigint)
  union all
  (select e.* from eventplane.events e
   where ${bounds} and ${filters} and e.event_id >= $11::uuid and e.event_id <= $11::uuid and e.correlation_id is null
   order by e.event_id limit 1)
) e order by e.position ${order} limit $10::bigint`;
}

/** UUIDs or integers as an array of PostgreSQL: none holds a letter that would have to be quoted. */
function arrayOf(elements: readonly (string | number)[]): string {
  return `{${elements.join(",")}}`;
}

/** The events with these ids, which are UUIDs. */
export function idsStatement(tenantId: string, ids: readonly string[]): Statement {
  return {
    name: "read_ids",
    text: `select ${eventColumns} from (select distinct id from unnest($2::uuid[]) id) wanted,
  lateral (select * from eventplane.events e
    where e.tenant_id = $1::uuid and e.event_id >= wanted.id and e.event_id <= wanted.id order by e.event_id limit 1) e`,
    values: [tenantId, arrayOf(ids)],
  };
}

const streamText = settingTenant(`select ${eventColumns} from eventplane.events e
where e.tenant_id = $1::uuid and e.aggregate_type = $2::text and e.aggregate_id = $3::text and e.version > $4::bigint
order by e.version limit $5::bigint`);

/** One stream after a version. */
export function streamStatement(
  tenantId: string,
  stream: { readonly aggregateType: string; readonly aggregateId: string },
  { afterVersion, limit }: { readonly afterVersion: number; readonly limit: number },
): Statement {
  return {
    name: "read_stream",
    text: streamText,
    values: [tenantId, stream.aggregateType, stream.aggregateId, String(afterVersion), String(limit)],
    setsTenant: true,
  };
}

/** What other events share of the events at these positions: position, proof, caused_by. */
export function sharedStatement(tenantId: string, positions: readonly number[]): Statement {
  return {
    name: "read_shared",
    text: settingTenant(`select e.position, e.proof, e.caused_by from unnest($2::bigint[]) wanted (position), lateral (
  select e.position, e.proof, e.caused_by from eventplane.events e
  where e.tenant_id = $1::uuid and e.position >= wanted.position and e.position <= wanted.position
  order by e.position limit 1) e`),
    values: [tenantId, arrayOf(positions)],
    setsTenant: true,
  };
}

/** The head of a tenant's log. */
export function headStatement(tenantId: string): Statement {
  return {
    name: "read_head",
    text: settingTenant(`select h.position, h.hash, (extract(epoch from h.recorded_at) * 1000000)::bigint, h.log_epoch
from eventplane.heads h where h.tenant_id = $1::uuid`),
    values: [tenantId],
    setsTenant: true,
  };
}

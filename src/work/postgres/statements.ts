/** The SQL of the work table: one constant a statement, with its row and decoder where it has one. */
import type { TenantId } from "../../kernel/index.js";
import type { WorkClaim } from "../port.js";

/** $1 after this tenant, $2 how many. Tenants whose log is longer than the cursor of the dispatcher says. */
export const tenantsWithNews = {
  name: "ep_work_tenants_with_news",
  text: `select h.tenant_id
    from eventplane.heads h left join eventplane.cursors c on c.consumer = 'work' and c.tenant_id = h.tenant_id
    where h.tenant_id > $1::uuid and h.position is distinct from coalesce(c.position, 0)
    order by h.tenant_id limit $2::int`,
} as const;

/** $1 tenant, $2 aggregate types and $3 components of the watches, $4 how many events. */
export const dispatch = {
  name: "ep_work_dispatch",
  text: "select events, more, chain_broken from eventplane.work_dispatch($1::uuid, $2::text[], $3::text[], $4::int)",
} as const;

/** $1 queue, $2 components, $3 how many, $4 lease in milliseconds, $5 after this tenant. */
export const claim = {
  name: "ep_work_claim",
  text: `select tenant_id, aggregate_type, aggregate_id, component, lease_token, attempts, abandoned
    from eventplane.work_claim($1::text, $2::text[], $3::int, $4::bigint, $5::uuid)`,
} as const;

/** $1–$5 columns of tenant, aggregate type, aggregate id, component and lease token, $6 lease in milliseconds. */
export const extend = {
  name: "ep_work_extend",
  text: `select x as lease_token
    from eventplane.work_extend($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint) x`,
} as const;

/** Every leased row is due now; the attempt stays counted, its process may have died of it, so an effect shows that it was abandoned. */
export const endLeases = {
  name: "ep_work_end_leases",
  text: `update eventplane.work
    set lease_token = case when aggregate_type = 'effect' then gen_random_uuid() end, lease_until = null,
      due_at = clock_timestamp()
    where state = 'ready' and lease_token is not null`,
} as const;

/** $1–$5 key and lease token, $6–$8 columns of aggregate type, aggregate id and version of what was looked at. */
export const lookedUp = {
  name: "ep_work_looked_up",
  text: `select eventplane.work_looked_up(
    $1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::text[], $7::text[], $8::bigint[]) as held`,
} as const;

/** $1–$5 key and lease token, $6 due after milliseconds or null, $7 version seen. */
export const finish = {
  name: "ep_work_finish",
  text: "select eventplane.work_finish($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::bigint, $7::bigint) as held",
} as const;

/** $1–$3 tenant and stream, $4–$7 columns of component, lease token, due after milliseconds, version seen, $8 the settled component. */
export const finishTogether = {
  name: "ep_work_finish_together",
  text: `select x as component from eventplane.work_finish_together(
    $1::uuid, $2::text, $3::text, $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text) x`,
} as const;

/** $1–$5 key and lease token, $6 due after milliseconds. */
export const release = {
  name: "ep_work_release",
  text: "select eventplane.work_release($1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::bigint) as held",
} as const;

/** $1–$5 key and lease token, $6 retry after milliseconds or null, $7 code, $8 message, $9 generation or null, $10 version of the code, $11 id of the letter. */
export const fail = {
  name: "ep_work_fail",
  text: `select eventplane.work_fail(
    $1::uuid, $2::text, $3::text, $4::text, $5::uuid, $6::bigint, $7::text, $8::text, $9::bigint,
    $10::text, $11::uuid) as held`,
} as const;

/** $1–$4 key, $5 due after milliseconds. */
export const wake = {
  name: "ep_work_wake",
  text: `insert into eventplane.work as w (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
    values ($1::uuid, $2::text, $3::text, $4::text, 'ready', clock_timestamp() + $5::bigint * interval '1 millisecond')
    on conflict (tenant_id, aggregate_type, aggregate_id, component) do update set
      state = 'ready', due_at = least(w.due_at, excluded.due_at)
    where w.state in ('idle', 'ready') and w.lease_token is null`,
} as const;

/** $1 queues, $2 components. */
export const nextDue = {
  name: "ep_work_next_due",
  text: "select eventplane.work_next_due_ms($1::text[], $2::text[]) as due_ms",
} as const;

/** $1 queues, $2 components. Leased rows are not due: a lease moves due_at to its end. */
export const backlog = {
  name: "ep_work_backlog",
  text: `select count(*)::integer as rows,
                coalesce(extract(epoch from clock_timestamp() - min(due.due_at)), 0)::double precision as oldest_seconds
         from (select w.due_at from eventplane.work w
               where w.state = 'ready' and w.due_at <= clock_timestamp() and w.queue = any ($1::text[])
                 and w.component = any ($2::text[])
               limit 10000) due`,
} as const;

/** One row of `claim`. */
export interface ClaimRow {
  readonly tenant_id: TenantId;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly component: string;
  readonly lease_token: string;
  readonly attempts: number;
  readonly abandoned: boolean;
}

/** The claim that a row tells of. */
export function decodeClaim(row: ClaimRow): WorkClaim {
  return {
    tenantId: row.tenant_id,
    aggregateType: row.aggregate_type,
    aggregateId: row.aggregate_id,
    component: row.component,
    leaseToken: row.lease_token,
    attempt: row.attempts,
    isAbandoned: row.abandoned,
  };
}

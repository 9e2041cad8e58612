/** The SQL of effects' rows: one constant a statement, with its row and decoder where it has one. */
import type { TenantId } from "../../kernel/index.js";
import { type EffectRow, heldCode } from "../port.js";

/** $1 after this tenant, $2 how many. */
export const tenantsWithEffects = {
  name: "ep_effects_tenants_with_news",
  text: `select h.tenant_id
    from eventplane.heads h left join eventplane.cursors c on c.consumer = 'effects' and c.tenant_id = h.tenant_id
    where h.tenant_id > $1::uuid and h.position is distinct from coalesce(c.position, 0)
    order by h.tenant_id limit $2::int`,
} as const;

/** $1 tenant. */
export const effectPlace = {
  name: "ep_effects_place",
  text: "select log_epoch, position, hash from eventplane.cursors where consumer = 'effects' and tenant_id = $1::uuid",
} as const;

/** $1 tenant, $2 from, $3–$5 epoch, position and hash of the new place, $6–$12 columns of ask, component, change, position, asker's type, id and generation. */
export const dispatchEffects = {
  name: "ep_effects_dispatch",
  text: `select eventplane.effect_dispatch($1::uuid, $2::bigint, $3::int, $4::bigint, $5::bytea, $6::text[], $7::text[],
    $8::text[], $9::bigint[], $10::text[], $11::text[], $12::bigint[]) as applied`,
} as const;

/** $1 tenant, $2 ask or null for all. Closed rows are about to go. */
export const effects = {
  name: "ep_effects_of_tenant",
  text: `select tenant_id, aggregate_id, component, state, attempts, failure_code, failure_message,
      lease_until > clock_timestamp() as leased
    from eventplane.work
    where tenant_id = $1::uuid and aggregate_type = 'effect' and state <> 'idle'
      and ($2::text is null or aggregate_id = $2::text)
    order by state <> 'dead', aggregate_id limit 1000`,
} as const;

/** One row of `effects`. */
export interface EffectSqlRow {
  readonly tenant_id: TenantId;
  readonly aggregate_id: string;
  readonly component: string;
  readonly state: "ready" | "blocked" | "dead";
  readonly attempts: number;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly leased: boolean | null;
}

/** The effect that a row tells of. */
export function decodeEffect(row: EffectSqlRow): EffectRow {
  const { failure_code: code, failure_message: message } = row;
  const standing = code === heldCode ? "held" : "dead";
  const moving = row.leased === true ? "running" : row.state === "blocked" ? "blocked" : "waiting";
  return {
    tenantId: row.tenant_id,
    askId: row.aggregate_id,
    component: row.component,
    state: row.state === "dead" ? standing : moving,
    attempts: row.attempts,
    failure: code === null ? null : { code, message: message ?? "" },
  };
}

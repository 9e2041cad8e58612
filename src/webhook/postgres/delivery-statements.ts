/** The SQL of deliveries: one constant a statement, with its row and decoder where it has one. */

import type { TenantId } from "../../kernel/index.js";
import type { NamedStatement } from "../../store/postgres/index.js";
import type { DeliveryAttempt, DeliveryClaim, DeliveryResult, WebhookPlace } from "../port.js";

const time = (column: string): string => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** $1 tenants, $2 webhooks. */
export const places: NamedStatement = {
  name: "ep_webhook_places",
  text: `select webhook_id, event_position as position, ${time("failing_since")} as failing_since, waiting
    from eventplane.webhook_places($1::uuid[], $2::uuid[])`,
};

/** $1 tenant, $2 webhook. */
export const place: NamedStatement = {
  name: "ep_webhook_place",
  text: `select webhook_id, position, ${time("failing_since")} as failing_since
    from eventplane.webhooks where tenant_id = $1::uuid and webhook_id = $2::uuid`,
};

/** $1 tenant, $2 webhook. */
export const attempts: NamedStatement = {
  name: "ep_webhook_attempts",
  text: `select event_id, position, attempt, ${time("at")} as at, result, status, reason, took_ms
    from eventplane.webhook_attempts where tenant_id = $1::uuid and webhook_id = $2::uuid
    order by number desc`,
};

/** $1 tenant, $2 webhook, $3 from, $4 to, $5–$8 columns of id, position, aggregate type and id. */
export const offer = {
  name: "ep_webhook_offer",
  text: `select eventplane.webhook_offer(
    $1::uuid, $2::uuid, $3::bigint, $4::bigint, $5::text[], $6::bigint[], $7::text[], $8::text[]) as moved`,
} as const;

/** $1–$4 columns of tenant, webhook, limit and parallel, $5 lease in milliseconds. */
export const claim = {
  name: "ep_webhook_claim",
  text: `select tenant_id, webhook_id, event_id, event_position, attempt, lease_token
    from eventplane.webhook_claim($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint)`,
} as const;

/** $1 tenant, $2 webhook, $3 event, $4 lease token, $5 result, $6 status, $7 reason, $8 took, $9 retry after, $10 code, $11 message, $12 letter, $13 kept. */
export const end = {
  name: "ep_webhook_end",
  text: `select s as failing_seconds from eventplane.webhook_end(
    $1::uuid, $2::uuid, $3::text, $4::uuid, $5::text, $6::int, $7::text, $8::int, $9::bigint, $10::text, $11::text, $12::uuid,
    $13::int) s`,
} as const;

/** $1 tenant, $2 webhook, $3 event, $4 lease token, $5 due after milliseconds. */
export const release = {
  name: "ep_webhook_release",
  text: "select eventplane.webhook_release($1::uuid, $2::uuid, $3::text, $4::uuid, $5::bigint) as held",
} as const;

/** $1 tenant, $2 webhook. */
export const hurry = {
  name: "ep_webhook_hurry",
  text: "select eventplane.webhook_hurry($1::uuid, $2::uuid)",
} as const;

/** $1 tenants, $2 webhooks. */
export const forget = {
  name: "ep_webhook_forget",
  text: "select eventplane.webhook_forget($1::uuid[], $2::uuid[])",
} as const;

/** One row of `places` and, without `waiting`, of `place`. */
export interface PlaceRow {
  readonly webhook_id: string;
  readonly position: string;
  readonly failing_since: string | null;
  readonly waiting?: number;
}

/** One row of `claim`. */
export interface ClaimRow {
  readonly tenant_id: TenantId;
  readonly webhook_id: string;
  readonly event_id: string;
  readonly event_position: string;
  readonly attempt: number;
  readonly lease_token: string;
}

/** One row of `attempts`. */
export interface AttemptRow {
  readonly event_id: string;
  readonly position: string;
  readonly attempt: number;
  readonly at: string;
  readonly result: DeliveryResult;
  readonly status: number | null;
  readonly reason: string | null;
  readonly took_ms: number;
}

/** The place that a row tells of. */
export function decodePlace({ position, failing_since: failingSince, waiting = 0 }: PlaceRow): WebhookPlace {
  return { position: Number(position), failingSince, waiting };
}

/** The claim that a row tells of. */
export function decodeClaim(row: ClaimRow): DeliveryClaim {
  return {
    webhook: { tenantId: row.tenant_id, id: row.webhook_id },
    eventId: row.event_id,
    position: Number(row.event_position),
    attempt: row.attempt,
    leaseToken: row.lease_token,
  };
}

/** The attempt that a row tells of. */
export function decodeAttempt(row: AttemptRow): DeliveryAttempt {
  const { attempt, at, result, status, reason } = row;
  const tookMs = row.took_ms;
  return { eventId: row.event_id, position: Number(row.position), attempt, at, result, status, reason, tookMs };
}

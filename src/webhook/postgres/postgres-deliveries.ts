/** Deliveries in PostgreSQL: each change is one statement and one commit, by the database's clock. */
import type pg from "pg";
import { ask, askInTenant } from "../../store/postgres/index.js";
import { deadLetterId } from "../../work/index.js";
import {
  attemptsKept,
  type DeliveryAttempt,
  type DeliveryClaim,
  type DeliveryEnd,
  type DeliveryReader,
  type DeliveryStore,
  type OfferedEvent,
  type WantedDeliveries,
  type WebhookKey,
  type WebhookPlace,
} from "../port.js";
import * as sql from "./delivery-statements.js";

/** What the dead letters of webhooks have for a code. */
const undelivered = "webhook_undelivered";

/** For the role `_edge`. */
export class PostgresDeliveries implements DeliveryStore, DeliveryReader {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async places(webhooks: readonly WebhookKey[]): Promise<ReadonlyMap<string, WebhookPlace>> {
    if (webhooks.length === 0) return new Map();
    const rows = await ask<sql.PlaceRow>(this.#pool, sql.places, columnsOf(webhooks));
    return new Map(rows.map((row) => [row.webhook_id, sql.decodePlace(row)]));
  }

  async place({ tenantId, id }: WebhookKey): Promise<WebhookPlace | undefined> {
    const [row] = await askInTenant<sql.PlaceRow>(this.#pool, tenantId, { ...sql.place, values: [tenantId, id] });
    return row === undefined ? undefined : sql.decodePlace(row);
  }

  async attempts({ tenantId, id }: WebhookKey): Promise<readonly DeliveryAttempt[]> {
    const rows = await askInTenant<sql.AttemptRow>(this.#pool, tenantId, { ...sql.attempts, values: [tenantId, id] });
    return rows.map(sql.decodeAttempt);
  }

  async offer(
    { tenantId, id }: WebhookKey,
    { from, to, events }: { readonly from: number; readonly to: number; readonly events: readonly OfferedEvent[] },
  ): Promise<boolean> {
    const [row] = await ask<{ moved: boolean }>(this.#pool, sql.offer, [
      tenantId,
      id,
      from,
      to,
      events.map((event) => event.id),
      events.map((event) => event.position),
      events.map((event) => event.aggregateType),
      events.map((event) => event.aggregateId),
    ]);
    return row?.moved === true;
  }

  async claim(wanted: readonly WantedDeliveries[], leaseMs: number): Promise<readonly DeliveryClaim[]> {
    if (wanted.length === 0) return [];
    const keys = columnsOf(wanted.map(({ webhook }) => webhook));
    const columns = [...keys, wanted.map(({ limit }) => limit), wanted.map(({ parallel }) => parallel), leaseMs];
    return (await ask<sql.ClaimRow>(this.#pool, sql.claim, columns)).map(sql.decodeClaim);
  }

  async end({ webhook, eventId, leaseToken }: DeliveryClaim, end: DeliveryEnd): Promise<number | undefined> {
    const { tenantId, id } = webhook;
    const row = { tenantId, aggregateType: "webhook", aggregateId: eventId, component: `webhook:${id}` };
    const letter = deadLetterId(row);
    const { result, status, reason, tookMs, retryAfterMs, message = null } = end;
    const retry = retryAfterMs === undefined ? null : Math.ceil(retryAfterMs);
    const code = message === null ? null : undelivered;
    const ended = [result, status, reason, Math.round(tookMs), retry, code, message, letter, attemptsKept];
    const values = [tenantId, id, eventId, leaseToken, ...ended];
    return (await ask<{ failing_seconds: number }>(this.#pool, sql.end, values))[0]?.failing_seconds;
  }

  async release({ webhook, eventId, leaseToken }: DeliveryClaim, dueAfterMs: number): Promise<void> {
    const values = [webhook.tenantId, webhook.id, eventId, leaseToken, Math.ceil(dueAfterMs)];
    await ask(this.#pool, sql.release, values);
  }

  async hurry(webhook: WebhookKey): Promise<void> {
    await ask(this.#pool, sql.hurry, [webhook.tenantId, webhook.id]);
  }

  async forget(webhooks: readonly WebhookKey[]): Promise<void> {
    if (webhooks.length > 0) await ask(this.#pool, sql.forget, columnsOf(webhooks));
  }
}

function columnsOf(webhooks: readonly WebhookKey[]): readonly [readonly string[], readonly string[]] {
  return [webhooks.map(({ tenantId }) => tenantId), webhooks.map(({ id }) => id)];
}

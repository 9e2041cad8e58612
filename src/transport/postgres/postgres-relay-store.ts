/** The relay's cursors in PostgreSQL, as the role `_relay`. */
import type { TenantId } from "../../kernel/index.js";
import { ask } from "../../store/postgres/index.js";
import { type RelayClaim, type RelayMove, type RelayStore, relayLeaseMs, relaySyncMs } from "../relay-store.js";

/** Whose cursors, and how far back a transport is filled that has nothing. */
export interface PostgresRelayStoreOptions {
  /** A UUID of this relay. */
  readonly holder: string;
  /** How long ago an event may be recorded to be handed to a new transport, milliseconds. */
  readonly refillMs: number;
  /** Default 15 s. */
  readonly leaseMs?: number;
  /** Default 150 s. */
  readonly syncMs?: number;
}

/** As the store's own statements take it. */
type Pool = Parameters<typeof ask>[0];

const claimSql = {
  name: "ep_relay_claim",
  text: `select tenant_id, position, log_epoch, hash, head_position, lease_epoch, is_refill
    from eventplane.relay_claim($1::uuid, $2::text, $3::integer, $4::bigint, $5::bigint)`,
} as const;
const moveSql = {
  name: "ep_relay_move",
  text: `select eventplane.relay_move($1::uuid, $2::bigint, $3::bigint, $4::bigint, $5::bytea, $6::integer, $7::bigint, $8::bigint) as moved`,
} as const;
const releaseSql = {
  name: "ep_relay_release",
  text: "select eventplane.relay_release($1::uuid, $2::bigint)",
} as const;
const rewindSql = {
  name: "ep_relay_rewind",
  text: "select eventplane.relay_rewind($1::text, $2::bigint) as tenants",
} as const;
const lagSql = { name: "ep_relay_lag", text: "select eventplane.relay_lag() as events" } as const;

interface ClaimRow {
  readonly tenant_id: TenantId;
  readonly position: string;
  readonly log_epoch: number;
  readonly hash: Buffer | null;
  readonly head_position: string;
  readonly lease_epoch: string;
  readonly is_refill: boolean;
}

/** The cursors of one database. The pool belongs to the caller. */
export class PostgresRelayStore implements RelayStore {
  readonly #pool: Pool;
  readonly #options: Required<PostgresRelayStoreOptions>;

  constructor(pool: Pool, options: PostgresRelayStoreOptions) {
    this.#pool = pool;
    this.#options = { leaseMs: relayLeaseMs, syncMs: relaySyncMs, ...options };
  }

  async claim(transportEpoch: string, limit: number): Promise<readonly RelayClaim[]> {
    const { holder, leaseMs, refillMs } = this.#options;
    const rows = await ask<ClaimRow>(this.#pool, claimSql, [holder, transportEpoch, limit, leaseMs, refillMs]);
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      position: Number(row.position),
      logEpoch: row.log_epoch,
      hash: row.hash ?? undefined,
      headPosition: Number(row.head_position),
      leaseEpoch: Number(row.lease_epoch),
      isRefill: row.is_refill,
    }));
  }

  async move({ tenantId, leaseEpoch }: RelayClaim, { from, to, hash, logEpoch }: RelayMove): Promise<boolean> {
    const { leaseMs, syncMs } = this.#options;
    const values = [tenantId, leaseEpoch, from, to, hash, logEpoch, leaseMs, syncMs];
    const [row] = await ask<{ moved: boolean }>(this.#pool, moveSql, values);
    return row?.moved === true;
  }

  async release({ tenantId, leaseEpoch }: RelayClaim): Promise<void> {
    await ask(this.#pool, releaseSql, [tenantId, leaseEpoch]);
  }

  async rewind(transportEpoch: string): Promise<number> {
    const [row] = await ask<{ tenants: string }>(this.#pool, rewindSql, [transportEpoch, this.#options.syncMs]);
    return Number(row?.tenants ?? 0);
  }

  async lag(): Promise<number> {
    const [row] = await ask<{ events: string }>(this.#pool, lagSql, []);
    return Number(row?.events ?? 0);
  }
}

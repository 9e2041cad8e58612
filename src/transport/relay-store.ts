/** The relay's own cursors, as it sees them. */
import type { TenantId } from "../kernel/index.js";

/** A tenant that this relay holds for the time of its lease. */
export interface RelayClaim {
  readonly tenantId: TenantId;
  /** The last position that was handed over. */
  readonly position: number;
  readonly logEpoch: number;
  /** Of the event there; undefined: not known since a rewind, or there is none. */
  readonly hash: Uint8Array | undefined;
  readonly headPosition: number;
  /** Grows with each claim: what an earlier holder writes does not count. */
  readonly leaseEpoch: number;
  /** The transport has nothing of this tenant yet. */
  readonly isRefill: boolean;
}

/** How far a tenant was handed over. */
export interface RelayMove {
  readonly from: number;
  readonly to: number;
  readonly hash: Uint8Array;
  readonly logEpoch: number;
}

/** Every method throws `unavailable`, `busy` (both retryable) or `internal`. */
export interface RelayStore {
  /** Tenants with news that nobody holds, or whose cursor is of another transport. */
  claim(transportEpoch: string, limit: number): Promise<readonly RelayClaim[]>;
  /** False, and nothing done: another relay has the tenant now, or its cursor was rewound. */
  move(claim: RelayClaim, move: RelayMove): Promise<boolean>;
  release(claim: RelayClaim): Promise<void>;
  /** Back to what the transport has on disk for sure. @returns tenants */
  rewind(transportEpoch: string): Promise<number>;
  /** Events of all tenants that are still to be handed over. */
  lag(): Promise<number>;
}

/** How long a tenant is held without a move, milliseconds. */
export const relayLeaseMs = 15_000;
/** What was acknowledged before is on the transport's disk: JetStream syncs every two minutes by default, milliseconds. */
export const relaySyncMs = 150_000;

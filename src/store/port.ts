/**
 * The store's port: append, read, heads. Three adapters pass one contract suite: memory, PostgreSQL by URL, embedded.
 *
 * Positions within a tenant and versions within a stream are 1, 2, 3 … without gaps, in commit order (P3).
 */
import type { AppendItem, EventKind, EventRow, Lifecycle } from "../event/index.js";
import type { ErrorCode, EventId, TenantId } from "../kernel/index.js";

export type { AppendItem, ExpectedVersion, LifecycleEffect } from "../event/index.js";

/** A lease held on a work row; the append is refused with `lease_lost` when another has it now (DESIGN §13.7). */
export interface WorkLease {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly component: string;
  readonly leaseToken: string;
  /** Wall clock delay from the database's now until the row is due again; null closes it. A row woken since its claim stays due. */
  readonly dueAfterMs: number | null;
}

/** One atomic append: one tenant, at least one event. All of it happens or nothing. */
export interface Append {
  readonly tenantId: TenantId;
  readonly items: readonly AppendItem[];
  /** Runtime tier only. */
  readonly lease?: WorkLease;
}

/** What the caller gets to know of one appended event. */
export interface Receipt {
  readonly id: EventId;
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly position: number;
  readonly generation: number;
  readonly correlationId: string;
  /** Lower-case hex. */
  readonly hash: string;
  readonly recordedAt: string;
}

/** Why an append was refused; a subset of the error codes. */
export type RefusalCode = Extract<
  ErrorCode,
  | "content_mismatch"
  | "wrong_expected_version"
  | "wrong_expected_generation"
  | "resource_exists"
  | "resource_deleting"
  | "resource_deleted"
  | "lease_lost"
>;

/**
 * - `appended`: all events are durable. A `deletes` on a stream that is deleting or deleted adds nothing; its receipt is
 *   that of the stream's last event.
 * - `repeated`: all ids were known with the same content; the receipts are the first ones. A `deletes` that has nothing to
 *   do counts as known beside others that are, for it left no id.
 *   `contentDiffers`: runtime tier only, counted and otherwise ignored.
 * - `refused`: nothing was added.
 */
export type AppendOutcome =
  | { readonly result: "appended"; readonly receipts: readonly Receipt[] }
  | { readonly result: "repeated"; readonly receipts: readonly Receipt[]; readonly contentDiffers: boolean }
  | {
      readonly result: "refused";
      readonly code: RefusalCode;
      /** Index of the culprit in `items`. */
      readonly index: number;
      /** The stream as it was found. version 0: it has no events. */
      readonly current: { readonly version: number; readonly generation: number; readonly lifecycle: Lifecycle };
    };

/** An append whose events are leaves of a signed commit, one after the other. */
export interface SignedAppend extends Append {
  /** See signCommit. Appends of one commit have the same one, not only an equal one. */
  readonly commitProof: Uint8Array;
  /** The leaf of the first item. */
  readonly firstLeaf: number;
}

/**
 * The append function of one tier: one call, one transaction, many appends (DESIGN §13.4).
 *
 * The outcomes are in the order of the appends; an append sees the effects of earlier ones in its call. A call may hold
 * 64 tenants, 1,000 events, 4 MiB. Throws only when the outcome of the whole call is a failure or unknown:
 * @throws EventplaneError `unavailable` (retryable; the outcome may be unknown, send the identical call again),
 * `busy` (lock or statement time-out; nothing was added), `disk_full`, `internal` (SQL error; nothing was added)
 */
export interface Appender {
  readonly tier: "edge" | "runtime";
  append(call: readonly SignedAppend[]): Promise<readonly AppendOutcome[]>;
}

/** What a filtered read asks for; all given parts must match. */
export interface ReadFilter {
  readonly kind?: EventKind;
  /** Exact type. */
  readonly type?: string;
  readonly aggregateType?: string;
  readonly aggregateId?: string;
  readonly correlationId?: string;
  /** recordedAt at or after, and before; microseconds since 1970. */
  readonly recordedFromUs?: number;
  readonly recordedBeforeUs?: number;
}

/** A page of a tenant's log. */
export interface ReadQuery {
  readonly filter?: ReadFilter;
  /** Forwards: positions greater than this, default 0. Backwards: positions smaller than `before`. */
  readonly after?: number;
  readonly before?: number;
  readonly direction?: "forwards" | "backwards";
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
}

/** The end of a tenant's log. Position 0 with the genesis hash when it is empty. */
export interface Head {
  readonly tenantId: TenantId;
  readonly position: number;
  readonly hash: Uint8Array;
  readonly recordedAtUs: number;
  readonly logEpoch: number;
}

/** Reads of one tenant's log. Every method throws `unavailable` (retryable) when the store cannot be reached. */
export interface LogReader {
  /** One page; fewer than `limit` rows mean the end. Rows come in the direction asked for. */
  read(tenantId: TenantId, query: ReadQuery): Promise<readonly EventRow[]>;
  /** The events with these ids that exist, in no order. At most 1,000 ids. */
  readByIds(tenantId: TenantId, ids: readonly string[]): Promise<readonly EventRow[]>;
  /** One stream in version order, versions greater than `afterVersion`; at most 1,000 rows a call. */
  readStream(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
    options?: { readonly afterVersion?: number; readonly limit?: number },
  ): Promise<readonly EventRow[]>;
  head(tenantId: TenantId): Promise<Head>;
}

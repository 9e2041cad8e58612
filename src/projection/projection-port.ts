/** The tables, cursors and lease of one projection, as its leader sees them. */
import type { TenantId } from "../kernel/index.js";
import type { Cursor } from "./cursor.js";
import type { FoldFailure } from "./fold-projection.js";
import type { StoredRow } from "./layout.js";
import type { RowName, TableWrites } from "./table-writes.js";

/**
 * `live`: the one that is read. `rebuild`: folded anew beside it, to be read when it has caught up. `verify`: folded anew
 * to be compared. `retired`: its rows are being removed.
 */
export type BuildRole = "live" | "rebuild" | "verify" | "retired";

/** One fold of a tenant's log into the tables: rows of different builds never meet. */
export interface Build {
  /** From 1, ascending. */
  readonly build: number;
  readonly role: BuildRole;
  /** Of the definition that folds it. */
  readonly version: number;
  readonly fingerprint: string;
  /** undefined before its first event. */
  readonly cursor: Cursor | undefined;
  readonly startedAtUs: number;
}

/** Two folds of the same log up to the same position, as hex digests: equal, or one of them is wrong. */
export interface StateCheck {
  readonly position: number;
  readonly live: string;
  readonly fresh: string;
}

/** What is noted of a tenant beside its builds. */
export interface TenantNotes {
  /** Versions of the streams of requests, of the tenant and of the platform, up to which they were carried out. */
  readonly ownVersion: number;
  readonly platformVersion: number;
  readonly isPaused: boolean;
  /** Why its live build stands still. */
  readonly failure: FoldFailure | undefined;
  /** The last comparison of a fresh build with the live one. */
  readonly check: StateCheck | undefined;
}

/** A tenant in one projection. */
export interface TenantProjection extends TenantNotes {
  readonly builds: readonly Build[];
}

/** One step of a change; all steps of a change are made in one commit, or none. */
export type ProjectionStep =
  | ({ readonly step: "open" } & Pick<Build, "build" | "role" | "version" | "fingerprint">)
  | {
      readonly step: "advance";
      readonly build: number;
      readonly from: Cursor | undefined;
      readonly to: Cursor;
      readonly writes: TableWrites;
    }
  | ({ readonly step: "appoint" } & Pick<Build, "build" | "role">)
  | ({ readonly step: "note" } & TenantNotes)
  | { readonly step: "close"; readonly build: number };

/** A tenant whose log has moved, or that has something else to be done. */
export interface TenantNews {
  readonly tenantId: TenantId;
  /** Position of the end of its log. */
  readonly head: number;
}

/** How all tenants stand together. */
export interface ProjectionSummary {
  readonly tenants: number;
  /** Events that live builds have still to fold. */
  readonly lagEvents: number;
  /** Tenants that stand still, by the code of what stopped them. */
  readonly stopped: readonly { readonly code: string; readonly tenants: number }[];
  /** Tenants whose last comparison found a fresh build that differs. */
  readonly differing: number;
  /** Tenants that are folded anew, and how far together, in events. */
  readonly fresh: { readonly tenants: number; readonly position: number; readonly head: number };
  /** Tenants that have not begun what was asked of all. */
  readonly waiting: number;
}

/**
 * The store of one projection. Every method throws `unavailable` (retryable) when it cannot be reached.
 *
 * Only the leader changes anything: each change names the epoch of its lease, and is refused when another leads since.
 */
export interface ProjectionStore {
  /**
   * Takes the lease, or renews one's own. @returns its epoch, which grows with each new leader; undefined: another leads
   */
  lead(holder: string, leaseMs: number): Promise<number | undefined>;
  /** Gives the lease back. */
  resign(holder: string): Promise<void>;
  /**
   * Tenants, the platform excepted, in the order of their ids, those after `after`: whose live build is not at the end
   * of the log or was made by another definition, that have another build, or have not carried out the platform's requests.
   */
  tenantsWithNews(query: {
    readonly after: string;
    readonly limit: number;
    readonly fingerprint: string;
    readonly platformVersion: number;
  }): Promise<readonly TenantNews[]>;
  /** The tenant as it is noted; without builds before its first. */
  tenant(tenantId: TenantId): Promise<TenantProjection>;
  /** These rows of a build, those that exist, in no order. */
  load(tenantId: TenantId, build: number, names: readonly RowName[]): Promise<readonly (RowName & StoredRow)[]>;
  /**
   * Makes all steps in one commit.
   *
   * @returns false, and nothing is done, when another leads or a cursor is not at `from`
   * @throws EventplaneError `projection_invalid` when a number leaves the range of safe integers
   */
  change(epoch: number, tenantId: TenantId, steps: readonly ProjectionStep[]): Promise<boolean>;
  /** Removes rows of a build. @returns how many, at most `limit` of each table; undefined when another leads */
  sweep(epoch: number, tenantId: TenantId, build: number, limit: number): Promise<number | undefined>;
  /** State digests of builds, all of one moment. */
  digests(
    tenantId: TenantId,
    builds: readonly number[],
  ): Promise<readonly { readonly build: number; readonly position: number; readonly digest: string }[]>;
  /** @param platformVersion up to which requests for all tenants are asked */
  summary(platformVersion: number): Promise<ProjectionSummary>;
}

/** A tenant whose live build stands still. */
export interface StoppedTenant extends FoldFailure {
  readonly tenantId: TenantId;
}

/** How projections stand, for operators. Every method throws `unavailable` (retryable) when the store is away. */
export interface ProjectionOverview {
  /** One tenant, under its row security. */
  tenant(tenantId: TenantId, projection: string): Promise<TenantProjection>;
  /** All tenants together. */
  summary(projection: string, platformVersion: number): Promise<ProjectionSummary>;
  /** Tenants that stand still, in the order of their ids. */
  stopped(projection: string, limit: number): Promise<readonly StoppedTenant[]>;
}

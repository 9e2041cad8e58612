/** The table of materialized resources as its one writer sees it. */
import type { Resource } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { Cursor } from "./cursor.js";

/** The name of a stream within its tenant. */
export interface StreamName {
  readonly aggregateType: string;
  readonly aggregateId: string;
}

/** Every method throws `unavailable` (retryable) when the store cannot be reached. */
export interface ResourceTable {
  /** Tenants whose log does not end at the cursor, in the order of their ids, those after `after`. */
  tenantsWithNews(after: string, limit: number): Promise<readonly TenantId[]>;
  /** Where the tenant's fold stands; undefined before its first event. */
  cursor(tenantId: TenantId): Promise<Cursor | undefined>;
  /** The folds of these streams as they are at the cursor; those that exist, in no order. */
  folds(tenantId: TenantId, streams: readonly StreamName[]): Promise<readonly Resource[]>;
  /**
   * Writes folds and moves the cursor, in one commit.
   *
   * @returns false, and nothing is done, when the cursor is not at `from` (undefined: not begun) or another moves it now
   */
  apply(
    tenantId: TenantId,
    change: { readonly from: Cursor | undefined; readonly to: Cursor; readonly folds: readonly Resource[] },
  ): Promise<boolean>;
}

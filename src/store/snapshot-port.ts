/** Where signed snapshots are kept: bookkeeping, which may be lost at any time. Two adapters pass one contract suite. */
import type { Snapshot } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";

/** Reads what was kept last. Nothing of it is to be believed before it was opened. */
export interface SnapshotReader {
  /** The snapshot of a stream; undefined when there is none. @throws EventplaneError `unavailable` */
  read(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
  ): Promise<Snapshot | undefined>;
}

/** Keeps one snapshot a stream. */
export interface SnapshotStore extends SnapshotReader {
  /** Replaces the snapshot of the stream, whatever it was. @throws EventplaneError `unavailable`, `busy` */
  write(snapshot: Snapshot): Promise<void>;
}

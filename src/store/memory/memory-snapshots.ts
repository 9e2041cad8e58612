/** Snapshots in memory. */
import type { Snapshot } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import type { SnapshotStore } from "../snapshot-port.js";

/** A new, empty store of snapshots. */
export function createMemorySnapshots(): SnapshotStore {
  const snapshots = new Map<string, Snapshot>();
  const keyOf = (tenantId: TenantId, stream: { aggregateType: string; aggregateId: string }): string =>
    `${tenantId} ${stream.aggregateType} ${stream.aggregateId}`;
  return {
    read: async (tenantId, stream) => snapshots.get(keyOf(tenantId, stream)),
    write: async (snapshot) => void snapshots.set(keyOf(snapshot.tenantId, snapshot), snapshot),
  };
}

/** Progress of replays in memory, for unit tests. */
import type { TenantId } from "../../kernel/index.js";
import type { ReplayProgress, ReplayProgressStore } from "../port.js";

/** Notes of one process. */
export class MemoryReplayProgress implements ReplayProgressStore {
  readonly #notes = new Map<string, ReplayProgress>();

  async progress(tenantId: TenantId, replayIds: readonly string[]): Promise<ReadonlyMap<string, ReplayProgress>> {
    return new Map(
      replayIds.flatMap((id): [string, ReplayProgress][] => {
        const note = this.#notes.get(`${tenantId} ${id}`);
        return note === undefined ? [] : [[id, note]];
      }),
    );
  }

  async save(tenantId: TenantId, replayId: string, progress: ReplayProgress): Promise<void> {
    const key = `${tenantId} ${replayId}`;
    if ((this.#notes.get(key)?.position ?? 0) <= progress.position) this.#notes.set(key, progress);
  }
}

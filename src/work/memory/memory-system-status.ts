/** The status of a plane in memory: one process, which nobody has to find. */
import type { SystemStatus, SystemStatusReader } from "../system-status.js";

/** Lists no process, since none says that it runs; nothing of a plane in memory is behind its log for longer than a turn. */
export class MemorySystemStatus implements SystemStatusReader {
  async status(): Promise<SystemStatus> {
    return { processes: [], consumers: [], work: [], leaders: [] };
  }
}

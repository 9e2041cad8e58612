/** PostgreSQL's log: one file in the data directory and one predecessor, rotated by size at each start. */
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import type { Cluster } from "./cluster.js";
import { fileFailure } from "./failure.js";

const ROTATE_BYTES = 1024 * 1024;
const READ_BYTES_MAX = 64 * 1024;

/** Opens the log for appending; `offset` is where this start begins. The caller closes the handle. */
export async function openServerLog(
  cluster: Cluster,
): Promise<{ readonly handle: FileHandle; readonly offset: number }> {
  try {
    const size = (await stat(cluster.logFile).catch(() => undefined))?.size ?? 0;
    if (size > ROTATE_BYTES) await rename(cluster.logFile, `${cluster.logFile}.1`);
    const handle = await open(cluster.logFile, "a", 0o600);
    return { handle, offset: size > ROTATE_BYTES ? 0 : size };
  } catch (error) {
    throw fileFailure(error, cluster.dataDir);
  }
}

/** What was logged since `offset`, the first 64 KiB of it. */
export async function logSince(cluster: Cluster, offset: number): Promise<string> {
  const handle = await open(cluster.logFile, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(READ_BYTES_MAX), 0, READ_BYTES_MAX, offset);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

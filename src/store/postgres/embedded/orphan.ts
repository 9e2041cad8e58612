/**
 * A PostgreSQL that outlived its plane (both plane and watchdog killed) is stopped before the next start.
 *
 * To be called by the holder of the directory's lock only: any server found then belongs to nobody.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { EventplaneError, systemClock } from "../../../kernel/index.js";
import { isMissing } from "./failure.js";
import { commandLineOf, postgresProcessesIn } from "./process-identity.js";

const POLL_MS = 20;
const steps = [
  { signal: "SIGINT", waitMs: 5_000 },
  { signal: "SIGQUIT", waitMs: 3_000 },
  { signal: "SIGKILL", waitMs: 3_000 },
] as const;

/**
 * Stops what runs on `clusterDir`, cleanly if it lets itself be stopped so.
 *
 * @returns the pid of the stopped server, undefined when there was none
 * @throws EventplaneError `data_directory_in_use` when its processes survive SIGKILL
 */
export async function stopOrphan(clusterDir: string, signal?: AbortSignal): Promise<number | undefined> {
  const pidFile = join(clusterDir, "postmaster.pid");
  const pid = await postmasterPid(pidFile);
  if (pid === undefined) return undefined;
  let remaining = await serversOn(clusterDir, pid);
  const found = remaining.length > 0;
  for (const step of steps) {
    // Only the postmaster is asked to stop; its children follow. When it is gone already, they are asked themselves.
    for (const target of remaining.includes(pid) ? [pid] : remaining) send(target, step.signal);
    const deadline = systemClock.monotonicMs() + step.waitMs;
    while (remaining.length > 0 && systemClock.monotonicMs() < deadline) {
      await systemClock.sleep(POLL_MS, signal);
      remaining = await serversOn(clusterDir, pid);
    }
  }
  if (remaining.length > 0) {
    const message = `PostgreSQL processes ${remaining.join(", ")} still work on ${clusterDir} and cannot be stopped. Stop them and start again.`;
    throw new EventplaneError("data_directory_in_use", message, { details: { pid } });
  }
  // A pid that is reused by now, or kept by a zombie, would make PostgreSQL refuse to start; nobody works here any more.
  if (process.platform === "linux") await rm(pidFile, { force: true });
  return found ? pid : undefined;
}

async function postmasterPid(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return "";
    throw error;
  });
  const pid = Number.parseInt(text, 10);
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

/** Never trusts the pid alone: it must be a PostgreSQL that works in this very folder. */
async function serversOn(clusterDir: string, pid: number): Promise<readonly number[]> {
  const processes = await postgresProcessesIn(clusterDir);
  if (processes !== undefined) return processes;
  const command = await commandLineOf(pid);
  return command !== undefined && command.includes("postgres") && command.includes(clusterDir) ? [pid] : [];
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended in the meantime.
    if (!isMissing(error)) throw error;
  }
}

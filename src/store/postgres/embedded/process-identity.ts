/**
 * Which process is meant: a pid alone is reused, so a process is named by pid, start time and machine.
 *
 * Linux reads /proc (proc(5)); elsewhere `ps` gives the start time to the second. A zombie counts as dead: nobody may
 * have reaped it yet, but it holds nothing.
 */
import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { hostname } from "node:os";
import { promisify } from "node:util";

/** A process that can be found again without being mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal only for the same process. */
  readonly processStart: string;
  /** Opaque; equal only where pids mean the same: one boot of one machine and one pid namespace. */
  readonly machine: string;
}

const run = promisify(execFile);
const onLinux = process.platform === "linux";
const COMMAND_TIMEOUT_MS = 1_000;
// Fields of /proc/PID/stat after the command name: state is the first, starttime (22nd of all) the twentieth.
const STATE_FIELD = 0;
const START_FIELD = 19;

/** The identity of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const processStart = (await processStartOf(process.pid)) ?? "unknown";
  return { pid: process.pid, processStart, machine: await machineName() };
}

/** Opaque start time of a living process; undefined when it is gone or only a zombie. */
export async function processStartOf(pid: number): Promise<string | undefined> {
  if (onLinux) return (await linuxStat(pid))?.start;
  // `ps` exits with 1 when there is no such process.
  const answer = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { timeout: COMMAND_TIMEOUT_MS }).catch(
    () => undefined,
  );
  const [state = "Z", ...start] = (answer?.stdout ?? "").trim().split(/\s+/);
  return state.startsWith("Z") || start.length === 0 ? undefined : start.join(" ");
}

/**
 * The pids of all living PostgreSQL processes that work inside `clusterDir`; undefined where that cannot be known
 * (outside Linux). PostgreSQL changes into its data directory and stays there.
 */
export async function postgresProcessesIn(clusterDir: string): Promise<readonly number[] | undefined> {
  if (!onLinux) return undefined;
  const folder = await realpath(clusterDir);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
      return cwd === folder && (await linuxStat(pid))?.command === "postgres" ? pid : undefined;
    }),
  );
  return found.filter((pid) => pid !== undefined);
}

/** The command line of a living process, where /proc is missing; undefined when it is gone. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  const answer = await run("ps", ["-ww", "-o", "command=", "-p", String(pid)], { timeout: COMMAND_TIMEOUT_MS }).catch(
    () => undefined,
  );
  return answer?.stdout.trim();
}

async function linuxStat(pid: number): Promise<{ readonly command: string; readonly start: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const command = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  const rest = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = rest[STATE_FIELD];
  const start = rest[START_FIELD];
  return state === "Z" || state === "X" || start === undefined ? undefined : { command, start };
}

async function machineName(): Promise<string> {
  if (!onLinux) return hostname();
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => hostname());
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${boot.trim()} ${namespace}`.trim();
}

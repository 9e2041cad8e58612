/** CPU and memory of processes, from /proc (Linux). */
import { readFileSync } from "node:fs";

/** CPU that a process has used, milliseconds, without its children. */
export function cpuMs(pid: number): number {
  // Nanoseconds on a CPU; finer than the ticks of /proc/<pid>/stat. Threads count for themselves.
  const threads = readFileSync(`/proc/${pid}/status`, "utf8").match(/^Threads:\s+1$/m) === null;
  if (threads) return ticksMs(pid);
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** CPU of a PostgreSQL server with all of its present processes, milliseconds. */
export function serverCpuMs(postmasterPid: number): number {
  const children = readFileSync(`/proc/${postmasterPid}/task/${postmasterPid}/children`, "utf8");
  let sum = 0;
  for (const pid of [postmasterPid, ...children.split(" ").filter(Boolean).map(Number)]) {
    try {
      sum += cpuMs(pid);
    } catch {
      // It has ended since the list was read.
    }
  }
  return sum;
}

/** Resident memory now, MB. */
export function residentMb(pid: number): number {
  const [, kilobytes] = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB$/m) ?? [];
  return Number(kilobytes) / 1024;
}

const ticksPerSecond = 100;

function ticksMs(pid: number): number {
  // Fields after the command's closing parenthesis: utime is the 12th of them, stime the 13th (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
}

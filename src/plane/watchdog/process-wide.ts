/** What is the same in all threads of a process. */
import { url } from "node:inspector";

const nanosecondsPerMs = 1e6;

/** Milliseconds of the one monotonic clock that every thread reads alike; `performance.now` begins anew in each. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / nanosecondsPerMs;
}

/** Where a debugger may attach, or has; undefined: nowhere. */
export function inspectorUrl(): string | undefined {
  return url();
}

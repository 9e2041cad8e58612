/**
 * Time and chance as ports, so that domain code is deterministic and tests run on a virtual clock.
 *
 * Durations come from the monotonic clock, timestamps from the wall clock in UTC, leases from the database's clock.
 */
import { EventplaneError } from "./errors.js";

/** The clock that domain code sees. */
export interface Clock {
  /** Wall clock, microseconds since 1970-01-01T00:00:00Z; a safe integer. */
  nowUs(): number;
  /** Monotonic milliseconds from an arbitrary start; fractions allowed. */
  monotonicMs(): number;
  /**
   * Resolves after `ms` milliseconds.
   *
   * @throws EventplaneError `aborted` as soon as `signal` aborts; no timer is left behind.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(new EventplaneError("aborted", "The wait was aborted by its caller."));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    }),
};

const microsecondsPerMs = 1000;
const microsecondsPerSecond = 1_000_000;
/** Times come close together, and printing a date costs ten times as much as the digits behind its second. */
const lastSecond = { second: Number.NaN, text: "" };

/** RFC 3339 UTC with six decimals, from microseconds since 1970. `formatUs(0)` is `1970-01-01T00:00:00.000000Z`. */
export function formatUs(us: number): string {
  const second = Math.floor(us / microsecondsPerSecond);
  if (second !== lastSecond.second) {
    lastSecond.text = new Date(second * 1000).toISOString().slice(0, -".000Z".length);
    lastSecond.second = second;
  }
  return `${lastSecond.text}.${String(us - second * microsecondsPerSecond).padStart(6, "0")}Z`;
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Microseconds since 1970 from an RFC 3339 date-time; digits beyond microseconds are cut.
 *
 * @returns undefined when `text` is not an RFC 3339 date-time of a day that exists, or one whose microseconds are no safe
 * integer (before 1684-07-28, after 2255-06-05): it could not be hashed exactly
 */
export function parseUs(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [, day = "", time = "", fraction = "", zone = ""] = match;
  const ms = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  const existingDay = new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day);
  if (!existingDay || day.startsWith("0000")) return undefined;
  const us = ms * microsecondsPerMs + Number(fraction.padEnd(6, "0").slice(0, 6));
  return Number.isSafeInteger(us) ? us : undefined;
}

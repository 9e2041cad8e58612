/** Durations as people write them. */
import { EventplaneError } from "../kernel/errors.js";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const millisecondsMax = 2_147_483_647;

/**
 * `250ms`, `10s`, `2m`, `1h` in milliseconds.
 *
 * @throws EventplaneError `usage`
 */
export function parseDuration(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(digits) * (units[unit] ?? Number.NaN);
  if (digits !== "" && ms >= 1 && ms <= millisecondsMax) return ms;
  throw new EventplaneError(
    "usage",
    "A duration is a whole number with its unit: 250ms, 10s, 2m, 1h; at most 24 days.",
  );
}

/** Milliseconds for people: `312 ms`, `4.2 s`, `3 min`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Number.isInteger(ms) || ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

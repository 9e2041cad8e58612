/**
 * The one backoff: exponential with a cap and full jitter.
 *
 * Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (full jitter); the defaults of reconciles are controller-runtime's.
 */
import type { Random } from "./ids.js";

/** Bounds of the waits. */
export interface BackoffOptions {
  /** Upper bound of the first wait; doubles with each attempt. */
  readonly baseMs: number;
  /** No wait is longer. */
  readonly capMs: number;
}

/** The wait after the attempt numbered `attempt` (from 1) failed: evenly spread over [0, min(capMs, baseMs · 2^(attempt-1))). */
export function backoffMs(attempt: number, options: BackoffOptions & { readonly random: Random }): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** (Math.max(1, attempt) - 1));
  return options.random() * ceiling;
}

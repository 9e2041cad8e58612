/**
 * The one backoff: exponential with a cap, full jitter and a deadline.
 *
 * Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (full jitter); the defaults of reconciles are controller-runtime's.
 */
import { EventplaneError, isEventplaneError } from "./errors.js";
import type { Random } from "./ids.js";
import type { Clock } from "./time.js";

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

/** How {@link retry} tries again. */
export interface RetryOptions extends BackoffOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Attempts in all, the first included. */
  readonly attemptsMax: number;
  /** Measured from the call on the monotonic clock; no wait begins that would end behind it. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs `operation` until it succeeds, as long as it throws an EventplaneError that is `retryable`.
 *
 * `operation` gets the number of the attempt, from 1. An abort ends the wait; it does not end an attempt that is running, which takes
 * the signal itself.
 *
 * @throws the last error of `operation` when it is not retryable, or when attempts or time are used up; `aborted`
 */
export async function retry<Result>(
  operation: (attempt: number) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { clock, signal } = options;
  const deadline = clock.monotonicMs() + options.deadlineMs;
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) throw new EventplaneError("aborted", "The retry was aborted by its caller.");
    try {
      return await operation(attempt);
    } catch (error) {
      const again = isEventplaneError(error) && error.retryable && attempt < options.attemptsMax;
      const waitMs = again ? backoffMs(attempt, options) : 0;
      if (!again || clock.monotonicMs() + waitMs > deadline) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

/** How subscriptions read pages: patiently, and with an eye on gaps. */
import type { EventRow } from "../event/index.js";
import { backoffMs, type Clock, EventplaneError, isEventplaneError, type Random } from "../kernel/index.js";

/** How long and with which waits a read is tried again. */
export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  /** How long reads may fail before subscribers are told. */
  readonly outageMsMax: number;
  readonly signal: AbortSignal;
}

const outageBackoff = { baseMs: 50, capMs: 2_000 };

/**
 * Reads again while the store cannot be reached.
 *
 * @throws the last error of `read` after `outageMsMax`; `aborted`
 */
export async function readPatiently<Result>(read: () => Promise<Result>, patience: Patience): Promise<Result> {
  const { clock, random, outageMsMax, signal } = patience;
  const deadline = clock.monotonicMs() + outageMsMax;
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      const waitMs = backoffMs(attempt, { ...outageBackoff, random });
      const again = isEventplaneError(error) && error.retryable && clock.monotonicMs() + waitMs <= deadline;
      if (!again) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

/**
 * Checks that `row` is the one after `position`.
 *
 * @throws EventplaneError `event_corrupt`: the log has lost, repeated or reordered something (P3)
 */
export function assertNext(row: EventRow, position: number): void {
  if (row.position === position + 1) return;
  throw notDense({ tenantId: row.tenantId, position, found: row.position });
}

/** The error of a log that is not 1, 2, 3 … */
export function notDense(details: {
  readonly tenantId: string;
  readonly position: number;
  readonly found: number;
}): EventplaneError {
  const { tenantId, position, found } = details;
  return new EventplaneError(
    "event_corrupt",
    `The log of tenant ${tenantId} is not dense: after position ${position} comes ${found}. Run evtctl verify.`,
    { details },
  );
}

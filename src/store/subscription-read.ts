/** How subscriptions and loaders read pages: patiently, in sizes that memory can hold, and with an eye on gaps. */
import type { EventRow } from "../event/index.js";
import { backoffMs, type Clock, EventplaneError, isEventplaneError, limits, type Random } from "../kernel/index.js";

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

/** Rows of the first page; later ones are larger or smaller by how large the rows are. */
export const firstPageLimit: number = 100;
const pageLimitMin = 16;
const pageBytesAim = 1_048_576;

/** The limit of the page after `page`, which was read with `limit`. */
export function nextPageLimit(limit: number, page: readonly EventRow[]): number {
  const bytes = page.reduce((sum, row) => sum + rowBytes(row), 0);
  if (bytes > pageBytesAim * 2) return Math.max(pageLimitMin, Math.floor(limit / 2));
  return page.length === limit && bytes < pageBytesAim / 2 ? Math.min(limits.readPageMax, limit * 2) : limit;
}

/** About how much memory a row holds. */
export function rowBytes(row: EventRow): number {
  return 1_000 + row.specText.length + row.statusText.length + row.causedByText.length;
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

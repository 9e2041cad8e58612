/** A consumer's place in a tenant's log, and what may come after it. */
import { type EventRow, genesisHash } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";

/** A consumer's place in a tenant's log; `hash` is that of the event at `position`. */
export interface Cursor {
  readonly logEpoch: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** The place after this row. */
export function cursorAt({ logEpoch, position, hash }: EventRow): Cursor {
  return { logEpoch, position, hash };
}

/**
 * Refuses a row that is not the next one after the cursor; undefined: before the first.
 *
 * @throws EventplaneError `verification_failed`
 */
export function checkContinues(row: EventRow, after: Cursor | undefined): void {
  const position = (after?.position ?? 0) + 1;
  const previous = after?.hash ?? genesisHash(row.tenantId, row.logEpoch);
  const epochFits = after === undefined || after.logEpoch === row.logEpoch;
  if (row.position === position && epochFits && Buffer.compare(row.previousHash, previous) === 0) return;
  throw new EventplaneError(
    "verification_failed",
    `Position ${row.position} of tenant ${row.tenantId} does not continue the log at position ${position}. Run evtctl verify.`,
    { details: { tenantId: row.tenantId, position: row.position } },
  );
}

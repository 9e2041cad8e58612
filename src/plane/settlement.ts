/** Waits until a generation has ended (DESIGN §13.3): ready, deleted or rejected, or a later one has begun. */
import { type EventRow, isSpecBearing, runtimeComponent } from "../event/index.js";
import { type Clock, type Doorbell, EventplaneError, limits, type TenantId } from "../kernel/index.js";
import type { LogReader, Receipt } from "../store/index.js";
import { Wakeup } from "../work/index.js";
import { NotSettledError } from "./not-settled-error.js";

/** How a generation ended. `superseded`: a later intent has taken its place. */
export type Settlement = "ready" | "deleted" | "rejected" | "superseded";

/** How long to wait. */
export interface SettleOptions {
  /** 1 to 600,000; default 30,000. */
  readonly timeoutMs?: number;
  /** An abort ends the waiting; what was published goes on. */
  readonly signal?: AbortSignal;
}

/** What waiting needs. */
export interface SettlementPorts {
  readonly reader: LogReader;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
}

const timeoutMsDefault = 30_000;
const timeoutMsMax = 600_000;
/** Other processes ring a bell of their own. */
const lookMs = 100;

/**
 * Resolves when the generation of the receipt has ended. One read of the stream at a ring of the bell, and every 100 ms.
 *
 * @throws NotSettledError (`not_settled`) when time is over, the signal aborts, or the log cannot be read; EventplaneError
 * `usage` for a time that is out of range
 */
export async function settlementOf(
  { reader, doorbell, clock }: SettlementPorts,
  receipt: Receipt,
  { timeoutMs = timeoutMsDefault, signal }: SettleOptions = {},
): Promise<Settlement> {
  if (!Number.isFinite(timeoutMs) || timeoutMs < 1 || timeoutMs > timeoutMsMax) {
    throw new EventplaneError("usage", `timeoutMs is a number of milliseconds from 1 to ${timeoutMsMax}.`);
  }
  const bell = new Wakeup(clock);
  const stop = doorbell.listen(() => bell.ring(), receipt.tenantId);
  const endMs = clock.monotonicMs() + timeoutMs;
  // From the receipt's own event on: that of a deletion which had nothing to do may be the end itself.
  let afterVersion = receipt.version - 1;
  try {
    for (;;) {
      const rows = await newRows(reader, receipt, afterVersion);
      const ended = rows.map((row) => endOf(row, receipt.generation)).find((end) => end !== undefined);
      if (ended !== undefined) return ended;
      afterVersion = rows.at(-1)?.version ?? afterVersion;
      const leftMs = endMs - clock.monotonicMs();
      if (signal?.aborted) throw new NotSettledError(receipt, "aborted", { timeoutMs, cause: signal.reason });
      if (leftMs <= 0) throw new NotSettledError(receipt, "timeout", { timeoutMs });
      if (rows.length < limits.readPageMax) await bell.wait(Math.min(lookMs, leftMs), signal);
    }
  } catch (cause) {
    if (cause instanceof NotSettledError) throw cause;
    throw new NotSettledError(receipt, "unreadable", { timeoutMs, cause });
  } finally {
    stop();
  }
}

function newRows(
  reader: LogReader,
  { tenantId, aggregateType, aggregateId }: { readonly tenantId: TenantId } & Receipt,
  afterVersion: number,
): Promise<readonly EventRow[]> {
  return reader.readStream(tenantId, { aggregateType, aggregateId }, { afterVersion, limit: limits.readPageMax });
}

function endOf(row: EventRow, generation: number): Settlement | undefined {
  if (isSpecBearing(row) && row.generation > generation) return "superseded";
  if (row.generation !== generation || row.decision === null) return undefined;
  const root = row.aggregateType;
  if (row.type === `${root}.rejected`) return "rejected";
  if (row.decision.component !== runtimeComponent) return undefined;
  return row.type === `${root}.ready` ? "ready" : row.type === `${root}.deleted` ? "deleted" : undefined;
}

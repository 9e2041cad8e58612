/** The error of waiting in vain: what was published stands. */
import { EventplaneError } from "../kernel/index.js";
import type { Receipt } from "../store/index.js";

/** Why nobody waited longer. */
export type NotSettledReason = "timeout" | "aborted" | "unreadable";

const words: Readonly<Record<NotSettledReason, (timeoutMs: number) => string>> = {
  timeout: (timeoutMs) => `was not settled within ${timeoutMs} ms`,
  aborted: () => "was not settled when its caller stopped waiting",
  unreadable: () => "cannot be followed any more, because its log cannot be read",
};

/**
 * The intent is accepted and goes on by itself: do not publish it again, `settled(error.receipt)` waits on.
 *
 * Its code is `not_settled`, and it is not retryable: what may be done again is the waiting, not the publishing.
 */
export class NotSettledError extends EventplaneError {
  readonly receipt: Receipt;
  readonly reason: NotSettledReason;

  constructor(
    receipt: Receipt,
    reason: NotSettledReason,
    { timeoutMs, cause }: { readonly timeoutMs: number; readonly cause?: unknown },
  ) {
    const { id, aggregateType, aggregateId, generation, position } = receipt;
    const message = `${aggregateType}/${aggregateId} ${words[reason](timeoutMs)}. Intent ${id} is in the log at position ${position} and goes on; wait for it with settled(error.receipt).`;
    super("not_settled", message, { details: { id, aggregateType, aggregateId, generation, position, reason }, cause });
    this.name = "NotSettledError";
    this.receipt = receipt;
    this.reason = reason;
  }
}

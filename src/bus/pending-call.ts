/** Waiting for what a handler promised. */
import type { AwaitedCall, Delivery } from "./delivery.js";

/** What is done when the wait is over. None of them throws. */
export interface PendingCallEnds {
  readonly done: (call: PendingCall) => void;
  readonly failed: (call: PendingCall, error: unknown) => void;
}

/**
 * A call under way. Its callbacks are made once and serve call after call, which halves the cost of waiting; so exactly one of `done`
 * and `failed` comes after each {@link PendingCall.wait}, whatever the handler's promise does, and only then it may serve again.
 */
export class PendingCall implements AwaitedCall {
  delivery: Delivery | undefined = undefined;
  /** When the call began, if it is measured. */
  beganAtMs = 0;
  readonly #done: () => void;
  readonly #failed: (error: unknown) => void;

  constructor(ends: PendingCallEnds) {
    this.#done = () => ends.done(this);
    this.#failed = (error) => ends.failed(this, error);
  }

  /** Throws what asking `result` throws; nothing is waited for then. */
  wait(result: PromiseLike<unknown>): void {
    // The `then` of a promise of another kind could call both, or one of them twice.
    const promise = isOrdinary(result) ? result : new Promise((resolve) => resolve(result));
    void Promise.prototype.then.call(promise, this.#done, this.#failed);
  }
}

function isOrdinary(result: PromiseLike<unknown>): result is Promise<unknown> {
  return result instanceof Promise && result.constructor === Promise;
}

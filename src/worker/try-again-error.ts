/** The error of a call that certainly did nothing. */
import { EventplaneError } from "../kernel/index.js";

/**
 * Thrown by a worker that knows that nothing was done: the call is made again, also where unknown outcomes are held.
 *
 * The message is shown to operators: no payloads, no secrets.
 *
 * @example if (response.status === 503) throw new TryAgainError("The billing service is busy");
 */
export class TryAgainError extends EventplaneError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("try_again", message, options);
    this.name = "TryAgainError";
  }
}

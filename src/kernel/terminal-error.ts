/** The error that ends the attempts. */
import { EventplaneError } from "./errors.js";

/**
 * Thrown by whoever knows that trying again cannot help: a controller's work becomes a dead letter at once, a worker's
 * effect has failed.
 *
 * The message is shown to operators and, of a worker, stored: no payloads, no secrets.
 */
export class TerminalError extends EventplaneError {
  /** A word for programs, letters, digits and `_`: the `code` of an effect that failed. */
  readonly reason: string | undefined;

  constructor(message: string, options: { readonly reason?: string; readonly cause?: unknown } = {}) {
    super("terminal_error", message, options);
    this.name = "TerminalError";
    this.reason = options.reason;
  }
}

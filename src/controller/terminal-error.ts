/** The error that ends the attempts. */
import { EventplaneError } from "../kernel/index.js";

/**
 * Thrown by a controller that knows that trying again cannot help: the work becomes a dead letter at once.
 *
 * The message is shown to operators: no payloads, no secrets.
 */
export class TerminalError extends EventplaneError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super("terminal_error", message, options);
    this.name = "TerminalError";
  }
}

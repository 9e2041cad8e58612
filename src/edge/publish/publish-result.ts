/** What became of one intent. */
import type { EventplaneError } from "../../kernel/index.js";
import type { Receipt } from "../../store/index.js";

/**
 * - `created`: it is in the log now.
 * - `repeated`: it was already, with the same content; the receipt is the first one.
 * - `unchanged`: the deletion of what is being or has been deleted; the receipt is that of the stream's last event.
 * - `refused`: nothing was added.
 */
export type PublishResult =
  | { readonly result: "created" | "repeated" | "unchanged"; readonly receipt: Receipt }
  | { readonly result: "refused"; readonly error: EventplaneError };

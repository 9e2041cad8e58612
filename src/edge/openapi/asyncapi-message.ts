/** A message of the AsyncAPI document. */
import type { JsonObject } from "../../kernel/index.js";

/** A message, and its name in `components.messages`. */
export interface Message {
  readonly name: string;
  readonly message: JsonObject;
}

/**
 * Reading the JSON texts that the log holds.
 */
import { EventplaneError, type JsonValue } from "../kernel/index.js";
import type { CausedBy } from "./event.js";
import { isJsonObject } from "./merge-patch.js";

/**
 * The value of a stored JSON text.
 *
 * @throws EventplaneError `event_corrupt` naming the event when the text is not JSON
 */
export function parseStored(text: string, event: { readonly id: string }): JsonValue {
  try {
    return JSON.parse(text) as JsonValue; // JSON.parse gives nothing else
  } catch (cause) {
    throw new EventplaneError(
      "event_corrupt",
      `Event ${event.id} holds text that is not JSON. Run \`evtctl verify\`.`,
      { cause },
    );
  }
}

/**
 * The stamp in a stored text.
 *
 * @throws EventplaneError `event_corrupt` when it is none
 */
export function parseCausedBy(text: string, event: { readonly id: string }): CausedBy {
  const value = parseStored(text, event);
  if (
    !isJsonObject(value) ||
    !isJsonObject(value.principal) ||
    typeof value.via !== "string" ||
    (value.keyId !== null && typeof value.keyId !== "string")
  ) {
    throw new EventplaneError("event_corrupt", `Event ${event.id} does not say who caused it. Run \`evtctl verify\`.`);
  }
  return value as unknown as CausedBy; // only the factory writes stamps; the members that code relies on are checked
}

/** What events of the platform's log hold, read with the doubt that their schemas leave. */
import type { EventRow } from "../../event/index.js";
import { EventplaneError, type JsonObject, type JsonValue } from "../../kernel/index.js";

/** The spec. */
export function specOf(row: EventRow): JsonObject {
  return JSON.parse(row.specText) as JsonObject; // a spec is always a JSON object: the store's contract
}

/** A member that must be a text. @throws EventplaneError `event_corrupt` */
export function textOf(spec: JsonObject, member: string, row: EventRow): string {
  const value = spec[member];
  if (typeof value !== "string") throw corrupt(row);
  return value;
}

/** A member that must be a list of texts. @throws EventplaneError `event_corrupt` */
export function textsOf(value: JsonValue | undefined, row: EventRow): readonly string[] {
  if (!Array.isArray(value)) throw corrupt(row);
  return value.map(String);
}

/** The event is not what its type says. */
export function corrupt(row: EventRow): EventplaneError {
  return new EventplaneError(
    "event_corrupt",
    `The platform event at position ${row.position} is not what its type says.`,
  );
}

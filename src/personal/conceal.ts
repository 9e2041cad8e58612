/** Keeps what a worker was shown out of what it gives back. */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import type { OpenedValue } from "./sealed-texts.js";

/** Shorter texts are parts of too many others to be looked for in them. */
const partCharactersMin = 4;
const concealedPart = "[personal]";

/** A text without the values that were opened. */
export function concealed(text: string, opened: readonly OpenedValue[]): string {
  return opened.reduce((rest, { json }) => {
    const plain = JSON.parse(json) as string; // only strings are sealed
    return rest === plain || plain.length >= partCharactersMin ? rest.replaceAll(plain, concealedPart) : rest;
  }, text);
}

/** A value in which opened strings are sealed again where they are whole, and hidden where they are part of others. */
export function resealed(value: JsonObject, opened: readonly OpenedValue[]): JsonObject {
  if (opened.length === 0) return value;
  // Looked for as they come out of JSON, so that escapes hide nothing.
  const sealedOf = new Map(
    opened.map(({ json, sealed }) => [JSON.parse(json) as string, JSON.parse(sealed) as string]),
  );
  const visit = (part: JsonValue): JsonValue => {
    if (typeof part === "string") return sealedOf.get(part) ?? concealed(part, opened);
    if (typeof part !== "object" || part === null) return part;
    if (Array.isArray(part)) return part.map(visit);
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [concealed(name, opened), visit(each)]));
  };
  return visit(value) as JsonObject; // an object stays one
}

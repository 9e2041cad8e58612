/** Keeps what a worker was shown out of what it gives back. */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import type { OpenedValue } from "./sealed-texts.js";

/** Shorter texts are parts of too many others to be looked for in them. */
const partCharactersMin = 4;
const concealedPart = "[personal]";

/** A text without the values that were opened, the longest first: a first name must not leave the rest of the whole one. */
export function concealed(text: string, opened: readonly OpenedValue[]): string {
  const plains = opened.map(({ json }) => JSON.parse(json) as string); // only strings are sealed
  const forms = plains.flatMap((plain) => (plain.length >= partCharactersMin ? writtenForms(plain) : []));
  if (plains.includes(text)) return concealedPart;
  return forms
    .toSorted((one, other) => other.length - one.length)
    .reduce((rest, form) => rest.replaceAll(form, concealedPart), text);
}

/** As it is, and as it stands in JSON and in an address: texts of errors quote requests. */
function writtenForms(plain: string): readonly string[] {
  const inAddress = encodeURIComponent(plain);
  const inForm = new URLSearchParams([["", plain]]).toString().slice(1);
  return [...new Set([plain, JSON.stringify(plain).slice(1, -1), inAddress, inForm])];
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

/**
 * What an encrypted personal value looks like wherever it is stored: a string that names its key. Encryption itself is the
 * room `personal`'s; schemas and readers only have to know the form.
 */
import type { JsonObject, JsonValue } from "./json-types.js";

/** Every sealed value begins so: `sealed:v1:<key id>:<base64url of nonce, ciphertext and tag>`. */
export const sealedPrefix = "sealed:v1:";

const pattern = "^sealed:v1:[0-9a-f-]{36}:[A-Za-z0-9_-]{38,}$";
const form = new RegExp(pattern);
/** In JSON text a sealed value has nothing to escape, so it stands there as it is. */
const inText = `"${sealedPrefix}`;
const mark = "x-eventplane-personal";

/** Whether a string has the form; whether it can be opened, its key tells. */
export function isSealed(text: string): boolean {
  return form.test(text);
}

/** Whether a JSON text may hold sealed values: false for all texts without any, at the cost of one search. */
export function mayHoldSealed(text: string): boolean {
  return text.includes(inText);
}

/** `beside`: a marked place takes what its schema says, or a sealed value. `only`: nothing but a sealed value. */
export type SealedAdmission = "beside" | "only";

/** The schema as it holds for values that have passed the edge: where it is marked, strings are sealed. */
export function admitSealed(schema: JsonObject, admission: SealedAdmission): JsonObject {
  return admit(schema, admission) as JsonObject; // an object in, an object out
}

function admit(part: JsonValue, admission: SealedAdmission): JsonValue {
  if (Array.isArray(part)) return part.map((each: JsonValue) => admit(each, admission));
  if (typeof part !== "object" || part === null) return part;
  const object = part as JsonObject; // neither null nor an array
  const copy = Object.fromEntries(Object.entries(object).map(([name, value]) => [name, admit(value, admission)]));
  if (object[mark] === undefined || object[mark] === false) return copy;
  const { [mark]: _, ...own } = copy;
  const sealed = { type: "string", pattern };
  return admission === "only" ? sealed : { anyOf: [own, sealed] };
}

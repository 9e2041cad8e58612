/** Small parts that JSON Schemas of bodies and parameters are made of. */
import { type JsonObject, limits } from "../../kernel/index.js";

/** Keywords beside those of a part. */
type More = JsonObject;

/** A text. */
export const text = (more: More = {}): JsonObject & { readonly type: "string" } => ({ type: "string", ...more });
/** A whole number that JSON holds exactly. */
export const whole = (minimum = 0, more: More = {}): JsonObject & { readonly type: "integer" } => ({
  type: "integer",
  minimum,
  maximum: Number.MAX_SAFE_INTEGER,
  ...more,
});
/** True or false. */
export const flag = (more: More = {}): JsonObject => ({ type: "boolean", ...more });
/** One of some texts. */
export const oneOf = (
  values: readonly string[],
  more: More = {},
): JsonObject & { readonly type: "string"; readonly enum: readonly string[] } => ({
  type: "string",
  enum: [...values],
  ...more,
});
/** A UUID in lower case. */
export const uuid = (more: More = {}): JsonObject & { readonly type: "string" } =>
  text({ format: "uuid", pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", ...more });
/** RFC 3339. */
export const time = (more: More = {}): JsonObject & { readonly type: "string" } =>
  text({ format: "date-time", ...more });
/** A dotted event type. */
export const eventType = (): JsonObject & { readonly type: "string" } =>
  text({ pattern: "^[a-z][a-z0-9_-]*(\\.[a-z0-9][a-z0-9_-]*){0,7}$", maxLength: limits.typeCharactersMax });
/** What names an aggregate. */
export const aggregateType = (): JsonObject & { readonly type: "string" } =>
  text({ pattern: "^[a-z][a-z0-9_-]{0,63}$" });
/** What names one of them. */
export const aggregateId = (): JsonObject & { readonly type: "string" } =>
  text({ pattern: "^[A-Za-z0-9._:-]{1,128}$" });
/** SHA-256 in lower-case hex. */
export const hash = (): JsonObject => text({ pattern: "^[0-9a-f]{64}$" });
/** The same, or null. */
export const orNull = (schema: JsonObject): JsonObject => ({ anyOf: [schema, { type: "null" }] });
/** A list. */
export const list = (items: JsonObject, more: More = {}): JsonObject => ({ type: "array", items, ...more });
/** Any JSON object. */
export const anyObject = (more: More = {}): JsonObject => ({ type: "object", additionalProperties: true, ...more });
/** An object whose members have names of their own. */
export const map = (values: JsonObject): JsonObject => ({ type: "object", additionalProperties: values });
/** A shape of shapes.ts. */
export const shape = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

/** An object; names with a `?` at their end are of members that may be missing. */
export function members(given: Readonly<Record<string, JsonObject>>, more: More = {}): JsonObject {
  const required = Object.keys(given).filter((name) => !name.endsWith("?"));
  const properties = Object.fromEntries(Object.entries(given).map(([name, part]) => [name.replace(/\?$/, ""), part]));
  return { type: "object", ...(required.length > 0 ? { required } : {}), properties, ...more };
}

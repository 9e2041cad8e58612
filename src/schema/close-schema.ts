/**
 * Schemas are closed: a member that nobody declared is a mistake of the caller. Objects that say otherwise stay open.
 */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import { mapSubschemas, type SchemaPlace } from "./walk-schema.js";

const openings: readonly string[] = ["additionalProperties", "unevaluatedProperties", "patternProperties"];
const compositions: readonly string[] = ["allOf", "anyOf", "oneOf", "if", "$ref", "$dynamicRef", "dependentSchemas"];

/**
 * The schema with every object closed that says nothing of further members.
 *
 * A plain object gets `additionalProperties: false`. One that is composed (`allOf`, `anyOf`, `$ref` …) gets
 * `unevaluatedProperties: false` instead, and its branches stay open, because each sees only its own part. Under `not`
 * and `if` nothing changes.
 */
export function closeSchema(schema: JsonObject): JsonObject {
  return close(schema, true) as JsonObject; // an object in, an object out
}

function close(schema: JsonValue, closing: boolean): JsonValue {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return schema;
  const object = schema as JsonObject; // neither null nor an array
  const composed = compositions.some((keyword) => keyword in object);
  const plainUnion = composed && !isObjectSchema(object) && !("allOf" in object) && !("$ref" in object);
  const closesHere = closing && !openings.some((keyword) => keyword in object);
  const closed = mapSubschemas(object, (part, place) => closePart(part, place, { composed, plainUnion, closing }));
  if (!closesHere || plainUnion) return closed;
  if (composed)
    return isObjectSchema(object) || "allOf" in object ? { ...closed, unevaluatedProperties: false } : closed;
  return isObjectSchema(object) ? { ...closed, additionalProperties: false } : closed;
}

function closePart(
  part: JsonValue,
  place: SchemaPlace,
  parent: { readonly composed: boolean; readonly plainUnion: boolean; readonly closing: boolean },
): JsonValue {
  if (place === "condition") return part;
  // A union of whole shapes is closed shape by shape; branches that complete a shape are closed by the shape.
  if (place === "branch") return close(part, parent.closing && parent.plainUnion);
  return close(part, true);
}

function isObjectSchema(schema: JsonObject): boolean {
  const { type } = schema;
  return type === "object" || (Array.isArray(type) && type.includes("object")) || "properties" in schema;
}

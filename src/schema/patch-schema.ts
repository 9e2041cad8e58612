/**
 * The schema of a merge patch (RFC 7396) for values of another schema.
 */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import { mapSubschemas } from "./walk-schema.js";

const requirements: readonly string[] = ["required", "minProperties", "dependentRequired"];

/**
 * The schema with nothing required in it, where null removes an optional member. Arrays are replaced as a whole, so their
 * items keep their requirements, and so does what is behind a `$ref`.
 */
export function patchSchema(schema: JsonObject): JsonObject {
  const required: readonly JsonValue[] = Array.isArray(schema.required) ? schema.required : [];
  const relaxed = mapSubschemas(schema, (part, place) =>
    place === "branch" && isSchemaObject(part) ? patchSchema(part) : part,
  );
  const kept = Object.entries(relaxed).filter(([keyword]) => !requirements.includes(keyword));
  const { properties, oneOf, ...rest } = Object.fromEntries(kept);
  return {
    ...rest,
    ...(isSchemaObject(properties) ? { properties: patchMembers(properties, required) } : {}),
    // Without its requirements a value may fit several shapes.
    ...(oneOf === undefined ? {} : { anyOf: oneOf }),
  };
}

function patchMembers(properties: JsonObject, required: readonly JsonValue[]): JsonObject {
  const members = Object.entries(properties).map(([name, part]): [string, JsonValue] => {
    if (!isSchemaObject(part)) return [name, part];
    const patch = part.type === "object" ? patchSchema(part) : part;
    return [name, required.includes(name) ? patch : { anyOf: [patch, { type: "null" }] }];
  });
  return Object.fromEntries(members);
}

function isSchemaObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

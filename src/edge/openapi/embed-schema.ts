/** A schema of an application as a component of the document: its own references are made to point to where it is now. */
import type { JsonObject, JsonValue } from "../../kernel/index.js";

/** Names of components may hold these only. */
const foreign = /[^A-Za-z0-9._-]/g;

/** The name of the component that holds a type's schema. */
export function componentName(type: string, schemaVersion: number): string {
  return `Spec.${type}.${schemaVersion}`.replaceAll(foreign, "_");
}

/** The schema with its local references below `#/components/schemas/<name>`. */
export function embedSchema(schema: JsonObject, name: string): JsonObject {
  const { $id: _, $schema: __, ...rest } = schema;
  return moved(rest, `#/components/schemas/${name}`) as JsonObject; // an object stays one
}

function moved(value: JsonValue, base: string): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((part) => moved(part, base)); // Array.isArray loses the readonly element type
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, part]): [string, JsonValue] => {
    const isLocal = name === "$ref" && typeof part === "string" && part.startsWith("#");
    return [name, isLocal ? `${base}${part.slice(1)}` : moved(part as JsonValue, base)]; // members of JSON are JSON
  });
  return Object.fromEntries(entries);
}

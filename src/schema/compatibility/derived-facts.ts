/** A single value as a schema of plain keywords, so that the rules need not know of values. */
import type { JsonObject, JsonValue } from "../../kernel/index.js";
import { typeOf } from "./facts.js";

/** The schema that only this value fits, and that says so keyword by keyword. */
export function derivedOf(value: JsonValue): JsonObject {
  const said = { const: value, type: typeOf(value) };
  if (typeof value === "number") return { ...said, minimum: value, maximum: value };
  if (typeof value === "string") {
    const characters = [...value].length;
    return { ...said, minLength: characters, maxLength: characters };
  }
  if (typeof value !== "object" || value === null) return said;
  const members = Object.entries(value).map(([name, each]): [string, JsonObject] => [
    name,
    { const: each as JsonValue },
  ]); // members of JSON are JSON
  if (Array.isArray(value))
    return {
      ...said,
      prefixItems: members.map(([, each]) => each),
      minItems: members.length,
      maxItems: members.length,
    };
  return {
    ...said,
    properties: Object.fromEntries(members),
    required: members.map(([name]) => name),
    additionalProperties: false,
  };
}

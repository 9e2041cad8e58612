/** A schema within its document, so that its references can be followed. */
import type { JsonObject, JsonValue } from "../kernel/index.js";

/** A schema and the document that it is in. */
export interface Sub {
  readonly schema: JsonValue;
  readonly root: JsonObject;
}

/** True for a schema that has keywords. */
export function isSchemaObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema that a `$ref` means: `#`, or `#` and a JSON pointer into the document. Undefined for every other reference. */
export function followRef(ref: JsonValue, root: JsonObject): Sub | undefined {
  if (typeof ref !== "string" || !(ref === "#" || ref.startsWith("#/"))) return undefined;
  let schema: JsonValue | undefined = root;
  for (const token of ref.split("/").slice(1)) schema = memberOf(schema, token);
  return isSchemaObject(schema) || typeof schema === "boolean" ? { schema, root } : undefined;
}

function memberOf(value: JsonValue | undefined, token: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const name = decoded(token).replaceAll("~1", "/").replaceAll("~0", "~");
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined; // the elements of a list have names too
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token; // as it stands, then
  }
}

/** The schemas of a keyword that holds a list of them. */
export function listOf({ schema, root }: Sub, keyword: string): readonly Sub[] {
  const list = isSchemaObject(schema) ? schema[keyword] : undefined;
  // Array.isArray loses the readonly element type.
  return Array.isArray(list) ? (list as readonly JsonValue[]).map((each) => ({ schema: each, root })) : [];
}

/** The schemas of a keyword that holds them by name. */
export function mapOf({ schema, root }: Sub, keyword: string): ReadonlyMap<string, Sub> {
  const map = isSchemaObject(schema) ? schema[keyword] : undefined;
  if (!isSchemaObject(map)) return new Map();
  return new Map(Object.entries(map).map(([name, each]) => [name, { schema: each, root }]));
}

/** The schema of a keyword that holds one; undefined where there is none. */
export function oneOf({ schema, root }: Sub, keyword: string): Sub | undefined {
  const one = isSchemaObject(schema) ? schema[keyword] : undefined;
  return one === undefined ? undefined : { schema: one, root };
}

/** The value of a keyword. */
export function keywordOf({ schema }: Sub, keyword: string): JsonValue | undefined {
  return isSchemaObject(schema) && Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
}

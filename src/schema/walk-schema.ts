/**
 * Where JSON Schema 2020-12 holds further schemas.
 */
import { type JsonObject, type JsonValue, pointerToken } from "../kernel/index.js";

/** `member`: of a value below; `branch`: of the same value; `condition`: of the same value, but it decides only; `definition`: named for `$ref`. */
export type SchemaPlace = "member" | "branch" | "condition" | "definition";

const single: Readonly<Record<string, SchemaPlace>> = {
  items: "member",
  contains: "condition",
  additionalProperties: "member",
  unevaluatedProperties: "member",
  unevaluatedItems: "member",
  propertyNames: "condition",
  not: "condition",
  if: "condition",
  then: "branch",
  else: "branch",
};
const lists: Readonly<Record<string, SchemaPlace>> = {
  prefixItems: "member",
  allOf: "branch",
  anyOf: "branch",
  oneOf: "branch",
};
const maps: Readonly<Record<string, SchemaPlace>> = {
  properties: "member",
  patternProperties: "member",
  dependentSchemas: "branch",
  $defs: "definition",
  definitions: "definition",
};

function placeIn(table: Readonly<Record<string, SchemaPlace>>, keyword: string): SchemaPlace | undefined {
  return Object.hasOwn(table, keyword) ? table[keyword] : undefined;
}

/** How a keyword holds schemas: one, a list, or by name; undefined for all other keywords. */
export function subschemaShape(keyword: string): "one" | "list" | "map" | undefined {
  if (Object.hasOwn(single, keyword)) return "one";
  if (Object.hasOwn(lists, keyword)) return "list";
  return Object.hasOwn(maps, keyword) ? "map" : undefined;
}

/** A copy of the schema whose direct subschemas went through `map`. */
export function mapSubschemas(schema: JsonObject, map: (part: JsonValue, place: SchemaPlace) => JsonValue): JsonObject {
  const entries = Object.entries(schema).map(([keyword, value]): [string, JsonValue] => {
    const one = single[keyword];
    if (one !== undefined) return [keyword, map(value, one)];
    const list = lists[keyword];
    if (list !== undefined && Array.isArray(value)) return [keyword, value.map((part: JsonValue) => map(part, list))];
    const named = maps[keyword];
    if (named !== undefined && typeof value === "object" && value !== null) {
      return [
        keyword,
        Object.fromEntries(Object.entries(value).map(([name, part]) => [name, map(part as JsonValue, named)])),
      ]; // members of JSON are JSON
    }
    return [keyword, value];
  });
  return Object.fromEntries(entries);
}

/** A schema directly below another. */
export interface SubschemaEntry {
  readonly keyword: string;
  readonly part: JsonValue;
  readonly pointer: string;
  readonly place: SchemaPlace;
}

/** The schemas directly below one, with the JSON pointer of each. */
export function subschemaEntries(schema: JsonObject, pointer = ""): readonly SubschemaEntry[] {
  return Object.entries(schema).flatMap(([keyword, value]): readonly SubschemaEntry[] => {
    const at = `${pointer}/${keyword}`;
    const one = placeIn(single, keyword);
    if (one !== undefined) return [{ keyword, part: value, pointer: at, place: one }];
    const place = placeIn(lists, keyword) ?? placeIn(maps, keyword);
    if (place === undefined || typeof value !== "object" || value === null) return [];
    return Object.entries(value).map(([name, part]) => ({
      keyword,
      part: part as JsonValue, // members of JSON are JSON
      pointer: `${at}/${pointerToken(name)}`,
      place,
    }));
  });
}

/** Calls `visit` for the schema and all schemas below it, with the JSON pointer of each. */
export function visitSchemas(
  schema: JsonValue,
  visit: (schema: JsonObject, pointer: string) => void,
  pointer = "",
): void {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return;
  const object = schema as JsonObject; // neither null nor an array
  visit(object, pointer);
  for (const { part, pointer: at } of subschemaEntries(object, pointer)) visitSchemas(part, visit, at);
}

/** Whether two schemas, or two values of a keyword, say the same: word for word but for annotations, with references followed. */
import type { JsonObject, JsonValue } from "../../kernel/index.js";
import { followRef, isSchemaObject, keywordOf, listOf, mapOf, type Sub } from "../sub.js";
import { subschemaShape } from "../walk-schema.js";

/** Keywords that say nothing of what is valid. */
export const annotations: ReadonlySet<string> = new Set([
  "$comment",
  "$defs",
  "$id",
  "$schema",
  "default",
  "definitions",
  "deprecated",
  "description",
  "examples",
  "readOnly",
  "title",
  "writeOnly",
  "x-eventplane-personal",
  "x-eventplane-sensitive",
]);

/** Equal as JSON: the order of members says nothing. */
export function equalJson(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) => Object.hasOwn(other, name) && equalJson((one as JsonObject)[name], (other as JsonObject)[name]), // elements have names too
  );
}

/** Pairs that were met: met again, they are the same unless something else differs. */
type Met = Map<JsonValue, Set<JsonValue>>;

/** True when two schemas say the same: annotations are passed over, references followed. */
export function sameSchema(one: Sub, other: Sub, met: Met = new Map()): boolean {
  if (!isSchemaObject(one.schema) || !isSchemaObject(other.schema)) return one.schema === other.schema;
  const partners = met.get(one.schema) ?? new Set();
  if (partners.has(other.schema)) return true;
  met.set(one.schema, partners.add(other.schema));
  const names = telling(one.schema);
  return names.length === telling(other.schema).length && names.every((name) => sameKeyword(name, { one, other }, met));
}

/** True when both have the keyword, and it says the same in both. */
export function sameKeyword(
  name: string,
  { one, other }: { readonly one: Sub; readonly other: Sub },
  met: Met = new Map(),
): boolean {
  const [left, right] = [keywordOf(one, name), keywordOf(other, name)];
  if (left === undefined || right === undefined) return false;
  if (name === "$ref") return sameTarget(followRef(left, one.root), followRef(right, other.root), met);
  // What an anchor or a dynamic reference means hangs on the document.
  if (name.startsWith("$")) return false;
  const shape = subschemaShape(name);
  if (shape === "one") return sameSchema({ ...one, schema: left }, { ...other, schema: right }, met);
  if (shape === undefined) return equalJson(left, right);
  const [mine, theirs] = [partsOf(one, name), partsOf(other, name)];
  if (mine.size !== theirs.size) return false;
  return [...mine].every(([key, part]) => {
    const counterpart = theirs.get(key);
    return counterpart !== undefined && sameSchema(part, counterpart, met);
  });
}

function sameTarget(one: Sub | undefined, other: Sub | undefined, met: Met): boolean {
  return one !== undefined && other !== undefined && sameSchema(one, other, met);
}

function partsOf(sub: Sub, keyword: string): ReadonlyMap<string, Sub> {
  const list = listOf(sub, keyword);
  return list.length > 0 ? new Map(list.map((part, index) => [String(index), part])) : mapOf(sub, keyword);
}

function telling(schema: JsonObject): readonly string[] {
  return Object.keys(schema).filter((name) => !annotations.has(name));
}

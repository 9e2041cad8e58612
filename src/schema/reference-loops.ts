/** References that come back to where they began without going down into a member: no value can ever be checked against them. */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import { followRef, isSchemaObject } from "./sub.js";
import { subschemaEntries } from "./walk-schema.js";

/** The JSON pointer of a schema that is asked of the same value again and again; undefined when there is none. */
export function referenceLoop(root: JsonObject): string | undefined {
  const done = new Set<JsonValue>();
  const path = new Set<JsonValue>();
  const looping = (schema: JsonValue | undefined, pointer: string): string | undefined => {
    if (!isSchemaObject(schema) || done.has(schema)) return undefined;
    if (path.has(schema)) return pointer;
    path.add(schema);
    const loop = inPlace(schema, pointer, root)
      .map(([part, at]) => looping(part, at))
      .find((found) => found !== undefined);
    path.delete(schema);
    done.add(schema);
    return loop;
  };
  const visit = (schema: JsonValue, pointer: string): string | undefined => {
    if (!isSchemaObject(schema)) return undefined;
    const loop = looping(schema, pointer);
    if (loop !== undefined) return loop;
    for (const { part, pointer: at } of subschemaEntries(schema, pointer)) {
      const found = visit(part, at);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return visit(root, "");
}

/** The schemas that are asked of the same value. */
function inPlace(schema: JsonObject, pointer: string, root: JsonObject): readonly (readonly [JsonValue, string])[] {
  const parts = subschemaEntries(schema, pointer).filter(({ keyword }) => samePlace.has(keyword));
  const target = followRef(schema.$ref ?? null, root);
  const referred = target === undefined ? [] : [[target.schema, `${pointer}/$ref`] as const];
  return [...referred, ...parts.map(({ part, pointer: at }) => [part, at] as const)];
}

const samePlace: ReadonlySet<string> = new Set([
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "dependentSchemas",
]);

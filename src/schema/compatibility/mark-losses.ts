/** Marks that say what kind of data is at a place must stay: what was protected in one version must not be bare in the next. */
import { dataMarks, type JsonObject, type JsonValue, secretReferenceFormat } from "../../kernel/index.js";
import { followRef, isSchemaObject, keywordOf, type Sub } from "../sub.js";
import { subschemaEntries } from "../walk-schema.js";
import type { SchemaGap } from "./rule.js";

/** What marks a place: the marks that are not false, and the format of references to secrets. */
const marks: readonly { readonly name: string; readonly isOn: (sub: Sub) => boolean }[] = [
  ...Object.keys(dataMarks).map((name) => ({
    name,
    isOn: (sub: Sub) => (keywordOf(sub, name) ?? false) !== false,
  })),
  {
    name: `format ${secretReferenceFormat}`,
    isOn: (sub: Sub) => keywordOf(sub, "format") === secretReferenceFormat,
  },
];

/** Where the later schema has a place of the earlier one without its mark. Pointers are into the later schema. */
export function markLosses(earlier: JsonObject, later: JsonObject): readonly SchemaGap[] {
  const before = placesOf(earlier);
  const after = placesOf(later);
  return marks.flatMap(({ name, isOn }) =>
    [...before].flatMap(([path, subs]) => {
      const place = after.get(path);
      if (place === undefined || !subs.some(({ sub }) => isOn(sub))) return [];
      return isCovered(path, after, isOn)
        ? []
        : [{ pointer: place[0]?.pointer ?? "", reason: `has lost its mark ${name}` }];
    }),
  );
}

interface Place {
  readonly sub: Sub;
  readonly pointer: string;
}

/** A mark covers all that is below it. */
function isCovered(path: string, places: ReadonlyMap<string, readonly Place[]>, isOn: (sub: Sub) => boolean): boolean {
  const steps = path.split("/");
  return steps.some((_, index) => places.get(steps.slice(0, index + 1).join("/"))?.some(({ sub }) => isOn(sub)));
}

/** More places than these are not looked at: no schema within its limits has them. */
const placesMax = 20_000;

/** The schemas that speak of each place of a value, by the pointer to it; elements of a list are one place, so are further members. */
function placesOf(root: JsonObject): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>();
  const open = new Set<JsonValue>();
  let left = placesMax;
  const visit = (schema: JsonValue, path: string, pointer: string): void => {
    if (!isSchemaObject(schema) || open.has(schema) || --left < 0) return;
    open.add(schema);
    places.set(path, [...(places.get(path) ?? []), { sub: { schema, root }, pointer }]);
    const target = followRef(schema.$ref ?? null, root);
    if (target !== undefined) visit(target.schema, path, `${pointer}/$ref`);
    for (const entry of subschemaEntries(schema, pointer)) {
      if (entry.place === "definition") continue;
      visit(entry.part, entry.place === "member" ? `${path}/${stepOf(entry)}` : path, entry.pointer);
    }
    open.delete(schema);
  };
  visit(root, "", "");
  return places;
}

function stepOf({ keyword, pointer }: { readonly keyword: string; readonly pointer: string }): string {
  return keyword === "properties" ? (pointer.split("/").at(-1) ?? "") : "*";
}

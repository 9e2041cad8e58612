/** Which places of a value a JSON Schema marks as sensitive or personal. */
import { dataMarks } from "./data-marks.js";
import { EventplaneError } from "./errors.js";
import type { JsonObject, JsonValue } from "./json-types.js";

/** Keywords whose schemas speak of the same value: one, a list of them, or some by name. */
const sameValue = ["if", "then", "else", "not"] as const;
const sameValueLists = ["allOf", "anyOf", "oneOf"] as const;
const references = ["$ref", "$dynamicRef"] as const;
/** Name of a mark. */
export type DataMark = keyof typeof dataMarks;
const allMarks = Object.keys(dataMarks) as readonly DataMark[]; // the table is keyed by them

/** A place in a value, and below it. */
export interface MarkedPlace {
  readonly isMarked: boolean;
  /** The values of the marks here, those of all branches. */
  readonly marks: readonly JsonValue[];
  /** The place of a member; undefined when nothing is marked there or below. */
  member(name: string): MarkedPlace | undefined;
  /** The same for an element of a list. */
  element(index: number): MarkedPlace | undefined;
}

/**
 * Follows the marks of a schema down a value: through members, elements, local references and every branch of a union, whichever of them
 * the value takes. What is marked in one branch is marked.
 *
 * @param marks those that count; default all
 * @returns undefined when nothing is marked
 * @throws EventplaneError `config_invalid` for a reference that cannot be followed: a mark behind it would be without effect
 */
export function markedPlaces(
  topic: string,
  schema: JsonObject,
  marks: readonly DataMark[] = allMarks,
): MarkedPlace | undefined {
  const parts = partsOf(schema);
  if (!parts.some((part) => marksOf(part, marks).length > 0)) return undefined;
  const follow = (reference: string): JsonObject => {
    const found = referred(schema, { reference, parts });
    if (found !== undefined) return found;
    throw new EventplaneError(
      "config_invalid",
      `The schema of ${topic} has marks and the reference ${JSON.stringify(reference)}: write it as #, #/pointer or #anchor, in a schema without $id inside.`,
    );
  };
  for (const part of parts) for (const reference of referencesOf(part)) follow(reference);
  return new Places(follow, marks).of([schema]);
}

/** Types of values that have nothing below them. */
const flat: readonly unknown[] = ["string", "number", "integer", "boolean", "null"];

/** Whether a schema says plainly that no value has anything at this path; false where unions, references or open places leave it open. */
export function excludes(schema: JsonObject, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (name === undefined || branchesOf(schema).length + referencesOf(schema).length > 0) return false;
  const { type, items, properties, patternProperties, additionalProperties } = schema;
  if (flat.includes(type)) return true;
  if (type !== "object" && type !== "array") return false;
  const named = asObject(properties) ?? {};
  const isElement = name === "*" || elementForm.test(name);
  if (type === "array" && !isElement) return true;
  if (type === "object" && name !== "*" && !Object.hasOwn(named, name))
    return additionalProperties === false && patternProperties === undefined;
  const below = asObject(type === "array" ? items : named[name]);
  return below !== undefined && excludes(below, rest);
}

const elementForm = /^\d+$/;

type Follow = (reference: string) => JsonObject;

/** Places that a place remembers by name; what is below other names is looked up again. */
const namesRemembered = 256;

/** The places of one schema: each set of schemas that may speak of a value is one place, made once. */
class Places {
  readonly #follow: Follow;
  readonly #marks: readonly DataMark[];
  readonly #numbers = new Map<JsonObject, number>();
  readonly #places = new Map<string, MarkedPlace>();

  constructor(follow: Follow, marks: readonly DataMark[]) {
    this.#follow = follow;
    this.#marks = marks;
  }

  of(schemas: readonly JsonObject[]): MarkedPlace | undefined {
    const all = withBranches(schemas, this.#follow);
    if (all.length === 0) return undefined;
    const key = all.map((schema) => this.#numberOf(schema)).toSorted((a, b) => a - b);
    const known = this.#places.get(key.join());
    if (known !== undefined) return known;
    const place = this.#make(all);
    this.#places.set(key.join(), place);
    return place;
  }

  #make(all: readonly JsonObject[]): MarkedPlace {
    const firstMax = Math.max(...all.map((schema) => asList(schema["prefixItems"]).length));
    const members = remembered((name: string) => this.of(all.flatMap((schema) => memberSchemas(schema, name))));
    const elements = remembered((index: number) => this.of(all.flatMap((schema) => elementSchemas(schema, index))));
    // Behind those that have a schema each, all elements have the same.
    const marks = all.flatMap((schema) => marksOf(schema, this.#marks));
    return {
      isMarked: marks.length > 0,
      marks,
      member: members,
      element: (index) => elements(Math.min(index, firstMax)),
    };
  }

  #numberOf(schema: JsonObject): number {
    const number = this.#numbers.get(schema) ?? this.#numbers.size;
    this.#numbers.set(schema, number);
    return number;
  }
}

function remembered<Key>(find: (key: Key) => MarkedPlace | undefined): (key: Key) => MarkedPlace | undefined {
  const known = new Map<Key, MarkedPlace | undefined>();
  return (key) => {
    if (known.has(key)) return known.get(key);
    const place = find(key);
    if (known.size < namesRemembered) known.set(key, place);
    return place;
  };
}

/** The schemas with all others that speak of the same value, each once. */
function withBranches(schemas: readonly JsonObject[], follow: Follow): readonly JsonObject[] {
  const found = new Set<JsonObject>();
  const waiting = [...schemas];
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    if (found.has(schema)) continue;
    found.add(schema);
    waiting.push(...branchesOf(schema), ...referencesOf(schema).map(follow));
  }
  return [...found];
}

function branchesOf(schema: JsonObject): readonly JsonObject[] {
  const single = sameValue.map((keyword) => schema[keyword]);
  const lists = sameValueLists.flatMap((keyword) => asList(schema[keyword]));
  const dependent = Object.values(asObject(schema["dependentSchemas"]) ?? {});
  return schemasIn([...single, ...lists, ...dependent]);
}

function memberSchemas(schema: JsonObject, name: string): readonly JsonObject[] {
  const named = asObject(schema["properties"]) ?? {};
  const own = Object.hasOwn(named, name) ? [named[name]] : [];
  const byPattern = Object.entries(asObject(schema["patternProperties"]) ?? {})
    .filter(([pattern]) => new RegExp(pattern, "u").test(name))
    .map(([, below]) => below);
  const others = own.length + byPattern.length > 0 ? [] : [schema["additionalProperties"]];
  // Which members are not evaluated depends on the branches: all of them may be.
  return schemasIn([...own, ...byPattern, ...others, schema["unevaluatedProperties"]]);
}

function elementSchemas(schema: JsonObject, index: number): readonly JsonObject[] {
  const first = asList(schema["prefixItems"]);
  const own = index < first.length ? first[index] : schema["items"];
  return schemasIn([own, schema["contains"], schema["unevaluatedItems"]]);
}

function referencesOf(schema: JsonObject): readonly string[] {
  return references.map((keyword) => schema[keyword]).filter((value) => typeof value === "string");
}

function referred(
  schema: JsonObject,
  { reference, parts }: { readonly reference: string; readonly parts: readonly JsonObject[] },
): JsonObject | undefined {
  if (parts.some((part) => part !== schema && typeof part["$id"] === "string")) return undefined;
  if (reference === "#") return schema;
  if (reference.startsWith("#/")) return asObject(atPointer(schema, reference.slice(2)));
  const anchor = reference.startsWith("#") ? reference.slice(1) : undefined;
  return parts.find((part) => anchor !== undefined && [part["$anchor"], part["$dynamicAnchor"]].includes(anchor));
}

function atPointer(schema: JsonObject, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = schema;
  for (const token of pointer.split("/")) {
    const name = decoded(token).replaceAll("~1", "/").replaceAll("~0", "~");
    value = Array.isArray(value) ? value[Number(name)] : asObject(value)?.[name];
  }
  return value;
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token; // as it stands, then
  }
}

/** Every object in the schema, the schema first. */
function partsOf(schema: JsonObject): readonly JsonObject[] {
  const found: JsonObject[] = [];
  const waiting: (JsonValue | undefined)[] = [schema];
  for (let value = waiting.shift(); value !== undefined; value = waiting.shift()) {
    if (Array.isArray(value)) waiting.push(...value);
    const object = asObject(value);
    if (object === undefined) continue;
    found.push(object);
    waiting.push(...Object.values(object));
  }
  return found;
}

function marksOf(schema: JsonObject, marks: readonly DataMark[]): readonly JsonValue[] {
  return marks.flatMap((mark) => {
    const value = Object.hasOwn(schema, mark) ? schema[mark] : undefined;
    return value === undefined || value === false ? [] : [value];
  });
}

function schemasIn(values: readonly (JsonValue | undefined)[]): readonly JsonObject[] {
  return values.map(asObject).filter((value) => value !== undefined);
}

function asObject(value: JsonValue | undefined): JsonObject | undefined {
  // Neither null nor an array: an object of JSON.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function asList(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

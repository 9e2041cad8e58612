/** What is known of every value that fits several schemas at once, read from their own keywords. */
import type { JsonValue } from "../../kernel/index.js";
import { followRef, isSchemaObject, keywordOf, listOf, mapOf, oneOf, type Sub } from "../sub.js";
import { equalJson } from "./same.js";

/** A type of JSON Schema. */
export type TypeName = "null" | "boolean" | "object" | "array" | "number" | "integer" | "string";

const allTypes: readonly TypeName[] = ["null", "boolean", "object", "array", "number", "string"];

/** A bound of numbers. */
export interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

/** See the file's first line. */
export class Facts {
  readonly parts: readonly Sub[];
  /** `number` stands for integers too; never both. */
  readonly types: ReadonlySet<TypeName>;
  /** The only values that can fit; undefined when there is no such list. */
  readonly values: readonly JsonValue[] | undefined;
  /** Members that every object has. */
  readonly required: ReadonlySet<string>;
  /** Members that some part speaks of. */
  readonly names: ReadonlySet<string>;
  readonly #closed: readonly ReadonlySet<string>[];

  constructor(parts: readonly Sub[]) {
    this.parts = parts;
    this.values = valuesOf(parts);
    this.types = typesOf(parts, this.values);
    this.required = new Set(parts.flatMap((part) => namesIn(keywordOf(part, "required"))));
    this.names = new Set(parts.flatMap((part) => [...mapOf(part, "properties").keys()]));
    this.#closed = parts.flatMap((part) => closedNames(part) ?? []);
  }

  /** The largest or the smallest number that the keyword has in any part. */
  extreme(keyword: string, of: "largest" | "smallest"): number | undefined {
    const numbers = this.parts.map((part) => keywordOf(part, keyword)).filter((value) => typeof value === "number");
    if (numbers.length === 0) return undefined;
    return of === "largest" ? Math.max(...numbers) : Math.min(...numbers);
  }

  /** The tightest lower or upper bound of numbers. */
  bound(side: "lower" | "upper"): Bound | undefined {
    const lower = side === "lower";
    const pick = lower ? "largest" : "smallest";
    const inclusive = this.extreme(lower ? "minimum" : "maximum", pick);
    const exclusive = this.extreme(lower ? "exclusiveMinimum" : "exclusiveMaximum", pick);
    if (exclusive === undefined) return inclusive === undefined ? undefined : { value: inclusive, exclusive: false };
    if (inclusive === undefined) return { value: exclusive, exclusive: true };
    const isTighter = lower ? exclusive >= inclusive : exclusive <= inclusive;
    return isTighter ? { value: exclusive, exclusive: true } : { value: inclusive, exclusive: false };
  }

  /** True when some part has this very value of the keyword. */
  says(keyword: string, value: JsonValue): boolean {
    return this.parts.some((part) => equalJson(keywordOf(part, keyword), value));
  }

  /** Every object has no other members than these; undefined where there may be others. */
  get onlyNames(): ReadonlySet<string> | undefined {
    const [first, ...others] = this.#closed;
    return first && new Set([...first].filter((name) => others.every((names) => names.has(name))));
  }

  /** What holds for a member of this name, if it is there. */
  member(name: string): readonly Sub[] {
    const subs = this.parts.flatMap((part) => {
      const own = mapOf(part, "properties").get(name);
      if (own !== undefined) return [own];
      if (mapOf(part, "patternProperties").size > 0) return [];
      return oneOf(part, "additionalProperties") ?? [];
    });
    return this.#closed.some((names) => !names.has(name)) ? [...subs, nothing] : subs;
  }

  /**
   * What holds for a member that no part names: several cases, of which each has to be looked at.
   *
   * @param except patterns whose members are left out
   */
  others(except: ReadonlyMap<string, unknown> = new Map()): readonly (readonly Sub[])[] {
    if (this.#closed.length > 0) return [];
    const patterned = this.parts.filter((part) => mapOf(part, "patternProperties").size > 0);
    const plain = this.parts.filter((part) => !patterned.includes(part));
    const base = plain.flatMap((part) => oneOf(part, "additionalProperties") ?? []);
    const [first] = patterned;
    if (first === undefined) return [base];
    const matching = [...mapOf(first, "patternProperties")].flatMap(([pattern, sub]) =>
      except.has(pattern) ? [] : [sub],
    );
    const cases = [...matching, oneOf(first, "additionalProperties") ?? anything];
    return cases.map((each) => [...base, each]);
  }

  /** What holds for the element at this place. */
  element(index: number): readonly Sub[] {
    return this.parts.flatMap((part) => {
      const prefix = listOf(part, "prefixItems");
      return prefix[index] ?? oneOf(part, "items") ?? [];
    });
  }

  /** So many elements have a schema of their own. */
  get prefixLength(): number {
    return Math.max(0, ...this.parts.map((part) => listOf(part, "prefixItems").length));
  }
}

const nothing: Sub = { schema: false, root: {} };
const anything: Sub = { schema: true, root: {} };

/** The strings of a list. */
export function namesIn(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** The types that a `type` keyword names; all of them where there is none. */
export function typesNamed(type: JsonValue | undefined): ReadonlySet<TypeName> {
  if (type === undefined) return new Set(allTypes);
  const named = new Set((typeof type === "string" ? [type] : namesIn(type)) as readonly TypeName[]); // the meta-schema allows no other
  if (named.has("number")) named.delete("integer");
  return named;
}

/** The type of a value. */
export function typeOf(value: JsonValue): TypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as "boolean" | "object" | "string"; // the other cases are excluded
}

function typesOf(parts: readonly Sub[], values: readonly JsonValue[] | undefined): ReadonlySet<TypeName> {
  const lists = parts.map((part) => typesNamed(keywordOf(part, "type")));
  const given = values === undefined ? [] : [new Set(values.map(typeOf))];
  return [...lists, ...given].reduce<ReadonlySet<TypeName>>(common, new Set(allTypes));
}

function common(one: ReadonlySet<TypeName>, other: ReadonlySet<TypeName>): ReadonlySet<TypeName> {
  const both = [...one].filter((type) => other.has(type));
  const integers = (one.has("integer") && other.has("number")) || (one.has("number") && other.has("integer"));
  return new Set(integers ? [...both, "integer"] : both);
}

function valuesOf(parts: readonly Sub[]): readonly JsonValue[] | undefined {
  const lists = parts.flatMap((part) => {
    const [list, value] = [keywordOf(part, "enum"), keywordOf(part, "const")];
    const allowed = Array.isArray(list) ? [list as readonly JsonValue[]] : []; // Array.isArray loses the element type
    return value === undefined ? allowed : [...allowed, [value]];
  });
  const [first, ...others] = lists;
  if (first === undefined) return undefined;
  const types = parts.map((part) => typesNamed(keywordOf(part, "type")));
  return first.filter(
    (value) =>
      others.every((list) => list.some((each) => equalJson(each, value))) && types.every((of) => isOf(value, of)),
  );
}

function isOf(value: JsonValue, types: ReadonlySet<TypeName>): boolean {
  const type = typeOf(value);
  return types.has(type) || (type === "integer" && types.has("number"));
}

/** The members that a closed object may have; undefined when it is not closed. */
function closedNames(part: Sub): ReadonlySet<string> | undefined {
  const isPatterned = mapOf(part, "patternProperties").size > 0;
  if (keywordOf(part, "additionalProperties") === false && !isPatterned)
    return new Set(mapOf(part, "properties").keys());
  if (keywordOf(part, "unevaluatedProperties") !== false) return undefined;
  const names = new Set<string>();
  return collectNames(part, { names, seen: new Set() }) ? names : undefined;
}

const inPlace: readonly string[] = ["allOf", "anyOf", "oneOf"];
const conditional: readonly string[] = ["if", "then", "else"];

/** All members that anything at this place could have evaluated. @returns false when those are not only names */
function collectNames(sub: Sub, into: { readonly names: Set<string>; readonly seen: Set<JsonValue> }): boolean {
  if (!isSchemaObject(sub.schema) || into.seen.has(sub.schema)) return true;
  into.seen.add(sub.schema);
  const additional = keywordOf(sub, "additionalProperties");
  if (additional !== undefined && additional !== false) return false;
  if (mapOf(sub, "patternProperties").size > 0) return false;
  for (const name of mapOf(sub, "properties").keys()) into.names.add(name);
  const target = keywordOf(sub, "$ref");
  const referred = target === undefined ? [] : [followRef(target, sub.root)];
  const parts = [
    ...inPlace.flatMap((keyword) => listOf(sub, keyword)),
    ...conditional.flatMap((keyword) => oneOf(sub, keyword) ?? []),
    ...mapOf(sub, "dependentSchemas").values(),
  ];
  // A nested unevaluatedProperties other than false evaluates everything.
  const nested = parts.some((part) => (keywordOf(part, "unevaluatedProperties") ?? false) !== false);
  return !nested && [...referred, ...parts].every((part) => part !== undefined && collectNames(part, into));
}

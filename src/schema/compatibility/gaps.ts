/**
 * Whether a schema takes all that another takes.
 *
 * It is sound: where no gap is found there is none (src/schema/compatibility/gaps.test.ts holds it against generated values). It
 * is not complete: what it does not understand is a gap too, with the reason that it cannot tell. The method is that of
 * "Finding Data Compatibility Bugs with JSON Subschema Checking" (Habib, Shinnar, Hirzel and Pradel, ISSTA 2021): what is read
 * is brought into a union of plain parts, and each part is held against each keyword.
 */
import type { JsonObject, JsonValue } from "../../kernel/index.js";
import { followRef, isSchemaObject, keywordOf, listOf, type Sub } from "../sub.js";
import { alternativesOf, type Budget, spend, TooManySteps } from "./alternatives.js";
import { arrayRules } from "./array-rules.js";
import { derivedOf } from "./derived-facts.js";
import { Facts } from "./facts.js";
import { objectRules } from "./object-rules.js";
import type { Asked, Comparison, Rule, SchemaGap } from "./rule.js";
import { annotations, sameKeyword, sameSchema } from "./same.js";
import { no, valueRules } from "./value-rules.js";

const stepsMax = 20_000;
const gapsMax = 20;

/**
 * What `to` may not take of what `from` takes, at most 20 places; empty when it takes everything.
 *
 * @param together the steps that this and other comparisons have left, of which it takes its own; at most 20,000
 */
export function gapsBetween(
  from: JsonObject,
  to: JsonObject,
  together: Budget = { steps: stepsMax },
): readonly SchemaGap[] {
  const own = Math.min(together.steps, stepsMax);
  const budget = { steps: own };
  try {
    const comparing = new Comparing(budget);
    return comparing.gaps([{ schema: from, root: from }], { schema: to, root: to }, "").slice(0, gapsMax);
  } catch (error) {
    if (error instanceof TooManySteps) return [{ pointer: "", reason: "is too large to be compared" }];
    throw error;
  } finally {
    together.steps -= own - Math.max(0, budget.steps);
  }
}

const rules: Readonly<Record<string, Rule>> = {
  ...valueRules,
  ...objectRules,
  ...arrayRules,
  $ref: (facts, asked, comparison) => {
    const target = followRef(asked.value, asked.sub.root);
    return target === undefined
      ? no(asked, "refers to what is not in the document")
      : comparison.gapsOf(facts, target, asked.pointer);
  },
  allOf: (facts, { sub, pointer }, comparison) =>
    listOf(sub, "allOf").flatMap((each, index) => comparison.gapsOf(facts, each, `${pointer}/${index}`)),
};

/** Keywords whose meaning hangs on those beside them: the same only where all of these are. */
const families: Readonly<Record<string, readonly string[]>> = {
  additionalProperties: ["properties", "patternProperties"],
  items: ["prefixItems"],
  if: ["then", "else"],
  then: ["if"],
  else: ["if"],
  // Ajv takes an empty list where elements have schemas of their own beside `contains`.
  contains: ["minContains", "maxContains", "prefixItems", "items"],
  minContains: ["contains", "maxContains"],
  maxContains: ["contains", "minContains"],
};
const wholeSchema: readonly string[] = ["unevaluatedProperties", "unevaluatedItems"];

class Comparing implements Comparison {
  readonly #budget: Budget;
  /** What is being compared further up: a recursive schema comes back to it at a member, where it may be taken to hold. */
  readonly #open: { readonly from: readonly JsonValue[]; readonly to: JsonValue }[] = [];

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  gaps(from: readonly Sub[], to: Sub, pointer: string): readonly SchemaGap[] {
    if (to.schema === true || from.some((sub) => sameSchema(sub, to))) return [];
    const schemas = from.map(({ schema }) => schema);
    if (this.#open.some((open) => open.to === to.schema && sameList(open.from, schemas))) return [];
    this.#open.push({ from: schemas, to: to.schema });
    try {
      const alternatives = alternativesOf(from, this.#budget).flatMap(eachValue);
      return alternatives.flatMap((facts) => this.gapsOf(facts, to, pointer)).slice(0, gapsMax);
    } finally {
      this.#open.pop();
    }
  }

  gapsOf(facts: Facts, to: Sub, pointer: string): readonly SchemaGap[] {
    spend(this.#budget);
    if (to.schema === true || facts.parts.some((sub) => sameSchema(sub, to))) return [];
    if (!isSchemaObject(to.schema)) return [{ pointer, reason: "takes nothing here" }];
    return Object.entries(to.schema).flatMap(([keyword, value]) =>
      this.#keyword(facts, { sub: to, keyword, value, pointer: `${pointer}/${keyword}` }),
    );
  }

  #keyword(facts: Facts, asked: Asked): readonly SchemaGap[] {
    const { keyword, sub } = asked;
    if (annotations.has(keyword) || facts.parts.some((part) => isSaid(part, sub, keyword))) return [];
    if (keyword === "anyOf" || keyword === "oneOf") return this.#union(facts, asked);
    const rule = Object.hasOwn(rules, keyword) ? rules[keyword] : undefined;
    return rule?.(facts, asked, this) ?? no(asked, "has changed, and what that means cannot be told");
  }

  /** Some branch must take the whole alternative, or each of its types has one that does. */
  #union(facts: Facts, asked: Asked): readonly SchemaGap[] {
    if (this.#isTaken(facts, asked)) return [];
    const types = [...facts.types];
    const isSplit =
      types.length > 1 &&
      types.every((type) => this.#isTaken(new Facts([...facts.parts, { schema: { type }, root: {} }]), asked));
    return isSplit ? [] : no(asked, "has no branch that surely takes all that was taken before");
  }

  #isTaken(facts: Facts, { sub, keyword, pointer }: Asked): boolean {
    const branches = listOf(sub, keyword);
    const taking = branches.filter((branch) => this.gapsOf(facts, branch, pointer).length === 0);
    if (keyword === "anyOf") return taking.length > 0;
    // Of `oneOf`, no other branch may take any of it.
    return taking.some((one) => branches.every((other) => other === one || this.#areApart(facts, other)));
  }

  #areApart({ parts }: Facts, branch: Sub): boolean {
    return alternativesOf([...parts, branch], this.#budget).length === 0;
  }
}

/** An enumeration is as many alternatives as it has values. */
function eachValue(facts: Facts): readonly Facts[] {
  if (facts.values === undefined) return [facts];
  return facts.values.map((value) => new Facts([...facts.parts, { schema: derivedOf(value), root: {} }]));
}

/** True when one of the schemas that hold says the very same as the keyword that is asked. */
function isSaid(part: Sub, to: Sub, keyword: string): boolean {
  if (wholeSchema.includes(keyword)) return sameSchema(part, to);
  if (!sameKeyword(keyword, { one: part, other: to })) return false;
  return (families[keyword] ?? []).every(
    (other) =>
      (keywordOf(part, other) === undefined && keywordOf(to, other) === undefined) ||
      sameKeyword(other, { one: part, other: to }),
  );
}

function sameList(one: readonly JsonValue[], other: readonly JsonValue[]): boolean {
  return one.length === other.length && one.every((schema, index) => schema === other[index]);
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileSchema, type JsonObject, type JsonValue } from "../../kernel/index.js";
import { gapsBetween } from "./gaps.js";

const names = ["a", "b", "c"] as const;
const words = ["", "x", "xy", "a-1", "long enough"] as const;

/** Small numbers and few words, so that schemas and values meet. */
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(null, true, false, 0, 1, 2, -1, 1.5, 3),
  fc.constantFrom(...words),
);
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 3, noNullPrototype: true }),
    fc.array(tie("value"), { maxLength: 3 }),
  ),
})).value;

const small = fc.integer({ min: 0, max: 3 });
const type = fc.constantFrom("null", "boolean", "object", "array", "number", "integer", "string");

const scalarKeywords: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })),
  enum: fc.uniqueArray(scalar, { minLength: 1, maxLength: 4, selector: (each) => JSON.stringify(each) }),
  const: scalar,
  minimum: small,
  maximum: small,
  exclusiveMinimum: small,
  exclusiveMaximum: small,
  multipleOf: fc.constantFrom(1, 2, 3),
  minLength: small,
  maxLength: small,
  pattern: fc.constantFrom("^x", "y$"),
  minItems: small,
  maxItems: small,
  uniqueItems: fc.boolean(),
  required: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 }),
  minProperties: small,
  maxProperties: small,
  dependentRequired: fc.dictionary(
    fc.constantFrom(...names),
    fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 }),
    {
      maxKeys: 1,
      noNullPrototype: true,
    },
  ),
};

/** A few of these keywords, or nearly nothing would fit. */
function few(keywords: Readonly<Record<string, fc.Arbitrary<unknown>>>, max: number): fc.Arbitrary<JsonObject> {
  return fc
    .uniqueArray(fc.constantFrom(...Object.keys(keywords)), { maxLength: max })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((name) => [name, keywords[name] ?? fc.constant(null)]))))
    .map((made) => made as JsonObject); // the arbitraries make JSON
}

const schema = fc.letrec<{ schema: JsonObject; sub: JsonValue }>((tie) => {
  const subs = fc.array(tie("sub"), { minLength: 1, maxLength: 2 });
  const named = fc.dictionary(fc.constantFrom(...names), tie("sub"), { maxKeys: 2, noNullPrototype: true });
  const holding = {
    properties: named,
    additionalProperties: tie("sub"),
    patternProperties: fc.dictionary(fc.constantFrom("^a", "b"), tie("sub"), { maxKeys: 1, noNullPrototype: true }),
    propertyNames: fc.constantFrom<JsonValue>({ enum: ["a", "b"] }, { maxLength: 1 }, { minLength: 1 }),
    items: tie("sub"),
    prefixItems: subs,
    allOf: subs,
    anyOf: subs,
    oneOf: subs,
    not: tie("sub"),
    if: tie("sub"),
    then: tie("sub"),
    contains: tie("sub"),
    unevaluatedProperties: fc.constant(false),
    $ref: fc.constantFrom("#/$defs/d", "#/$defs/e"),
  };
  return {
    sub: fc.oneof({ maxDepth: 3 }, fc.boolean(), few(scalarKeywords, 2), tie("schema")),
    schema: fc.tuple(few(scalarKeywords, 2), few(holding, 2)).map(([left, right]) => ({ ...left, ...right })),
  };
});

/** Definitions refer to nothing themselves. */
const documentOf = fc
  .tuple(schema.schema, few(scalarKeywords, 2), few(scalarKeywords, 2))
  .map(([root, d, e]) => ({ ...root, $defs: { d, e } }));

/** A schema, and what somebody might make of it: most random pairs have nothing to do with each other. */
const pair = fc.oneof(
  fc.tuple(documentOf, documentOf),
  documentOf.chain((old) => fc.tuple(fc.constant(old), changed(old))),
);

function changed(old: JsonObject): fc.Arbitrary<JsonObject> {
  const entries = Object.entries(old);
  return fc.oneof(
    fc.subarray(entries).map((kept) => ({ ...Object.fromEntries(kept), $defs: old.$defs ?? {} })),
    schema.schema.map((other) => ({ anyOf: [{ ...old, $defs: {} }, other], $defs: old.$defs ?? {} })),
    schema.schema.map((more) => ({ ...old, ...more })),
    documentOf.map((more) => ({
      ...old,
      properties: { ...(old["properties"] as JsonObject), ...((more as JsonObject)["properties"] as JsonObject) },
    })),
  );
}

type Property = fc.IProperty<[readonly [JsonObject, JsonObject], JsonValue[]]>;
type Judge = (from: JsonObject, to: JsonObject) => boolean;
const ours: Judge = (from, to) => gapsBetween(from, to).length === 0;

/** Counts pairs and values that were put to the test, so that it cannot pass by testing nothing. */
function soundness(judge: Judge, tested: { pairs: number; values: number }): Property {
  const values = fc.array(value, { minLength: 60, maxLength: 60 });
  return fc.property(pair, values, ([from, to], candidates) => {
    if (!judge(from, to)) return true;
    const [fitsOld, fitsNew] = [checkOf(from), checkOf(to)];
    if (fitsOld === undefined || fitsNew === undefined) return true;
    tested.pairs += 1;
    return candidates.every((each) => {
      if (fitsOld(each) !== true) return true;
      tested.values += 1;
      return fitsNew(each) !== false;
    });
  });
}

/** Undefined where Ajv takes no such schema; so is the answer where it breaks down over a value. */
function checkOf(given: JsonObject): ((each: JsonValue) => boolean | undefined) | undefined {
  try {
    const check = compileSchema(given);
    return (each) => {
      const problems = check(each);
      return problems.some(({ message }) => message === "cannot be checked") ? undefined : problems.length === 0;
    };
  } catch {
    return undefined;
  }
}

describe("gapsBetween", () => {
  test("is sound: what fits a schema fits every schema that has no gap to it", () => {
    const tested = { pairs: 0, values: 0 };
    fc.assert(soundness(ours, tested), { numRuns: 800 });
    expect(tested.pairs).toBeGreaterThan(50);
    expect(tested.values).toBeGreaterThan(300);
  });

  const planted: readonly [string, Judge][] = [
    ["required is passed over", (from, to) => ours(from, without(to, "required"))],
    ["types are passed over", (from, to) => ours(from, without(to, "type"))],
    ["everything is compatible", () => true],
  ];
  test.each(planted)("the test above finds it when %s", (_name, judge) => {
    const result = fc.check(soundness(judge, { pairs: 0, values: 0 }), { numRuns: 3_000, endOnFailure: true });
    expect(result.failed).toBe(true);
  });
});

function without(given: JsonObject, keyword: string): JsonObject {
  return Object.fromEntries(Object.entries(given).filter(([name]) => name !== keyword));
}

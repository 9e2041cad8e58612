/** Attack 17: a registered schema with a catastrophic pattern, a remote reference, a cycle, a huge enum is refused or harmless. */
import { describe, expect, test } from "vitest";
import { type JsonObject, type JsonValue, limits } from "../kernel/index.js";
import { compileStrangerSchema, readStrangerSchema } from "./read-stranger-schema.js";

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: "object", properties, ...more });
const text = { type: "string" } as const;
const many = (count: number, make: (index: number) => JsonValue): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, make(index)]));

const refused: readonly (readonly [string, JsonObject, string])[] = [
  [
    "a remote reference",
    object({ a: { $ref: "https://example.com/a.json" } }),
    "/properties/a/$ref: must begin with #/",
  ],
  ["a reference to a file", object({ a: { $ref: "file:///etc/passwd" } }), "/properties/a/$ref: must begin with #/"],
  ["a reference to nothing", object({ a: { $ref: "#/$defs/a" } }), "/properties/a/$ref: leads to no schema"],
  ["a schema that refers to itself", object({ a: { $ref: "#" } }), "/properties/a/$ref: leads back to itself"],
  [
    "a cycle of two",
    object(
      { a: { $ref: "#/$defs/a" } },
      { $defs: { a: { items: { $ref: "#/$defs/b" } }, b: { items: { $ref: "#/$defs/a" } } } },
    ),
    "leads back to itself",
  ],
  [
    "a laugh a billion times",
    object(
      { a: { $ref: "#/$defs/p29" } },
      {
        $defs: many(30, (index) =>
          index === 0 ? text : { anyOf: [{ $ref: `#/$defs/p${index - 1}` }, { $ref: `#/$defs/p${index - 1}` }] },
        ),
      },
    ),
    "is too much work to check",
  ],
  [
    "a huge enum",
    object({ a: { enum: Array.from({ length: 1_001 }, (_, index) => index) } }),
    "/properties/a/enum: lists 1001",
  ],
  ["too many parts", object(many(1_001, () => ({}))), "has 1002 parts"],
  ["too many bytes", object({ a: { description: "x".repeat(limits.schemaBytesMax) } }), "at most 65536"],
  [
    "a pattern that looks ahead",
    object({ a: { ...text, pattern: "(?=a)b" } }),
    "/properties/a/pattern: is no pattern of RE2",
  ],
  [
    "a pattern that refers back",
    object({ a: { ...text, pattern: "(a)\\1" } }),
    "/properties/a/pattern: is no pattern of RE2",
  ],
  [
    "a pattern that repeats what repeats",
    object({ a: { ...text, pattern: "((a{100}){100}){100}" } }),
    "is no pattern of RE2",
  ],
  [
    "patterns that are too long together",
    object(many(3, () => ({ ...text, pattern: "[a-z]{400}" }))),
    "has patterns of",
  ],
  [
    "patterns for names",
    { type: "object", patternProperties: { "^(a+)+$": text } },
    "/patternProperties: is no keyword",
  ],
  ["an anchor", object({ a: { $anchor: "a" } }), "/properties/a/$anchor: is no keyword"],
  ["an id", { ...object({}), $id: "https://example.com/" }, "/$id: is no keyword"],
  ["a dynamic reference", object({ a: { $dynamicRef: "#a" } }), "/properties/a/$dynamicRef: is no keyword"],
  ["an asynchronous schema", { ...object({}), $async: true }, "/$async: is no keyword"],
  ["a default", object({ a: { ...text, default: "x" } }), "/properties/a/default: is no keyword"],
  ["another dialect", { ...object({}), $schema: "http://json-schema.org/draft-07/schema#" }, "/$schema: must be"],
  ["what is no object", { type: "string" }, '/type: must be "object"'],
  [
    "a mark without effect",
    object({ a: { ...text, "x-eventplane-sensitive": true } }),
    "x-eventplane-sensitive: is no keyword",
  ],
  ["personal data of nobody", object({ a: { ...text, "x-eventplane-personal": true } }), "names no data subject"],
  [
    "personal names of members",
    object({ a: { type: "object", propertyNames: { ...text, "x-eventplane-personal": { subject: "aggregateId" } } } }),
    "the name of a member is never encrypted",
  ],
  [
    "a reference to nothing in an example beside marks, which every intent would stumble over",
    object(
      { a: { ...text, "x-eventplane-personal": { subject: "aggregateId" } } },
      { examples: [{ $ref: "#/$defs/%zz" }] },
    ),
    "has marks and the reference",
  ],
  [
    "unique objects without a bound",
    object({ a: { type: "array", uniqueItems: true } }),
    "/properties/a/uniqueItems: needs items",
  ],
  ["a wrong type", object({ a: { type: "texts" } }), "cannot be used"],
];

describe("readStrangerSchema", () => {
  test.each(refused)("refuses %s with the place, quickly", (_name, schema, why) => {
    const startedMs = performance.now();
    expect(() => readStrangerSchema(schema)).toThrow(
      expect.objectContaining({
        code: "schema_invalid",
        details: { problems: expect.arrayContaining([expect.stringContaining(why)]) },
      }),
    );
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("closes objects, and takes definitions, unions, patterns and references to secrets", () => {
    const schema = readStrangerSchema(
      object(
        {
          code: { ...text, pattern: "^[A-Z]{2}\\d{4}$" },
          key: { ...text, format: "secret-reference" },
          lines: { type: "array", maxItems: 100, items: { $ref: "#/$defs/line" } },
        },
        {
          $schema: "https://json-schema.org/draft/2020-12/schema",
          $defs: { line: object({ n: { type: "integer" } }) },
        },
      ),
    );
    const fits = (value: JsonValue): boolean => compileStrangerSchema(schema)(value).length === 0;
    expect(fits({ code: "AB1234", key: "vault:a#b", lines: [{ n: 1 }] })).toBe(true);
    for (const wrong of [{ code: "AB12345" }, { key: "hunter2" }, { more: 1 }, { lines: [{ n: 1, m: 2 }] }] as const)
      expect([wrong, fits(wrong)]).toEqual([wrong, false]);
  });

  test("a pattern that would take V8 for ever takes its time in the length of the text", () => {
    const check = compileStrangerSchema(readStrangerSchema(object({ a: { ...text, pattern: "^(a+)+$" } })));
    const startedMs = performance.now();
    expect(check({ a: `${"a".repeat(limits.tenantSpecBytesMax)}!` })).not.toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("the most work that a schema may be is done for the largest spec without a long stop", () => {
    const branch = (index: number): JsonObject => ({ type: "integer", minimum: index, multipleOf: 7 });
    const schema = readStrangerSchema(
      object({ a: { type: "array", items: { anyOf: Array.from({ length: 48 }, (_, index) => branch(index)) } } }),
    );
    const check = compileStrangerSchema(schema);
    const spec = { a: Array.from({ length: limits.tenantSpecBytesMax / 2 }, () => 0.5) };
    check({ a: [] });
    const startedMs = performance.now();
    expect(check(spec)).not.toEqual([]);
    const wide = { a: Array.from({ length: limits.tenantSpecBytesMax / 2 }, () => 47 * 7) };
    expect(check(wide)).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../kernel/index.js";
import { jsonEqual } from "./json-equal.js";
import { deepFreeze, isJsonObject, mergePatch } from "./merge-patch.js";

/** RFC 7396, Appendix A: original, patch, result. */
const appendixA: readonly (readonly [JsonValue, JsonValue, JsonValue])[] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

const key = fc.constantFrom("a", "b", "c", "toString", "");
const { json } = fc.letrec<{ json: JsonValue; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>(null, true, 0, 1, "", "x"),
    fc.array(tie("json"), { maxLength: 2 }),
    tie("object"),
  ),
  object: fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<JsonObject>,
}));

describe("mergePatch", () => {
  test.each(appendixA)("%j patched with %j is %j (RFC 7396, Appendix A)", (original, patch, result) => {
    expect(mergePatch(deepFreeze(original), deepFreeze(patch))).toEqual(result);
  });

  test("the same patch twice changes nothing more", () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(jsonEqual(mergePatch(once, patch), once)).toBe(true);
      }),
    );
  });

  test("a patch changes neither what it is given nor what it does not name", () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const result = mergePatch(target, patch);
        expect(JSON.stringify([target, patch])).toBe(before);
        if (!isJsonObject(target) || !isJsonObject(patch) || !isJsonObject(result)) return;
        for (const name of Object.keys(target))
          if (!Object.hasOwn(patch, name)) expect(result[name]).toBe(target[name]);
      }),
    );
  });

  test("a member __proto__ is refused and never becomes a prototype", () => {
    const patch = JSON.parse('{"__proto__":{"admin":true}}') as JsonValue;
    expect(() => mergePatch({}, patch)).toThrow(expect.objectContaining({ code: "event_corrupt" }));
  });
});

describe("jsonEqual", () => {
  test("agrees with itself after a round trip, whatever the order of members", () => {
    fc.assert(
      fc.property(json, json, (left, right) => {
        expect(jsonEqual(left, JSON.parse(JSON.stringify(left)) as JsonValue)).toBe(true);
        expect(jsonEqual(left, right)).toBe(jsonEqual(right, left));
      }),
    );
    expect(jsonEqual({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
    expect(jsonEqual({ a: 1 }, { a: 1, b: 2 })).toBe(false);
    expect(jsonEqual([1, 2], [2, 1])).toBe(false);
    expect(jsonEqual({}, [])).toBe(false);
    expect(jsonEqual({ a: null }, {})).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { compileSchema } from "./ajv.js";
import { EventplaneError } from "./errors.js";
import type { JsonObject } from "./json-types.js";

const organization: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    name: { type: "string", maxLength: 10 },
    plan: { enum: ["free", "team"] },
    at: { type: "string", format: "date-time" },
    seats: { type: "integer", minimum: 1, default: 5 },
    tags: { type: "array", items: { type: "string" } },
  },
  required: ["name", "plan"],
  additionalProperties: false,
};

function refusedSchema(schema: JsonObject): string {
  try {
    compileSchema(schema);
  } catch (error) {
    if (error instanceof EventplaneError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("the schema was accepted");
}

describe("compileSchema", () => {
  test("finds nothing wrong with a value that fits, and leaves it as it was", () => {
    const value = { name: "Acme", plan: "team" };
    expect(compileSchema(organization)(value)).toEqual([]);
    expect(value).toEqual({ name: "Acme", plan: "team" });
  });

  test("names every problem by pointer and rule, without the value", () => {
    const value = { name: "a-canary-secret", at: "a-canary", seats: "5", tags: ["a", 7], "other/~\n": 1 };
    const problems = compileSchema(organization)(value);
    expect(problems).toEqual(
      expect.arrayContaining([
        { pointer: "/plan", message: "is required" },
        { pointer: "/other~1~0\\n", message: "is not a known member" },
        { pointer: "/name", message: "must NOT have more than 10 characters" },
        { pointer: "/at", message: 'must match format "date-time"' },
        { pointer: "/seats", message: "must be integer" },
        { pointer: "/tags/1", message: "must be string" },
      ]),
    );
    expect(problems).toHaveLength(6);
    expect(JSON.stringify(problems)).not.toContain("canary");
  });

  test("says which values are allowed", () => {
    expect(compileSchema(organization)({ name: "a", plan: "gold" })).toEqual([
      { pointer: "/plan", message: 'must be one of ["free","team"]' },
    ]);
    expect(compileSchema({ const: { a: 1 } })(2)).toEqual([{ pointer: "", message: 'must be {"a":1}' }]);
  });

  test("says which constants a union allows in one problem, beside other problems and inside lists", () => {
    const choice = { anyOf: [{ type: "string", const: "free" }, { const: "team" }] };
    const schema = {
      type: "object",
      properties: { name: { type: "string" }, plans: { type: "array", items: choice } },
    };
    const must = 'must be one of ["free","team"]';
    expect(compileSchema(schema)({ name: 1, plans: ["gold", "free", "silver"] })).toEqual([
      { pointer: "/name", message: "must be string" },
      { pointer: "/plans/0", message: must },
      { pointer: "/plans/2", message: must },
    ]);
    const many = Array.from({ length: 3_000 }, () => "gold");
    expect(compileSchema({ type: "array", items: choice })(many)).toEqual([{ pointer: "/0", message: must }]);
    expect(compileSchema({ anyOf: [{ const: "free" }, { type: "integer" }] })("gold").length).toBeGreaterThan(1);
  });

  test("coerces nothing", () => {
    expect(compileSchema({ type: "number" })("1")).toEqual([{ pointer: "", message: "must be number" }]);
  });

  test("gives at most 20 problems, and of a large value only the first", () => {
    const strings = compileSchema({ type: "array", items: { type: "string" } });
    expect(strings(Array.from({ length: 1_000 }, () => 1))).toHaveLength(20);
    expect(strings(Array.from({ length: 100_000 }, () => 1))).toEqual([{ pointer: "/0", message: "must be string" }]);
  });

  test("inherited names do not count as members", () => {
    expect(compileSchema({ type: "object", required: ["toString"] })({})).toEqual([
      { pointer: "/toString", message: "is required" },
    ]);
  });

  test("a check works again after a refusal", () => {
    const check = compileSchema(organization);
    expect(check({})).toHaveLength(2);
    expect(check({ name: "a", plan: "free" })).toEqual([]);
    expect(check({ name: "a" })).toHaveLength(1);
  });

  test.each<[string, JsonObject]>([
    ["an unknown keyword", { type: "string", maxLenght: 3 }],
    ["an unknown type", { type: "text" }],
    ["an unknown format", { type: "string", format: "telepathy" }],
    ["a broken pattern", { type: "string", pattern: "(" }],
    ["a remote $ref", { $ref: "https://example.com/schema.json" }],
    ["an asynchronous schema", { $async: true, type: "string" }],
    ["another draft", { $schema: "http://json-schema.org/draft-04/schema#" }],
  ])("%s is config_invalid", (_name, schema) => {
    expect(refusedSchema(schema)).toMatch(/^config_invalid: The JSON Schema cannot be used: .+ Correct it/);
  });

  test("takes marks of sensitive and personal data only from who does what they ask for", () => {
    const marked: JsonObject = {
      properties: { a: { "x-eventplane-sensitive": true }, b: { "x-eventplane-personal": { subject: "/id" } } },
    };
    expect(refusedSchema(marked)).toContain("x-eventplane-sensitive");
    expect(compileSchema(marked, { takesMarks: true })({ a: 1, b: 2 })).toEqual([]);
    for (const wrong of [{ "x-eventplane-sensitive": "yes" }, { "x-eventplane-personal": { subjekt: "/id" } }])
      expect(() => compileSchema(wrong, { takesMarks: true })).toThrow("cannot be used");
  });

  test("two schemas with the same $id do not meet", () => {
    const first = compileSchema({ $id: "https://example.com/same", type: "string" });
    const second = compileSchema({ $id: "https://example.com/same", type: "number" });
    expect([first("a").length, second("a").length]).toEqual([0, 1]);
  });
});

describe("plain data", () => {
  test.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
    "that lacks the required member %s does not have it by inheritance",
    (name) => {
      const check = compileSchema({ type: "object", required: [name] }, { isPlain: true });
      expect(check({})).toMatchObject([{ message: "is required" }]);
      expect(check(JSON.parse(`{"${name}":1}`))).toEqual([]);
    },
  );

  test("fits or not as any other value", () => {
    const schema = { type: "object", properties: { a: { type: "integer" } }, additionalProperties: false };
    for (const value of [{}, { a: 1 }, { a: "x" }, { b: 1 }, [], null])
      expect(compileSchema(schema, { isPlain: true })(value)).toEqual(compileSchema(schema)(value));
  });
});

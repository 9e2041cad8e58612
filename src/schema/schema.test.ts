import { Type } from "typebox";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compileSchema, type JsonObject } from "../kernel/index.js";
import { patchSchema, readSchema, type SchemaSource } from "./index.js";

const accepts = (schema: JsonObject, value: unknown): boolean => compileSchema(schema)(value).length === 0;
const text = { type: "string" } as const;

describe("readSchema", () => {
  const sources: readonly (readonly [string, SchemaSource])[] = [
    ["zod 4", z.object({ name: z.string().max(5), tags: z.array(z.object({ a: z.string() })).optional() })],
    [
      "TypeBox",
      Type.Object({
        name: Type.String({ maxLength: 5 }),
        tags: Type.Optional(Type.Array(Type.Object({ a: Type.String() }))),
      }),
    ],
    [
      "JSON Schema",
      {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: {
          name: { type: "string", maxLength: 5 },
          tags: { type: "array", items: { type: "object", properties: { a: text }, required: ["a"] } },
        },
        required: ["name"],
      },
    ],
  ];
  test.each(sources)("%s becomes one closed JSON Schema", (_, source) => {
    const schema = readSchema(source, "house");
    expect(accepts(schema, { name: "A", tags: [{ a: "1" }] })).toBe(true);
    expect(accepts(schema, { name: "A" })).toBe(true);
    expect(accepts(schema, { tags: [] })).toBe(false);
    expect(accepts(schema, { name: "toolong" })).toBe(false);
    expect(accepts(schema, { name: "A", colour: "red" })).toBe(false);
    expect(accepts(schema, { name: "A", tags: [{ a: "1", b: "2" }] })).toBe(false);
    expect(JSON.stringify(schema)).not.toContain("$schema");
  });

  test("objects that say that they are open stay open", () => {
    const open: readonly SchemaSource[] = [
      z.looseObject({ name: z.string() }),
      Type.Object({ name: Type.String() }, { additionalProperties: true }),
      { type: "object", properties: { name: text }, patternProperties: { "^x-": text } },
    ];
    for (const source of open) expect(accepts(readSchema(source, "house"), { name: "A", "x-y": "z" })).toBe(true);
  });

  test("unions are closed shape by shape", () => {
    const union = z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("hut"), straw: z.int() }),
      z.object({ kind: z.literal("villa"), pool: z.object({ depth: z.number() }) }),
    ]);
    const schema = readSchema(z.object({ house: union }), "street");
    expect(accepts(schema, { house: { kind: "hut", straw: 1 } })).toBe(true);
    expect(accepts(schema, { house: { kind: "hut", straw: 1, pool: { depth: 1 } } })).toBe(false);
    expect(accepts(schema, { house: { kind: "villa", pool: { depth: 1, tiles: 3 } } })).toBe(false);
  });

  test("compositions are closed as a whole, so that their parts can complete each other", () => {
    const part = (name: string): JsonObject => ({
      type: "object",
      properties: { [name]: { type: "object", properties: { x: text } } },
      required: [name],
    });
    const composed: readonly JsonObject[] = [
      { allOf: [part("a"), part("b")] },
      { ...part("a"), allOf: [part("b")] },
      {
        type: "object",
        allOf: [{ $ref: "#/$defs/a" }, part("b")],
        $defs: { a: { properties: { a: true }, additionalProperties: true } },
      },
    ];
    for (const source of composed.slice(0, 2)) {
      const schema = readSchema(source, "pair");
      expect(accepts(schema, { a: { x: "1" }, b: {} })).toBe(true);
      expect(accepts(schema, { a: {}, b: {}, c: {} })).toBe(false);
      expect(accepts(schema, { a: { y: "1" }, b: {} })).toBe(false);
    }
    expect(accepts(readSchema(composed[2]!, "pair"), { a: 1, b: {} })).toBe(true);
  });

  test("a condition decides and is not closed", () => {
    const schema = readSchema(
      {
        type: "object",
        properties: { plan: text, seats: { type: "integer" } },
        if: { properties: { plan: { const: "team" } } },
        then: { required: ["seats"] },
      },
      "account",
    );
    expect(accepts(schema, { plan: "team", seats: 3 })).toBe(true);
    expect(accepts(schema, { plan: "team" })).toBe(false);
    expect(accepts(schema, { plan: "free" })).toBe(true);
    expect(accepts(schema, { plan: "free", colour: "red" })).toBe(false);
  });

  const refused: readonly (readonly [string, SchemaSource])[] = [
    ["a transform", z.object({ a: z.string().transform((value) => value.length) })],
    ["a default of zod", z.object({ a: z.string().default("x") })],
    ["a prefault", z.object({ a: z.string().prefault("x") })],
    ["a catch", z.object({ a: z.string().catch("x") })],
    ["a pipe", z.object({ a: z.preprocess(String, z.string()) })],
    ["coercion", z.object({ a: z.coerce.number() })],
    ["trimming", z.object({ a: z.string().trim() })],
    ["a refinement", z.object({ a: z.string().refine((value) => value !== "b") })],
    ["a refinement of the whole", z.object({ a: z.string() }).refine(() => true)],
    ["a type that JSON lacks", z.object({ a: z.date() })],
    ["a default of TypeBox", Type.Object({ a: Type.String({ default: "x" }) })],
    ["a codec of TypeBox", Type.Object({ a: Type.Codec(Type.String()).Decode(Number).Encode(String) })],
    ["a refinement of TypeBox", Type.Object({ a: Type.Refine(Type.String(), () => true) })],
    ["a default in JSON Schema", { type: "object", properties: { a: { ...text, default: "x" } } }],
    [
      "a default in a definition",
      { type: "object", properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { ...text, default: "x" } } },
    ],
    ["an unknown keyword", { type: "object", propertys: {} }],
    ["a wrong type", { type: "objekt" }],
    ["a remote reference", { type: "object", properties: { a: { $ref: "https://example.com/a.json" } } }],
    [
      "a Standard Schema without JSON Schema",
      { "~standard": { version: 1, vendor: "other", validate: () => ({ value: 1 }) } },
    ],
    ["an array", []],
    ["a reference to itself", { $ref: "#" }],
    [
      "references that come back to where they began",
      {
        type: "object",
        properties: { a: { $ref: "#/$defs/a" } },
        $defs: { a: { anyOf: [text, { $ref: "#/$defs/b" }] }, b: { allOf: [{ $ref: "#/$defs/a" }] } },
      },
    ],
  ];
  test.each(refused)("refuses %s with config_invalid that names the place", (_, source) => {
    expect(() => readSchema(source, "status quota of house")).toThrow(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining("status quota of house") }),
    );
  });

  test("a schema may refer to itself further down: a tree", () => {
    const schema = readSchema(
      {
        type: "object",
        properties: { root: { $ref: "#/$defs/part" } },
        $defs: {
          part: {
            type: "object",
            properties: { name: text, parts: { type: "array", items: { $ref: "#/$defs/part" } } },
          },
        },
      },
      "house",
    );
    expect(accepts(schema, { root: { name: "a", parts: [{ name: "b", parts: [] }] } })).toBe(true);
    expect(accepts(schema, { root: { name: "a", parts: [{ name: 1 }] } })).toBe(false);
  });

  test("a property that is called default is no default", () => {
    const schema = readSchema({ type: "object", properties: { default: text }, required: ["default"] }, "house");
    expect(accepts(schema, { default: "x" })).toBe(true);
  });
});

describe("patchSchema", () => {
  const patch = patchSchema(
    readSchema(
      z.object({
        name: z.string(),
        note: z.string().optional(),
        address: z.object({ street: z.string(), floor: z.int().optional() }),
        rooms: z.array(z.object({ size: z.int() })),
      }),
      "house",
    ),
  );

  test("requires nothing, lets null remove what is optional, and stays closed", () => {
    expect(accepts(patch, {})).toBe(true);
    expect(accepts(patch, { note: null, address: { floor: null } })).toBe(true);
    expect(accepts(patch, { name: null })).toBe(false);
    expect(accepts(patch, { address: { street: null } })).toBe(false);
    expect(accepts(patch, { colour: "red" })).toBe(false);
    expect(accepts(patch, { address: { colour: "red" } })).toBe(false);
    expect(accepts(patch, { name: 1 })).toBe(false);
  });

  test("an array is replaced as a whole, so its items keep their requirements", () => {
    expect(accepts(patch, { rooms: [{ size: 1 }] })).toBe(true);
    expect(accepts(patch, { rooms: [{}] })).toBe(false);
  });
});

import { Type } from "typebox";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type CompatibilityMode, compatibilityModes } from "../../event/index.js";
import type { JsonObject } from "../../kernel/index.js";
import { patchSchema, readSchema, type SchemaSource, secretReference } from "../index.js";
import { incompatibilities, incompatibilityText } from "./compatibility.js";
import { gapsBetween } from "./gaps.js";

const read = (source: SchemaSource): JsonObject => readSchema(source, "test");
const text = { type: "string" } as const;

function texts(before: SchemaSource, after: SchemaSource, mode: CompatibilityMode = "backward"): readonly string[] {
  return incompatibilities(read(after), [{ schemaVersion: 1, schema: read(before) }], mode).map(incompatibilityText);
}

const account = z.object({ name: z.string().max(80), plan: z.enum(["free", "team"]), note: z.string().optional() });

function tree(more: object): SchemaSource {
  const part = {
    type: "object",
    properties: { name: text, parts: { type: "array", items: { $ref: "#/$defs/part" } }, ...more },
  };
  return { type: "object", properties: { root: { $ref: "#/$defs/part" } }, $defs: { part } };
}

/** What teams do to schemas: each with whether it is backward and forward compatible. */
const changes: readonly (readonly [string, SchemaSource, SchemaSource, boolean, boolean])[] = [
  ["nothing", account, account, true, true],
  ["an optional member more", account, account.extend({ region: z.string().optional() }), true, false],
  ["a required member more", account, account.extend({ region: z.string() }), false, false],
  ["a member becomes optional", account, account.partial({ name: true }), true, false],
  ["a member goes", account, account.omit({ note: true }), false, true],
  ["a value of a choice more", account, account.extend({ plan: z.enum(["free", "team", "large"]) }), true, false],
  ["a value of a choice less", account, account.extend({ plan: z.enum(["team"]) }), false, true],
  ["a longer text", account, account.extend({ name: z.string().max(200) }), true, false],
  ["another type", account, account.extend({ name: z.number() }), false, false],
  ["an integer becomes a number", z.object({ n: z.int() }), z.object({ n: z.number() }), true, false],
  ["null is allowed", account, account.extend({ name: z.string().max(80).nullable() }), true, false],
  [
    "a shape of a union more",
    z.discriminatedUnion("kind", [z.object({ kind: z.literal("a"), a: z.string() })]),
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("a"), a: z.string() }),
      z.object({ kind: z.literal("b"), b: z.string() }),
    ]),
    true,
    false,
  ],
  [
    "a shape of a oneOf more",
    { oneOf: [Type.Object({ kind: Type.Literal("a"), a: Type.String() })] },
    {
      oneOf: [
        Type.Object({ kind: Type.Literal("a"), a: Type.String() }),
        Type.Object({ kind: Type.Literal("b"), b: Type.String() }),
      ],
    },
    true,
    false,
  ],
  [
    "parts put together with allOf, one with a member more",
    {
      allOf: [
        { type: "object", properties: { a: text } },
        { type: "object", properties: { b: text } },
      ],
    },
    {
      allOf: [
        { type: "object", properties: { a: text } },
        { type: "object", properties: { b: text, c: text } },
      ],
    },
    true,
    false,
  ],
  [
    "a definition that is used twice grows",
    { type: "object", properties: { a: { $ref: "#/$defs/p" }, b: { $ref: "#/$defs/p" } }, $defs: { p: { enum: [1] } } },
    {
      type: "object",
      properties: { a: { $ref: "#/$defs/p" }, b: { $ref: "#/$defs/p" } },
      $defs: { p: { enum: [1, 2] } },
    },
    true,
    false,
  ],
  ["a tree gets a member", tree({}), tree({ size: text }), true, false],
  [
    "a pattern goes",
    { type: "object", properties: { a: { ...text, pattern: "^x" } } },
    { type: "object", properties: { a: text } },
    true,
    false,
  ],
  ["the order of members and a description", account, { description: "new", ...read(account) }, true, true],
  [
    "patches of both",
    patchSchema(read(account)),
    patchSchema(read(account.extend({ region: z.string() }))),
    true,
    false,
  ],
];

describe("incompatibilities", () => {
  test.each(changes)("%s", (_name, before, after, ...[backward, forward]) => {
    expect(texts(before, after, "backward").length === 0, String(texts(before, after, "backward"))).toBe(backward);
    expect(texts(before, after, "forward").length === 0, String(texts(before, after, "forward"))).toBe(forward);
    expect(texts(before, after, "full").length === 0).toBe(backward && forward);
    expect(texts(before, after, "none")).toEqual([]);
  });

  test("a reason has the version, the direction, a pointer and what is lost", () => {
    expect(texts(account, account.extend({ plan: z.enum(["team"]), region: z.string() }))).toEqual([
      'version 1, backward: /properties/plan/enum does not take "free" any more',
      "version 1, backward: /required requires region, which may be missing",
    ]);
  });

  test("the transitive modes look at all versions, the others at the one before", () => {
    const versions = [account, account.extend({ note: z.string().max(9).optional() })].map((source, index) => ({
      schemaVersion: index + 1,
      schema: read(source),
    }));
    const next = read(account.extend({ note: z.string().max(20).optional() }));
    const found = compatibilityModes.map((mode) => [
      mode,
      incompatibilities(next, versions, mode).map(({ version }) => version),
    ]);
    expect(Object.fromEntries(found)).toEqual({
      none: [],
      backward: [],
      backward_transitive: [1],
      forward: [2],
      forward_transitive: [2],
      full: [2],
      full_transitive: [1, 2],
    });
  });

  const marked = (mark: object): SchemaSource => ({ type: "object", properties: { who: { ...text, ...mark } } });
  const personal = { "x-eventplane-personal": true } as const;

  test("a mark that goes is incompatible in every mode but none, and one that comes is not", () => {
    const [bare, with_] = [marked({}), marked(personal)].map((source) => source as JsonObject); // plain JSON
    const [before, after] = [{ schemaVersion: 4, schema: with_ ?? {} }, bare ?? {}];
    for (const mode of compatibilityModes.filter((each) => each !== "none")) {
      const [found] = incompatibilities(after, [before], mode);
      expect(found).toMatchObject({ version: 4, direction: "mark", pointer: "/properties/who" });
      expect(incompatibilities(before.schema, [{ schemaVersion: 4, schema: after }], mode)).toEqual([]);
    }
    expect(incompatibilities(after, [before], "none")).toEqual([]);
  });

  test("a mark may move to what is around it, and goes with the member that goes", () => {
    const before = [{ schemaVersion: 1, schema: marked(personal) as JsonObject }]; // plain JSON
    const around = { ...(marked({}) as JsonObject), ...personal };
    expect(incompatibilities(around, before, "full")).toEqual([]);
    const gone = incompatibilities({ type: "object", properties: {} }, before, "backward");
    expect(gone.filter(({ direction }) => direction === "mark")).toEqual([]);
  });

  test("a reference to a secret must stay one", () => {
    const before = Type.Object({ key: secretReference() });
    expect(texts(before, Type.Object({ key: Type.String() }))).toEqual([
      "version 1, mark: /properties/key has lost its mark format secret-reference",
    ]);
    expect(texts(before, before, "full")).toEqual([]);
  });

  test("what was lifted by code need not be taken as it was, but its marks stay", () => {
    const before = { schemaVersion: 1, schema: marked(personal) as JsonObject, isLifted: true }; // plain JSON
    const after = { type: "object", properties: { who: { type: "integer" } } } as const;
    expect(incompatibilities(after, [before], "backward").map(({ direction }) => direction)).toEqual(["mark"]);
  });
});

describe("gapsBetween", () => {
  const unknown: readonly (readonly [string, JsonObject])[] = [
    ["a condition", { if: { type: "string" }, then: { minLength: 1 } }],
    ["a negation", { not: { const: 1 } }],
    ["contains", { contains: { const: 1 } }],
    ["a keyword that it does not know", { "x-other": 1 }],
    ["an anchor", { $dynamicRef: "#a" }],
  ];
  test.each(unknown)("cannot tell of %s unless it was there before, and says so", (_name, schema) => {
    expect(gapsBetween({}, schema)).not.toEqual([]);
    if (!("$dynamicRef" in schema)) expect(gapsBetween({ minimum: 1, ...schema }, schema)).toEqual([]);
  });

  test("is bounded: schemas that would take for ever are too large to be compared", () => {
    const fork = (depth: number): JsonObject => ({
      anyOf: [{ $ref: `#/$defs/${depth}` }, { $ref: `#/$defs/${depth}`, minimum: 1 }],
    });
    const $defs = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [String(index), index === 0 ? {} : fork(index - 1)]),
    );
    const startedMs = performance.now();
    expect(gapsBetween({ ...fork(29), $defs }, { ...fork(29), minimum: 0, $defs })).not.toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

test("a check has its steps for all versions together, however many there are", () => {
  const union = (more: object): object => ({
    anyOf: Array.from({ length: 8 }, (_, index) => ({ minLength: index, ...more })),
  });
  const hard = (maxLength: number): JsonObject =>
    read({ type: "object", properties: { a: { allOf: Array.from({ length: 4 }, () => union({ maxLength })) } } });
  const earlier = Array.from({ length: 8 }, (_, index) => ({ schemaVersion: index + 1, schema: hard(100 + index) }));
  const alone = incompatibilities(hard(90), earlier.slice(-1), "full_transitive");
  expect(alone.map(({ reason }) => reason)).not.toContain("is too large to be compared");
  const together = incompatibilities(hard(90), earlier, "full_transitive");
  expect(together.at(-1)).toMatchObject({ version: 8, reason: "is too large to be compared" });
});

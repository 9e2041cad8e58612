import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compileSchema, TerminalError } from "../kernel/index.js";
import { defineAggregate, defineApp, defineController, done, type IntentConfig } from "./index.js";

const spec = z.object({ name: z.string(), plan: z.enum(["free", "team"]) });
const house = defineAggregate("house", {
  spec,
  intents: {
    build: { creates: true },
    change: {},
    put: { replaces: true, expectedVersion: "any" },
    "tear-down.all": { deletes: true },
  },
});
const accepts = (type: string, value: unknown): boolean =>
  compileSchema(house.definition.intents.get(type)!.schema)(value).length === 0;
const configInvalid = expect.objectContaining({ code: "config_invalid" });
const noop = { timeoutMs: 10, reconcile: () => done() };

describe("defineAggregate", () => {
  test("gives each intent its schema: whole for creates and replaces, a patch for changes, nothing for deletes", () => {
    expect(accepts("house.build", { name: "A", plan: "free" })).toBe(true);
    expect(accepts("house.build", { name: "A" })).toBe(false);
    expect(accepts("house.put", { name: "A" })).toBe(false);
    expect(accepts("house.change", { name: "A" })).toBe(true);
    expect(accepts("house.change", { plan: "gold" })).toBe(false);
    expect(accepts("house.tear-down.all", {})).toBe(true);
    expect(accepts("house.tear-down.all", { name: "A" })).toBe(false);
  });

  test("gives each intent its effect, fold and default expected version", () => {
    const intents = [...house.definition.intents.values()].map((it) => [
      it.type,
      it.effect,
      it.fold,
      it.defaultExpectedVersion,
    ]);
    expect(intents).toEqual([
      ["house.build", "creates", "merge", "creates"],
      ["house.change", "updates", "merge", "streamExists"],
      ["house.put", "updates", "replace", "any"],
      ["house.tear-down.all", "deletes", "merge", "streamExists"],
    ]);
  });

  test("gives each intent its budget, or the aggregate's", () => {
    const { definition } = defineAggregate("house", {
      spec,
      specBytesMax: 1_000,
      intents: { build: { creates: true }, put: { replaces: true, specBytesMax: 50 } },
    });
    expect([...definition.intents.values()].map(({ specBytesMax }) => specBytesMax)).toEqual([1_000, 50]);
    expect(house.definition.intents.get("house.build")).not.toHaveProperty("specBytesMax");
  });

  test("makers give plain intents, and the envelope cannot change what they are", () => {
    expect(house.build({ name: "A", plan: "free" }, { aggregateId: "h-1", expectedVersion: "noStream" })).toEqual({
      type: "house.build",
      spec: { name: "A", plan: "free" },
      aggregateId: "h-1",
      expectedVersion: "noStream",
    });
    expect(house.tearDownAll("h-1")).toEqual({ type: "house.tear-down.all", aggregateId: "h-1", spec: {} });
    expect(house.change("h-1", { name: "B" }, { type: "house.put" } as object)).toMatchObject({ type: "house.change" });
  });

  const wrongIntents: readonly (readonly [string, Readonly<Record<string, IntentConfig>>])[] = [
    ["a reserved last token", { ready: {} }],
    ["a reserved last token further down", { "change.dead-lettered": {} }],
    ["a token in upper case", { Change: {} }],
    ["an empty token", { "a..b": {} }],
    ["too many tokens", { "a.b.c.d.e.f.g.h": {} }],
    ["both creates and deletes", { a: { creates: true, deletes: true } }],
    ["a fold of its own without a schema", { a: { fold: (before) => before } }],
    ["a schema version 0", { a: { schemaVersion: 0 } }],
    ["a compatibility that is none", { a: { compatibility: "some" as "full" } }],
    ["an upcaster that is missing", { a: { schemaVersion: 4, upcasters: { 1: (spec) => spec, 3: (spec) => spec } } }],
    [
      "an upcaster from its own version",
      { a: { schemaVersion: 2, upcasters: { 1: (spec) => spec, 2: (spec) => spec } } },
    ],
    ["an upcaster from version 0", { a: { schemaVersion: 2, upcasters: { 0: (spec) => spec, 1: (spec) => spec } } }],
    ["an upcaster that is no function", { a: { schemaVersion: 2, upcasters: { 1: "no" as never } } }],
    ["a schema version that the store cannot keep", { a: { schemaVersion: 2 ** 31 } }],
    ["a budget that not even an empty spec fits", { a: { specBytesMax: 1 } }],
    ["a budget beyond what an event may have", { a: { specBytesMax: 262_145 } }],
    ["a budget of half a byte", { a: { specBytesMax: 100.5 } }],
    // @ts-expect-error no such rule
    ["a rule of the secrets scan that there is none of", { a: { allowSecrets: ["passwords"] } }],
    ["two makers of one name", { "a-b": {}, "a.b": {} }],
    ["a maker called definition", { definition: {} }],
  ];
  test.each(wrongIntents)("refuses an intent with %s", (_, intents) => {
    expect(() => defineAggregate("house", { spec, intents })).toThrow(configInvalid);
  });

  test.each(["House", "", "a.b", "1a", "a".repeat(65)])("refuses the name %j", (name) => {
    expect(() => defineAggregate(name, { spec, intents: {} })).toThrow(configInvalid);
  });
});

describe("defineController", () => {
  test.each(["conditions", "runtime", "replayer", "ready", "Quota", "a.b", "dead-letter:x"])(
    "refuses the name %j",
    (name) => {
      expect(() => defineController({ ...noop, name, watches: house })).toThrow(configInvalid);
    },
  );

  test.each([0, -1, Number.NaN])("refuses a timeoutMs of %d", (timeoutMs) => {
    expect(() => defineController({ ...noop, name: "a", watches: house, timeoutMs })).toThrow(configInvalid);
  });
});

describe("defineApp", () => {
  const quota = defineController({ ...noop, name: "quota", watches: house });

  test("knows aggregates and controllers by name", () => {
    const app = defineApp({ aggregates: [house], controllers: [quota] });
    expect([...app.aggregates.keys(), ...app.controllers.keys()]).toEqual(["house", "quota"]);
  });

  test("refuses names that are taken, and a controller without its aggregate", () => {
    expect(() => defineApp({ aggregates: [house, house] })).toThrow(configInvalid);
    expect(() => defineApp({ aggregates: [house], controllers: [quota, quota] })).toThrow(configInvalid);
    expect(() => defineApp({ aggregates: [], controllers: [quota] })).toThrow(configInvalid);
  });

  test.each(["tenant", "key", "signing-key", "schema", "dead-letter", "refusal", "replay", "x-mine"])(
    "refuses the aggregate %s, a name of the platform's own or of what tenants register",
    (name) => {
      expect(() => defineApp({ aggregates: [defineAggregate(name, { spec, intents: {} })] })).toThrow(configInvalid);
    },
  );

  test("refuses a controller whose events would get a type that is too long", () => {
    const deep = defineAggregate("deep", { spec, intents: { "b.c.d.e.f.g.h": { creates: true } } });
    const controller = defineController({ ...noop, name: "quota", watches: deep });
    expect(() => defineApp({ aggregates: [deep], controllers: [controller] })).toThrow(configInvalid);
  });
});

test("a TerminalError is terminal_error and not retryable", () => {
  expect(new TerminalError("No such region.")).toMatchObject({ code: "terminal_error", retryable: false });
});

describe("the version of an app", () => {
  const quotas = {
    now: defineController({ name: "quota", watches: house, reconcile: () => done() }),
    again: defineController({ name: "quota", watches: house, reconcile: () => done() }),
    changed: defineController({ name: "quota", watches: house, reconcile: () => undefined }),
    renamed: defineController({ name: "limits", watches: house, reconcile: () => done() }),
  };
  const versionOf = (name: keyof typeof quotas): string =>
    defineApp({ aggregates: [house], controllers: [quotas[name]] }).version;

  test("is a digest of its controllers and workers: the same for the same code, another for other code", () => {
    expect(versionOf("now")).toMatch(/^[0-9a-f]{12}$/);
    expect(versionOf("again")).toBe(versionOf("now"));
    expect(versionOf("changed")).not.toBe(versionOf("now"));
    expect(versionOf("renamed")).not.toBe(versionOf("now"));
  });

  test("is what the team says it is, when it says so", () => {
    expect(defineApp({ aggregates: [house], version: "2026.11.25+4f0c1d2" }).version).toBe("2026.11.25+4f0c1d2");
    for (const version of ["", "with blank", "-x", "v".repeat(65)])
      expect(() => defineApp({ aggregates: [house], version })).toThrow(configInvalid);
  });
});

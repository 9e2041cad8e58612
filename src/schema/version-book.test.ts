import { describe, expect, test } from "vitest";
import type { JsonObject } from "../kernel/index.js";
import { VersionBook } from "./version-book.js";

const type = "house.build";
const named = (more: JsonObject = {}): JsonObject => ({
  type: "object",
  additionalProperties: false,
  properties: { name: { type: "string" }, ...more },
});
const [first, second] = [named(), named({ floor: { type: "integer" } })];

function bookOf(...schemas: readonly JsonObject[]): VersionBook {
  const book = new VersionBook();
  for (const [index, schema] of schemas.entries()) book.add({ type, schemaVersion: index + 1, schema });
  return book;
}

const coded = (code: string): unknown => expect.objectContaining({ code });

describe("VersionBook", () => {
  test("a first version, a compatible next one, and the same ones again are taken", () => {
    const [one, two] = [
      { type, schemaVersion: 1, schema: first },
      { type, schemaVersion: 2, schema: second },
    ];
    expect(() => bookOf().check([one])).not.toThrow();
    expect(() => bookOf(first).check([two])).not.toThrow();
    expect(() => bookOf(first, second).check([two])).not.toThrow();
  });

  test("an older configuration may come back with the schema that it had", () => {
    bookOf(first, second).check([{ type, schemaVersion: 1, schema: first }]);
    expect(() => bookOf(first, second).check([{ type, schemaVersion: 1, schema: second }])).toThrow(
      coded("schema_changed"),
    );
  });

  test("another schema under the same number is schema_changed, and the number to take is named", () => {
    expect(() => bookOf(first).check([{ type, schemaVersion: 1, schema: second }])).toThrow(
      expect.objectContaining({ code: "schema_changed", message: expect.stringContaining("schemaVersion: 2") }),
    );
  });

  test("words about the schema may change under its number, marks may not", () => {
    bookOf(first).check([{ type, schemaVersion: 1, schema: { title: "A house", ...first } }]);
    const marked = named({ name: { type: "string", "x-eventplane-personal": true } });
    for (const [one, other] of [
      [first, marked],
      [marked, first],
    ] as const)
      expect(() => bookOf(one).check([{ type, schemaVersion: 1, schema: other }])).toThrow(coded("schema_changed"));
  });

  test("a number that was passed over is not filled in later", () => {
    const book = new VersionBook();
    for (const [schemaVersion, schema] of [
      [1, first],
      [3, second],
    ] as const)
      book.add({ type, schemaVersion, schema });
    expect(() => book.check([{ type, schemaVersion: 2, schema: second }])).toThrow(coded("schema_changed"));
  });

  test("a version that narrows is schema_incompatible, with every reason; with none it is taken", () => {
    const declared = { type, schemaVersion: 2, schema: named({ name: { type: "integer" } }) };
    expect(() => bookOf(first).check([declared])).toThrow(
      expect.objectContaining({
        code: "schema_incompatible",
        details: { reasons: ["house.build 2: version 1, backward: /properties/name/type takes no string any more"] },
      }),
    );
    bookOf(first).check([{ ...declared, compatibility: "none" }]);
  });

  test("an upcaster excuses a version that narrows, from the oldest registered one on", () => {
    const declared = { type, schemaVersion: 3, schema: named({ name: { type: "integer" } }) };
    const steps = (...from: readonly number[]): ReadonlyMap<number, (spec: JsonObject) => JsonObject> =>
      new Map(from.map((each) => [each, (spec: JsonObject) => spec]));
    expect(() => bookOf(first, second).check([{ ...declared, upcasters: steps(1, 2) }])).not.toThrow();
    expect(() => bookOf(first, second).check([{ ...declared, upcasters: steps(2) }])).toThrow(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining("version 1") }),
    );
    expect(() => bookOf(first, second).check([{ ...declared, upcasters: steps(1, 2), compatibility: "full" }])).toThrow(
      coded("schema_incompatible"),
    );
  });

  test("what was registered first under a number is what it means", () => {
    const book = bookOf(first);
    book.add({ type, schemaVersion: 1, schema: second });
    expect(book.find(type, 1)?.schema).toBe(first);
    expect(book.of(type)).toHaveLength(1);
  });
});

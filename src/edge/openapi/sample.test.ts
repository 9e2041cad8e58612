/** Samples fit their schemas, or there is none. */
import { expect, test } from "vitest";
import { sampleOf } from "./sample.js";

const node = {
  type: "object",
  required: ["name"],
  properties: { name: { type: "string" }, next: { $ref: "#/$defs/node" } },
} as const;

const loop = { type: "object", required: ["next"], properties: { next: { $ref: "#/$defs/loop" } } } as const;

test.each([
  [
    { type: "object", required: ["a"], properties: { a: { type: "integer", minimum: 3 }, b: { type: "string" } } },
    { a: 3 },
  ],
  [{ type: "object", required: ["plan"], properties: { plan: { enum: ["team", "free"] } } }, { plan: "team" }],
  [
    { type: "object", required: ["at"], properties: { at: { type: "string", format: "date-time" } } },
    { at: "2026-01-31T09:30:00Z" },
  ],
  [
    { type: "object", required: ["root"], properties: { root: { $ref: "#/$defs/node" } }, $defs: { node } },
    { root: { name: "example" } },
  ],
  [{ anyOf: [{ type: "object", required: ["x"], properties: { x: { const: 1 } } }, { type: "null" }] }, { x: 1 }],
  [{ type: "array", minItems: 2, items: { type: "boolean" } }, [true, true]],
  [{ type: "string", minLength: 10 }, "example---"],
  [{ type: "object", examples: [{ code: "A-1" }], properties: { code: { type: "string" } } }, { code: "A-1" }],
])("of %j it is the simplest value", (schema, sample) => {
  expect(sampleOf(schema)).toEqual(sample);
});

test.each([
  ["a pattern that no simple text has", { type: "string", pattern: "^[0-9]{4}$" }],
  ["a shape that needs itself", { $ref: "#/$defs/loop", $defs: { loop } }],
])("of %s there is none", (_what, schema) => {
  expect(sampleOf(schema)).toBeUndefined();
});

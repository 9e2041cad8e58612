import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { typescriptOf } from "./typescript-of.js";

const text = { type: "string" } as const;
const schemas = [
  {
    type: "x-order.placed",
    schemaVersion: 2,
    schema: {
      type: "object",
      additionalProperties: false,
      required: ["total", "lines", "kind"],
      properties: {
        total: { type: "integer", description: "In cents. */ export const hacked = 1; /*" },
        kind: { enum: ["new", 7, null] },
        "odd name": { type: ["string", "null"] },
        lines: { type: "array", items: { $ref: "#/$defs/line" } },
        place: {
          anyOf: [
            { type: "object", properties: { x: { type: "number" } }, additionalProperties: false },
            { const: "none" },
          ],
        },
        pair: { type: "array", prefixItems: [text, { type: "boolean" }], items: false },
        labels: { type: "object", additionalProperties: text },
      },
      $defs: {
        line: {
          type: "object",
          additionalProperties: false,
          properties: { name: text, parts: { type: "array", items: { $ref: "#/$defs/line" } } },
        },
      },
    },
  },
  {
    type: "organization.delete",
    schemaVersion: 1,
    schema: { type: "object", properties: {}, additionalProperties: false },
  },
  {
    type: "a.b",
    schemaVersion: 1,
    schema: { allOf: [{ type: "object", properties: { a: text } }, { $ref: "https://example.com/x.json" }] },
  },
];

const use = `
import type { SpecByType, XOrderPlaced } from "./types.js";
export const good: XOrderPlaced = {
  total: 1, kind: 7, "odd name": null, lines: [{ name: "a", parts: [{ name: "b" }] }], place: { x: 1 }, pair: ["a", true], labels: { a: "b" },
};
export const none: SpecByType["organization.delete"] = {};
export const open: SpecByType["a.b"] = { a: "x", more: 1 };
// @ts-expect-error a member is missing
export const missing: XOrderPlaced = { total: 1, lines: [] };
// @ts-expect-error no such value
export const wrong: XOrderPlaced = { total: 1, lines: [], kind: "old" };
// @ts-expect-error nobody named it
export const more: XOrderPlaced = { total: 1, lines: [], kind: 7, more: 1 };
// @ts-expect-error of the wrong type, far down
export const deep: XOrderPlaced = { total: 1, lines: [{ parts: [{ name: 1 }] }], kind: 7 };
`;

test("what is generated is TypeScript that takes what the schemas take, and nothing in a schema becomes code", () => {
  const folder = mkdtempSync(join(tmpdir(), "eventplane-types-"));
  try {
    const types = typescriptOf(schemas);
    expect(types).not.toContain("*/ export const hacked");
    writeFileSync(join(folder, "types.ts"), types);
    writeFileSync(join(folder, "use.ts"), use);
    const options = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--types",
      "node",
      "--ignoreConfig",
    ];
    const { status, stdout } = spawnSync("node_modules/.bin/tsc", [...options, join(folder, "use.ts")], {
      encoding: "utf8",
    });
    expect([status, stdout]).toEqual([0, ""]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeUnsafe, toYaml } from "./yaml.js";

describe("toYaml", () => {
  it("writes nested values in block style", () => {
    const value = { name: "Acme", tags: ["a", { b: 1, c: [] }], empty: {}, nothing: null };
    expect(toYaml(value)).toBe(
      ["name: Acme", "tags:", "  - a", "  - b: 1", "    c: []", "empty: {}", "nothing: null"].join("\n"),
    );
  });

  it("quotes every text that a reader could take for something else", () => {
    for (const text of [
      "true",
      "No",
      "null",
      "1",
      "1e3",
      "0x1",
      "2026-01-31",
      "~",
      "",
      " a",
      "a: b",
      "- a",
      "#a",
      "a #b",
      "&a",
      "*a",
      "!a",
      "%a",
      "@a",
      "{a",
      "[a",
      "'a",
      "a\nb",
      "=",
      ".",
    ]) {
      expect(toYaml({ text })).toBe(`text: ${JSON.stringify(text)}`);
    }
  });

  it("never lets a control, bidirectional or invisible character through", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(toYaml(value)).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u,
        );
      }),
    );
    expect(toYaml("\u202e\u001b[31m")).toBe('"\\u202e\\u001b[31m"');
  });
});

describe("escapeUnsafe", () => {
  it("leaves the value of a JSON text as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(JSON.parse(escapeUnsafe(JSON.stringify(text)))).toBe(text);
      }),
    );
    expect(escapeUnsafe(JSON.stringify("\u{e0041}"))).toBe('"\\udb40\\udc41"');
  });
});

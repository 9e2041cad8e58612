import { expect, test } from "vitest";
import { concealed, resealed } from "./conceal.js";
import type { OpenedValue } from "./sealed-texts.js";

const openedOf = (...plains: readonly string[]): readonly OpenedValue[] =>
  plains.map((plain, index) => ({ json: JSON.stringify(plain), sealed: JSON.stringify(`sealed:v1:${index}`) }));

test("the longest value is looked for first, so that a part of it does not leave the rest", () => {
  const opened = openedOf("Ada@", "Lovelace", "Ada@Lovelace-1815");
  expect(concealed("no box Ada@Lovelace-1815", opened)).toBe("no box [personal]");
  expect(resealed({ text: "To Ada@Lovelace-1815.", whole: "Ada@" }, opened)).toEqual({
    text: "To [personal].",
    whole: "sealed:v1:0",
  });
});

test.each([
  ["JSON", 'Ada "L" Lovelace\n', (plain: string) => JSON.stringify({ to: plain })],
  ["an address", "ada+l@example.com", (plain: string) => `GET /mail?to=${encodeURIComponent(plain)}`],
  ["a form", "Ada & Lovelace", (plain: string) => new URLSearchParams({ to: plain }).toString()],
])("a value that is written as %s writes it is found too", (_name, plain, write) => {
  expect(concealed(`500 for ${write(plain)}`, openedOf(plain))).not.toMatch(/ovelace|example/);
});

test("a short value is hidden where it is the whole text, and left where it may be a part of any other", () => {
  expect(concealed("Jo", openedOf("Jo"))).toBe("[personal]");
  expect(concealed("Joint", openedOf("Jo"))).toBe("Joint");
});

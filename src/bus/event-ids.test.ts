import { describe, expect, test } from "vitest";
import { EventIds } from "./event-ids.js";

describe("event ids", () => {
  test("differ from number to number, and are the same for the same number whatever was read before", () => {
    const ids = new EventIds("prefix.");
    const numbers = [...Array(3_000).keys(), 36 ** 3 - 1, 36 ** 3, 2 ** 31, Number.MAX_SAFE_INTEGER];
    const first = numbers.map((number) => ids.of(number));
    expect(new Set(first).size).toBe(numbers.length);
    expect([...numbers].reverse().map((number) => ids.of(number))).toEqual([...first].reverse());
    expect(first.every((id) => /^prefix\.[0-9a-z]{3,}$/.test(id))).toBe(true);
  });
});

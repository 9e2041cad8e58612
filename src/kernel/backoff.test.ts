import { describe, expect, test } from "vitest";
import { backoffMs } from "./backoff.js";

describe("backoffMs", () => {
  test("doubles its ceiling up to the cap and spreads over all of it", () => {
    const at = (attempt: number, random: number): number =>
      backoffMs(attempt, { baseMs: 5, capMs: 100, random: () => random });
    expect([1, 2, 3, 5, 6, 60, 5_000].map((attempt) => at(attempt, 0.5))).toEqual([2.5, 5, 10, 40, 50, 50, 50]);
    expect(at(3, 0)).toBe(0);
    expect(at(3, 0.999)).toBeLessThan(20);
  });
});

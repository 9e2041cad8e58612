import { expect, test } from "vitest";
import { GenerationsMap } from "./generations-map.js";

test("a map in two generations holds what is looked up, forgets the rest, and forgets at once what it is told to", () => {
  const map = new GenerationsMap<string, number>(4);
  map.set("a", 1);
  map.set("b", 2);
  map.set("c", 3);
  // `a` and `b` are old now.
  map.delete("a");
  expect([map.get("a"), map.get("b"), map.size]).toEqual([undefined, 2, 2]);
  for (let n = 0; n < 100; n++) {
    map.set(`n${n}`, n);
    expect(map.get("b")).toBe(2);
    expect(map.size).toBeLessThanOrEqual(4);
  }
  expect(map.get("c")).toBeUndefined();
  map.clear();
  expect([map.get("b"), map.size]).toEqual([undefined, 0]);
});

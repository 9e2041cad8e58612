import { expect, test } from "vitest";
import { LruMap } from "./lru.js";

test("a full map drops what was used least recently", () => {
  const map = new LruMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  expect(map.get("a")).toBe(1);
  map.set("c", 3);
  expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual([1, undefined, 3, 2]);
});

test("setting a held key replaces it and makes it recent, has() does not", () => {
  const map = new LruMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 10);
  expect(map.has("b")).toBe(true);
  map.set("c", 3);
  expect([map.has("a"), map.has("b"), map.size]).toEqual([true, false, 2]);
});

test("an undefined value is held like any other", () => {
  const map = new LruMap<string, undefined>(1);
  map.set("a", undefined);
  expect([map.get("a"), map.has("a"), map.size]).toEqual([undefined, true, 1]);
});

test("delete and clear forget", () => {
  const map = new LruMap<number, number>(3);
  for (const key of [1, 2, 3]) map.set(key, key);
  expect([map.delete(2), map.delete(2), map.size]).toEqual([true, false, 2]);
  map.clear();
  expect([map.get(1), map.size]).toEqual([undefined, 0]);
});

test.each([0, -1, 1.5, Number.NaN])("a size of %s is a programmer's error", (size) => {
  expect(() => new LruMap(size)).toThrow(expect.objectContaining({ code: "internal" }));
});

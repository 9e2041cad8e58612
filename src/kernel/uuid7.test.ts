import { expect, test } from "vitest";
import { isUuid, systemIds, uuidVersion } from "./ids.js";
import { uuid7Source } from "./uuid7.js";

const source = (nowMs: () => number): (() => string) => uuid7Source(nowMs, () => systemIds.uuid4());

const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

test("an id is a UUIDv7 of its moment, with the variant of RFC 9562", () => {
  const now = Date.parse("2026-11-24T08:00:00Z");
  const id = source(() => now)();
  expect([isUuid(id), uuidVersion(id), timeOf(id)]).toEqual([true, 7, now]);
  expect(id.charAt(19)).toMatch(/[89ab]/);
});

test("ids ascend within a millisecond, over its end and when the clock goes back, and none comes twice", () => {
  const clock = [1_000, 1_001, 900, 1_002];
  let asked = 0;
  const next = source(() => clock[Math.floor(asked++ / 10_000)] ?? 1_003);
  const ids = Array.from({ length: 40_000 }, () => next());
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(ids.length);
  // A millisecond has room for 2,048 to 4,096; what is more borrows from those to come.
  expect(timeOf(ids.at(-1) ?? "") - 1_000).toBeLessThanOrEqual(Math.ceil(40_000 / 2_048));
});

test("the counter begins anywhere in the lower half, so ids of two processes rarely share it", () => {
  const starts = Array.from({ length: 200 }, () => Number.parseInt(source(() => 1_000)().slice(15, 18), 16));
  expect(Math.max(...starts)).toBeLessThan(0x800);
  expect(new Set(starts).size).toBeGreaterThan(150);
});

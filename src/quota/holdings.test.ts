import { beforeEach, expect, test } from "vitest";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { Holdings } from "./holdings.js";
import { MemoryAllowances } from "./memory/index.js";

const tenantId = "11111111-1111-8111-8111-111111111111" as TenantId;
let clock: VirtualClock;
let shared: MemoryAllowances;
let said: number;
let away: boolean;
let reported: unknown[];

beforeEach(() => {
  clock = new VirtualClock();
  shared = new MemoryAllowances(clock);
  [said, away, reported] = [0, false, []];
});

/** A process. */
function open(holder: string): Holdings {
  const store = {
    declare: async (...given: Parameters<MemoryAllowances["declare"]>): Promise<readonly number[]> => {
      said++;
      if (away) throw new EventplaneError("unavailable", "Away.");
      return shared.declare(...given);
    },
  };
  return new Holdings({ store, clock, holder, name: "connections", report: (failure) => void reported.push(failure) });
}
/** How many of so many it got. */
async function taken(holdings: Holdings, count: number, limit: number): Promise<number> {
  let sum = 0;
  for (let n = 0; n < count; n++) if (await holdings.take(tenantId, limit)) sum++;
  return sum;
}

test("one process holds as many as the limit says, and one more when one is given back", async () => {
  const one = open("one");
  expect(await taken(one, 100, 64)).toBe(64);
  one.release(tenantId);
  expect(await taken(one, 2, 64)).toBe(1);
  // It asked when a sixteenth was gone, not for each.
  expect(said).toBeLessThan(25);
});

test("several processes pass the limit by what each opens between two answers at the most", async () => {
  const all = ["a", "b", "c", "d"].map(open);
  const each = await Promise.all(all.map((one) => taken(one, 100, 64)));
  const sum = each.reduce((total, n) => total + n, 0);
  expect(sum).toBeGreaterThanOrEqual(64);
  expect(sum).toBeLessThanOrEqual(64 + 4 * 4);
});

test("also when all of them come at once", async () => {
  const all = ["a", "b", "c", "d"].map(open);
  const each = all.map((one) => Promise.all(Array.from({ length: 100 }, () => one.take(tenantId, 64))));
  const sum = (await Promise.all(each)).flat().filter(Boolean).length;
  expect(sum).toBeGreaterThanOrEqual(64);
  expect(sum).toBeLessThanOrEqual(64 + 4 * 4);
});

test("a small limit is asked about for each", async () => {
  const [one, other] = [open("one"), open("other")];
  expect([await taken(one, 5, 2), await taken(other, 5, 2)]).toEqual([2, 0]);
  one.release(tenantId);
  expect(await taken(other, 1, 2)).toBe(0);
  const stopped = new AbortController();
  const running = one.run(stopped.signal);
  await clock.advance(10_000);
  expect(await taken(other, 5, 2)).toBe(1);
  stopped.abort();
  await running;
});

test("what a process held that says nothing any more is free after 30 s", async () => {
  const [dead, alive] = [open("dead"), open("alive")];
  expect(await taken(dead, 6, 5)).toBe(5);
  expect(await taken(alive, 1, 5)).toBe(0);
  await clock.advance(30_000);
  expect(await taken(alive, 1, 5)).toBe(1);
});

test("nobody is let in whom nobody can count, and the failure is told of once", async () => {
  const one = open("one");
  away = true;
  for (let n = 0; n < 2; n++) await expect(one.take(tenantId, 5)).rejects.toMatchObject({ code: "unavailable" });
  away = false;
  expect(await one.take(tenantId, 5)).toBe(true);
  expect(reported).toEqual([expect.objectContaining({ code: "unavailable" }), undefined]);
});

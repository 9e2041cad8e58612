import { beforeEach, describe, expect, test } from "vitest";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import type { Allowance, AllowanceRule, Taken } from "./allowance.js";
import { Allowances } from "./allowances.js";
import { MemoryAllowances } from "./memory/index.js";
import type { AllowanceStore } from "./port.js";

const tenantId = "11111111-1111-8111-8111-111111111111" as TenantId;
const rule: AllowanceRule = {
  tenantId,
  name: "requests",
  capacity: 100,
  perSecond: 50,
  leaseTokens: 10,
  keepSeconds: 3,
};

let clock: VirtualClock;
let shared: MemoryAllowances;
let calls: number;
let away: EventplaneError | undefined;
let reported: unknown[];
const store: AllowanceStore = {
  claim: async (claims) => {
    calls += 1;
    if (away !== undefined) throw away;
    return shared.claim(claims);
  },
  declare: (...said) => shared.declare(...said),
  sweep: () => shared.sweep(),
};

beforeEach(() => {
  clock = new VirtualClock();
  shared = new MemoryAllowances(clock);
  calls = 0;
  away = undefined;
  reported = [];
});

/** A process. */
function open(more: Partial<AllowanceRule> = {}): Allowance {
  const allowances = new Allowances({
    store,
    clock,
    report: (failure) => void reported.push(failure),
    onCall: () => undefined,
  });
  return allowances.open({ ...rule, ...more });
}

/** How many of `count` wishes for one token were granted. */
async function granted(allowance: Allowance, count: number): Promise<number> {
  let sum = 0;
  for (let n = 0; n < count; n++) if ((await allowance.take(1)).result === "taken") sum++;
  return sum;
}

describe("an allowance", () => {
  test("is taken from without asking, and asked for before it runs out", async () => {
    const allowance = open();
    expect(await allowance.take(1)).toEqual({ result: "taken" });
    const answers = Array.from({ length: 5 }, () => allowance.take(1));
    expect(answers).toEqual(Array(5).fill({ result: "taken" }));
    expect(calls).toBe(1);
    // Now that half of them are gone the next ones are on their way, while nobody waits.
    expect(allowance.take(1)).toEqual({ result: "taken" });
    await clock.advance(0);
    expect(calls).toBe(2);
    expect(await granted(allowance, 80)).toBe(80);
    expect(calls).toBeLessThan(25);
  });

  test("grants what is there at once, then what comes back, and says how long to wait", async () => {
    const allowance = open();
    expect(await granted(allowance, 150)).toBe(100);
    const short = (await allowance.take(1)) as Extract<Taken, { result: "short" }>;
    expect(short).toEqual({ result: "short", waitMs: 20 });
    await clock.advance(1_000);
    expect(await granted(allowance, 150)).toBe(50);
    await clock.advance(10_000);
    expect(await granted(allowance, 150)).toBe(100);
  });

  test("asks the store at most every 50 ms while there is nothing", async () => {
    const allowance = open();
    await granted(allowance, 100);
    const before = calls;
    for (let n = 0; n < 1_000; n++) {
      await clock.advance(1);
      for (let m = 0; m < 5; m++) await allowance.take(1);
    }
    expect(calls - before).toBeGreaterThan(10);
    expect(calls - before).toBeLessThanOrEqual(21);
  });

  test("that several processes share is passed by them together by what each holds at the most", async () => {
    const processes = Array.from({ length: 4 }, () => open());
    const each = async (): Promise<number> =>
      (await Promise.all(processes.map((one) => granted(one, 100)))).reduce((sum, n) => sum + n, 0);
    const first = await each();
    expect(first).toBe(100);
    let sum = first;
    for (let n = 0; n < 100; n++) {
      await clock.advance(100);
      sum += await each();
    }
    expect(sum).toBeLessThanOrEqual(100 + 10 * 50 + 4 * 10);
    expect(sum).toBeGreaterThan(100 + 10 * 50 - 4 * 10 - 10);
  });

  test("that is idle is given back, so that another process has all of it", async () => {
    const [one, other] = [open(), open()];
    expect(await granted(one, 3)).toBe(3);
    one.rest();
    expect(calls).toBe(1);
    await clock.advance(1_000);
    one.rest();
    await clock.advance(0);
    expect(one.isAtRest).toBe(true);
    expect(await granted(other, 150)).toBe(100);
  });

  test("gives a wish for more than half of it when half is there, and pays the rest back before it gives more", async () => {
    const allowance = open();
    expect(await allowance.take(500)).toEqual({ result: "taken" });
    expect(await allowance.take(1)).toMatchObject({ result: "short" });
    for (let n = 0; n < 79; n++) {
      await clock.advance(100);
      await allowance.take(1);
    }
    expect(await allowance.take(1)).toMatchObject({ result: "short" });
    await clock.advance(1_000);
    expect(await allowance.take(1)).toEqual({ result: "taken" });
  });

  test("changes: a lower limit is kept at once, a higher one is asked for at once", async () => {
    const allowance = open();
    expect(await granted(allowance, 100)).toBe(100);
    await allowance.take(1);
    allowance.change({ ...rule, capacity: 300 });
    expect(await granted(allowance, 300)).toBe(200);
    await clock.advance(10_000);
    allowance.change({ ...rule, capacity: 20, leaseTokens: 2 });
    expect(await granted(allowance, 300)).toBeLessThanOrEqual(20 + rule.leaseTokens);
  });

  test("on credit asks the store when half of a slice is gone, and is charged what was spent until then", async () => {
    const allowance = open({ onCredit: true, perSecond: 0 });
    for (let n = 0; n < 5; n++) expect(allowance.take(1)).toEqual({ result: "taken" });
    expect(calls).toBe(0);
    expect(allowance.take(1)).toEqual({ result: "taken" });
    await clock.advance(0);
    expect(calls).toBe(1);
    expect(await granted(allowance, 100)).toBe(94);
  });

  test("takes back what was not used", async () => {
    const allowance = open({ perSecond: 0 });
    expect(await allowance.take(90)).toEqual({ result: "taken" });
    allowance.putBack(60);
    await clock.advance(0);
    expect(await granted(allowance, 100)).toBe(70);
  });
});

describe("a store that is away", () => {
  const failure = new EventplaneError("unavailable", "Away.");

  test("fails those that wait for it, is told of once, and not asked again for 50 ms", async () => {
    const allowance = open();
    away = failure;
    await expect(allowance.take(1)).rejects.toBe(failure);
    await expect(allowance.take(1)).rejects.toBe(failure);
    expect(calls).toBe(1);
    await clock.advance(50);
    await expect(allowance.take(1)).rejects.toBe(failure);
    expect(reported).toEqual([failure]);
    away = undefined;
    await clock.advance(50);
    expect(await allowance.take(1)).toEqual({ result: "taken" });
    expect(reported).toEqual([failure, undefined]);
  });

  test("does not fail those for whom there are tokens here", async () => {
    const allowance = open();
    await allowance.take(1);
    away = failure;
    const answers = Array.from({ length: 10 }, () => allowance.take(1));
    expect(answers).toEqual(Array(10).fill({ result: "taken" }));
  });

  test("keeps no more than 1,000 waiting", async () => {
    const allowance = open({ leaseTokens: 1 });
    const waiting = Array.from({ length: 1_000 }, async () => allowance.take(1));
    expect(() => allowance.take(1)).toThrow(expect.objectContaining({ code: "busy" }));
    expect((await Promise.all(waiting)).filter(({ result }) => result === "taken")).toHaveLength(100);
  });
});

import { beforeEach, describe, expect, test, vi } from "vitest";
import { EventplaneError } from "../kernel/index.js";
import { Allowances, MemoryAllowances } from "../quota/index.js";
import { VirtualClock } from "../testing/index.js";
import { type Attempt, FailedAttempts } from "./failed-attempts.js";

let clock: VirtualClock;
let attempts: FailedAttempts;
let limited: string[];
let shared: MemoryAllowances;

/** The counting of one edge. */
function open(): FailedAttempts {
  const allowances = new Allowances({ store: shared, clock, report: () => undefined, onCall: () => undefined });
  return new FailedAttempts({ allowances, clock, perMinute: 30, onLimited: (network) => void limited.push(network) });
}

beforeEach(() => {
  clock = new VirtualClock();
  limited = [];
  shared = new MemoryAllowances(clock);
  attempts = open();
});

const wrong = (): Promise<never> => Promise.reject(new EventplaneError("unauthenticated", "No."));
const from = (address: string, keyId?: string): Attempt => ({ address, keyId });

/** What becomes of an attempt, and how long it is to wait. */
async function outcomeOf(
  attempt: Attempt,
  look: () => Promise<string> = wrong,
  edge: FailedAttempts = attempts,
): Promise<unknown> {
  try {
    return await edge.charge(attempt, look);
  } catch (error) {
    if (!(error instanceof EventplaneError)) throw error;
    return error.code === "rate_limited" ? error.details.retryAfterSeconds : error.code;
  }
}
async function fail(count: number, attempt: Attempt): Promise<readonly unknown[]> {
  const outcomes: unknown[] = [];
  for (let n = 0; n < count; n++) outcomes.push(await outcomeOf(attempt));
  return outcomes;
}

describe("wrong credentials", () => {
  test("of one address are looked at 30 times at once and then every 2 s; the answer says when, others are not held up", async () => {
    expect(new Set(await fail(30, from("192.0.2.1")))).toEqual(new Set(["unauthenticated"]));
    expect(await fail(2, from("192.0.2.1"))).toEqual([2, 2]);
    expect(await outcomeOf(from("192.0.2.2"))).toBe("unauthenticated");
    await clock.advance(1_000);
    expect(await outcomeOf(from("192.0.2.1"))).toBe(1);
    await clock.advance(1_000);
    expect(await fail(2, from("192.0.2.1"))).toEqual(["unauthenticated", 2]);
    await clock.advance(60_000);
    expect(new Set(await fail(30, from("192.0.2.1")))).toEqual(new Set(["unauthenticated"]));
    expect(limited[0]).toBe("192.0.2.0/24");
  });

  test("under one key id are counted from everywhere", async () => {
    for (let n = 0; n < 30; n++) expect(await outcomeOf(from(`192.0.2.${n}`, "key"))).toBe("unauthenticated");
    expect(await outcomeOf(from("198.51.100.1", "key"))).toBe(2);
    expect(await outcomeOf(from("198.51.100.1", "other"))).toBe("unauthenticated");
  });

  test("of one IPv6 network of 64 bits count together, however they are written", async () => {
    for (let n = 0; n < 30; n++) await outcomeOf(from(n % 2 === 0 ? `2001:db8::${n}` : `2001:0DB8:0:0:1::${n}`));
    expect(await outcomeOf(from("2001:db8:0:0:ffff::1"))).toBe(2);
    expect(await outcomeOf(from("2001:db8:0:1::1"))).toBe("unauthenticated");
    expect(limited).toEqual(["2001:db8:0::/48"]);
  });

  test("of IPv4 addresses that came over IPv6 count for each address, not for all of them together", async () => {
    await fail(30, from("::ffff:192.0.2.1"));
    expect(await outcomeOf(from("::ffff:192.0.2.1"))).toBe(2);
    expect(await outcomeOf(from("192.0.2.1"))).toBe(2);
    expect(await outcomeOf(from("::ffff:192.0.2.2"))).toBe("unauthenticated");
    expect(limited).toEqual(["192.0.2.0/24"]);
  });

  test("at once are charged before they are looked at", async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let looked = 0;
    const slow = async (): Promise<never> => {
      looked++;
      await gate;
      return wrong();
    };
    const all = Array.from({ length: 200 }, () => outcomeOf(from("192.0.2.1"), slow));
    await clock.advance(0);
    expect(looked).toBe(30);
    open();
    expect((await Promise.all(all)).filter((each) => each === "unauthenticated")).toHaveLength(30);
  });
});

test("at several edges are counted together once they are more than a few", async () => {
  const edges = Array.from({ length: 4 }, () => open());
  const outcomes: unknown[] = [];
  for (let n = 0; n < 60; n++) {
    for (const edge of edges) outcomes.push(await outcomeOf(from("192.0.2.1"), wrong, edge));
  }
  const looked = outcomes.filter((each) => each === "unauthenticated").length;
  // Each holds at most an eighth of a minute's.
  expect(looked).toBeLessThanOrEqual(30 + 4 * 4);
  expect(looked).toBeGreaterThanOrEqual(30 - 4 * 4);
});

test("from ever new addresses, under ever new ids, writes nothing that edges share", async () => {
  const written = vi.spyOn(shared, "claim");
  for (let n = 0; n < 200; n++) await outcomeOf(from(`10.0.${n}.1`, `key-${n}`));
  expect(written).not.toHaveBeenCalled();
  await fail(3, from("192.0.2.1"));
  expect(written).toHaveBeenCalled();
});

test("what opens, and what nobody could decide, is not counted", async () => {
  for (let n = 0; n < 100; n++) {
    expect(await outcomeOf(from("192.0.2.1", "key"), async () => "opened")).toBe("opened");
    const stale = (): Promise<never> => Promise.reject(new EventplaneError("platform_stale", "Away."));
    expect(await outcomeOf(from("192.0.2.1", "key"), stale)).toBe("platform_stale");
  }
  expect(await outcomeOf(from("192.0.2.1", "key"))).toBe("unauthenticated");
});

test("10,000 are remembered, and those that came longest ago are forgotten first", async () => {
  const others = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await outcomeOf(from(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
  };
  await fail(31, from("192.0.2.1"));
  await others(9_999);
  expect(await outcomeOf(from("192.0.2.1"))).toBe(2);
  await others(10_000);
  expect(await outcomeOf(from("192.0.2.1"))).toBe("unauthenticated");
});

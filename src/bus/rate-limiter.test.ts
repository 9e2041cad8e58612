import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { CoarseClock } from "./coarse-clock.js";
import { EventBus } from "./index.js";
import { type RateLimit, RateLimiter } from "./rate-limiter.js";

function limiter(limit: RateLimit): {
  readonly clock: VirtualClock;
  readonly one: RateLimiter;
  readonly taken: () => number;
} {
  const clock = new VirtualClock();
  const one = new RateLimiter(limit, new CoarseClock(clock));
  const taken = (): number => {
    let count = 0;
    while (one.take(1)) count++;
    return count;
  };
  return { clock, one, taken };
}

describe("a rate limiter", () => {
  test("gives its burst at once, and after any rest no more than that", async () => {
    const { clock, taken } = limiter({ perSecond: 10, burst: 5 });
    expect(taken()).toBe(5);
    await clock.advance(86_400_000);
    expect(taken()).toBe(5);
  });

  test("gives a token when its time is whole, and not a moment before", async () => {
    const { clock, one, taken } = limiter({ perSecond: 10, burst: 1 });
    expect([taken(), one.waitMs, one.room]).toEqual([1, 100, 0]);
    await clock.advance(80);
    expect([taken(), one.room]).toEqual([0, 0]);
    await clock.advance(40);
    expect([one.room, taken(), one.room]).toEqual([1, 1, 0]);
  });

  test("takes all of several or none", () => {
    const { one } = limiter({ perSecond: 1, burst: 3 });
    expect([one.take(4), one.room, one.take(3), one.take(1)]).toEqual([false, 3, true, false]);
  });

  test("gives over a long time what it says", async () => {
    const { clock, taken } = limiter({ perSecond: 100, burst: 10 });
    let sum = taken();
    for (let n = 0; n < 100; n++) {
      await clock.advance(50);
      sum += taken();
    }
    expect(sum).toBeGreaterThan(480);
    expect(sum).toBeLessThanOrEqual(510);
  });
});

test("retries of a subscription come when their backoff says, and what follows waits for them too", async () => {
  const clock = new VirtualClock();
  const bus = new EventBus({ unknownTopics: "allow", clock, random: () => 0.5 });
  const at: number[] = [];
  const fail = (): void => {
    if (at.push(clock.monotonicMs()) <= 4) throw new Error("down");
  };
  const subscription = bus.on("a", fail, {
    rateLimit: { perSecond: 10, burst: 1 },
    retry: { attempts: 5, baseMs: 1, capMs: 1 },
  });
  for (const n of [0, 1]) void bus.publish("a", n);
  await clock.advance(200);
  expect(at).toHaveLength(5);
  await clock.advance(250);
  expect(subscription.status()).toMatchObject({ done: 1, depth: 1 });
  await clock.advance(200);
  expect(subscription.status()).toMatchObject({ done: 2, depth: 0 });
  expect(at[5]).toBeGreaterThanOrEqual(500);
});

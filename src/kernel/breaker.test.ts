import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { Breaker } from "./breaker.js";

describe("a breaker", () => {
  function opened(): { readonly breaker: Breaker; readonly clock: VirtualClock } {
    const clock = new VirtualClock();
    const breaker = new Breaker({ failures: 3, openMs: 1_000 }, clock);
    for (let n = 0; n < 3; n++) breaker.fail();
    return { breaker, clock };
  }

  test("opens after so many failures in a row, and says when it does", () => {
    const breaker = new Breaker({ failures: 3, openMs: 1_000 }, new VirtualClock());
    expect([breaker.fail(), breaker.fail()]).toEqual([false, false]);
    breaker.succeed();
    expect([breaker.fail(), breaker.fail(), breaker.isOpen]).toEqual([false, false, false]);
    expect(breaker.room).toBe(Number.POSITIVE_INFINITY);
    expect([breaker.fail(), breaker.isOpen, breaker.room]).toEqual([true, true, 0]);
  });

  test("lets one call try when its time is over, and no second beside it", async () => {
    const { breaker, clock } = opened();
    await clock.advance(999);
    expect(breaker.room).toBe(0);
    await clock.advance(1);
    expect(breaker.room).toBe(1);
    breaker.begin();
    expect([breaker.room, breaker.triesAtMs]).toEqual([0, undefined]);
  });

  test("closes when the try succeeds, and opens again when it fails", async () => {
    const { breaker, clock } = opened();
    await clock.advance(1_000);
    breaker.begin();
    expect([breaker.fail(), breaker.isOpen, breaker.triesAtMs]).toEqual([false, true, 2_000]);
    await clock.advance(1_000);
    breaker.begin();
    breaker.succeed();
    expect([breaker.isOpen, breaker.room]).toEqual([false, Number.POSITIVE_INFINITY]);
  });

  test("a try that made no call leaves the next one to try", async () => {
    const { breaker, clock } = opened();
    await clock.advance(1_000);
    breaker.begin();
    breaker.forget();
    expect([breaker.isOpen, breaker.room]).toEqual([true, 1]);
  });
});

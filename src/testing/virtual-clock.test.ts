import { describe, expect, it } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "./virtual-clock.js";

describe("virtual clock", () => {
  it("wakes sleepers in the order of their ends, each at its own time, and those they start as well", async () => {
    const clock = new VirtualClock(0);
    const woken: [string, number][] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      woken.push([name, clock.nowUs()]);
      if (name === "early") await sleeper("again", 5);
    };
    const all = [sleeper("late", 20), sleeper("early", 10), sleeper("never", 21)];
    await clock.advance(20);
    expect(woken).toEqual([
      ["early", 10_000],
      ["again", 15_000],
      ["late", 20_000],
    ]);
    expect([clock.monotonicMs(), clock.sleeping]).toEqual([20, 1]);
    await clock.advance(1);
    await Promise.all(all);
  });

  it("leaves no sleeper behind when the sleep is aborted", async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort();
    await expect(sleep).rejects.toSatisfy((error) => isEventplaneError(error, "aborted"));
    await expect(clock.sleep(10, controller.signal)).rejects.toSatisfy((error) => isEventplaneError(error, "aborted"));
    expect(clock.sleeping).toBe(0);
  });
});

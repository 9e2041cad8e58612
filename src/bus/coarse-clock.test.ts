import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { CoarseClock } from "./coarse-clock.js";
import { EventBus } from "./index.js";

/** A clock whose first sleep fails, as one that is begun when the stack is full. */
class FailingOnce extends VirtualClock {
  #hasFailed = false;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#hasFailed) return super.sleep(ms, signal);
    this.#hasFailed = true;
    return Promise.reject(new RangeError("Maximum call stack size exceeded"));
  }
}

describe("a sleep that fails because the stack is full", () => {
  test("leaves no rejection behind, and the time goes on", async () => {
    const clock = new FailingOnce(0);
    const coarse = new CoarseClock(clock);
    const before = coarse.wallMs();
    await clock.advance(1_000);
    expect([before, coarse.wallMs()]).toEqual([0, 1_000]);
    await clock.advance(1_000);
    expect(coarse.wallMs()).toBe(2_000);
  });

  test("takes no later wait of the bus along", async () => {
    const clock = new FailingOnce();
    const bus = new EventBus({ unknownTopics: "allow", clock });
    const drained = bus.drain(100);
    expect(await drained).toBe(true);
    const paused = bus.on("a", () => undefined, { name: "paused" });
    paused.pause();
    void bus.publish("a", 1);
    const inVain = bus.drain(100);
    await clock.advance(200);
    expect(await inVain).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus } from "./index.js";

describe("redriving", () => {
  test("redrives that overlap, and a purge meanwhile, run nothing twice and nothing that is gone", async () => {
    const clock = new VirtualClock();
    const bus = new EventBus({ unknownTopics: "allow", clock });
    const state = { fails: true };
    const calls: number[] = [];
    const handler = async ({ payload }: { payload: unknown }): Promise<void> => {
      if (state.fails) throw new Error("down");
      calls.push(Number(payload));
      await clock.sleep(Number(payload) % 2 === 0 ? 10 : 50);
    };
    bus.on("a", handler, { name: "s", concurrency: 4 });
    for (let n = 0; n < 20; n++) void bus.publish("a", n);
    await clock.advance(10);
    state.fails = false;
    const both = [bus.deadLetters.redriveAll(), bus.deadLetters.redriveAll()];
    await clock.advance(0);
    expect(bus.deadLetters.purge({ limit: 20 })).toBe(20);
    await clock.advance(5_000);
    const [first, second] = await Promise.all(both);
    expect([calls, (first?.done ?? 0) + (second?.done ?? 0)]).toEqual([[0, 1], 2]);
  });

  test("redrives that overlap call a handler once for each letter", async () => {
    const clock = new VirtualClock();
    const bus = new EventBus({ unknownTopics: "allow", clock });
    const state = { fails: true };
    const calls: number[] = [];
    bus.on(
      "a",
      async ({ payload }) => {
        if (state.fails) throw new Error("down");
        calls.push(Number(payload));
        await clock.sleep(Number(payload) % 3 === 0 ? 100 : 10);
      },
      { name: "s", concurrency: 4 },
    );
    for (let n = 0; n < 20; n++) void bus.publish("a", n);
    await clock.advance(10);
    state.fails = false;
    const all = Promise.all([bus.deadLetters.redriveAll(), bus.deadLetters.redriveAll(), bus.deadLetters.redriveAll()]);
    await clock.advance(10_000);
    await all;
    expect(calls.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(bus.deadLetters.list()).toEqual([]);
  });

  test("one that was dropped from a queue when it was redriven stays", async () => {
    const bus = new EventBus({ unknownTopics: "allow" });
    const fail = (): never => {
      throw new Error("down");
    };
    bus.on("a", fail, { name: "bad" });
    void bus.publish("a", 1);
    bus.subscriptions()[0]?.pause();
    const redriven = bus.deadLetters.redrive(1);
    bus.off("bad");
    expect([(await redriven).outcome, bus.deadLetters.list().length]).toEqual(["dropped", 1]);
  });
});

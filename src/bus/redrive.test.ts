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

  test("a handler that redrives the others when it is called again is called once for each", async () => {
    const bus = new EventBus({ unknownTopics: "allow" });
    const calls: number[] = [];
    let isDown = true;
    bus.on("a", ({ payload }) => {
      if (isDown) throw new Error("down");
      calls.push(Number(payload));
      void bus.deadLetters.redriveAll();
    });
    for (let n = 0; n < 3; n++) void bus.publish("a", n);
    isDown = false;
    await bus.deadLetters.redrive(1);
    await bus.drain(1_000);
    expect([calls.toSorted((a, b) => a - b), bus.deadLetters.list()]).toEqual([[0, 1, 2], []]);
  });

  test("one that could not be redriven can be, once its subscription is there", async () => {
    const bus = new EventBus({ unknownTopics: "allow" });
    const fail = (): never => {
      throw new Error("down");
    };
    bus.on("a", fail, { name: "s" });
    void bus.publish("a", 1);
    bus.off("s");
    await expect(bus.deadLetters.redrive(1)).rejects.toMatchObject({ code: "not_found" });
    bus.on("a", () => undefined, { name: "s" });
    expect(await bus.deadLetters.redrive(1)).toMatchObject({ outcome: "done" });
  });

  test("dead letters are not purged by a limit that is none", () => {
    const bus = new EventBus({ unknownTopics: "allow" });
    bus.on("a", () => {
      throw new Error("down");
    });
    for (let n = 0; n < 3; n++) void bus.publish("a", n);
    for (const limit of [Number.NaN, -1, 1.5])
      expect(() => bus.deadLetters.purge({ limit })).toThrow(expect.objectContaining({ code: "request_invalid" }));
    expect([
      bus.deadLetters.purge({ limit: 0 }),
      bus.deadLetters.purge({ limit: 1 }),
      bus.deadLetters.list()[0]?.number,
    ]).toEqual([0, 1, 2]);
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

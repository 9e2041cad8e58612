import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type DeliveryFailure, EventBus } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let failures: DeliveryFailure[];
let bus: EventBus;
beforeEach(() => {
  clock = new VirtualClock();
  failures = [];
  bus = new EventBus({ unknownTopics: "allow", clock, onFailure: (failure) => void failures.push(failure) });
});

describe("the end of a subscription", () => {
  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 86_400_001])(
    "a deadline of %s is refused, and nothing has ended then",
    async (deadlineMs) => {
      const subscription = bus.on("a", () => undefined);
      await expect(bus.drain(deadlineMs)).rejects.toThrow(coded("request_invalid"));
      await expect(subscription.drain(deadlineMs)).rejects.toThrow(coded("request_invalid"));
      await expect(bus.close({ deadlineMs })).rejects.toThrow(coded("request_invalid"));
      await bus.context("other").publish("a", 1);
      expect([await bus.publish("a", 1, { id: "e" }), subscription.status().done]).toEqual(["e", 1]);
    },
  );

  test("an event that waited for its breaker between two attempts is over when it is done", async () => {
    const works = [false, true];
    const fragile = (): void => {
      if (works.shift() === false) throw new Error("down");
    };
    const subscription = bus.on("a", fragile, {
      breaker: { failures: 1, openMs: 1_000 },
      retry: { attempts: 2, baseMs: 10, capMs: 10 },
    });
    const settled = bus.publishAndSettle("a", 1);
    await clock.advance(3_000);
    expect((await settled).outcomes).toMatchObject([{ outcome: "done", attempts: 2 }]);
    await bus.close();
    expect(subscription.status()).toMatchObject({ done: 1, failed: 0, inFlight: 0 });
    expect([failures, bus.deadLetters.list()]).toEqual([[], []]);
  });

  test("a call under way when its subscription ends is the last one for its event", async () => {
    let fail = (): void => undefined;
    let calls = 0;
    const handler = (): Promise<never> => {
      calls++;
      return new Promise((_, reject) => {
        fail = () => reject(new Error("down"));
      });
    };
    const subscription = bus.on("a", handler, { retry: { attempts: 9, baseMs: 10, capMs: 10 } });
    const settled = bus.publishAndSettle("a", 1);
    subscription.unsubscribe();
    fail();
    expect((await settled).outcomes).toMatchObject([{ outcome: "failed", attempts: 1 }]);
    await clock.advance(1_000);
    expect([calls, bus.deadLetters.list().length]).toEqual([1, 1]);
  });

  test("the first event of a stream whose loop never took it was dropped, not done", async () => {
    const stream = bus.stream("a", { name: "loop" });
    const settled = ["first", "second"].map((payload) => bus.publishAndSettle("a", payload));
    const { subscription } = stream;
    await stream.return?.();
    for (const { outcomes } of await Promise.all(settled))
      expect(outcomes).toEqual([{ subscription: "loop", outcome: "dropped", attempts: 0 }]);
    expect(subscription.status()).toMatchObject({ done: 0, failed: 0, dropped: 2, inFlight: 0 });
    expect([failures, bus.deadLetters.list()]).toEqual([[], []]);
  });

  test("the event that a stream's loop took last is done when the loop is left", async () => {
    const stream = bus.stream("a", { name: "loop" });
    const settled = bus.publishAndSettle("a", 1);
    for await (const _ of stream) break;
    expect((await settled).outcomes).toMatchObject([{ subscription: "loop", outcome: "done" }]);
  });

  test("unsubscribing drops what waits for its next attempt at once", async () => {
    let calls = 0;
    const fail = (): never => {
      calls++;
      throw new Error("down");
    };
    const subscription = bus.on("a", fail, { retry: { attempts: 9, baseMs: 30_000, capMs: 30_000 } });
    const settled = bus.publishAndSettle("a", 1);
    subscription.unsubscribe();
    expect((await settled).outcomes).toMatchObject([{ outcome: "dropped", attempts: 1 }]);
    expect(subscription.status()).toMatchObject({ dropped: 1, failed: 0, inFlight: 0 });
    expect(await bus.drain(0)).toBe(true);
    await clock.advance(60_000);
    expect(calls).toBe(1);
  });
});

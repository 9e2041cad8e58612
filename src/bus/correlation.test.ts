import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test, vi } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type BusEvent, EventBus } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

const clock = new VirtualClock();
const openBus = (): EventBus => new EventBus({ unknownTopics: "allow", clock, correlation: true });
const ids = ({ topic, id, correlationId, causationId }: BusEvent): unknown[] => [topic, id, correlationId, causationId];

describe("a correlation scope", () => {
  test("gives its id to what is published in it, after awaits and timers too, and to nothing outside", async () => {
    const bus = openBus();
    await bus.correlate("order-1", async () => {
      expect(bus.currentScope()).toEqual({ correlationId: "order-1", causationId: undefined });
      await Promise.resolve();
      void bus.publish("a", 1);
      await new Promise((resolve) => void setTimeout(resolve, 1));
      await bus.publishBatch([{ topic: "a", payload: 2 }]);
      await bus.publishAndSettle("a", 3);
      void bus.publish("a", 4, { correlationId: "mine", causationId: "k" });
      bus.correlate("inner", () => void bus.publish("a", 5));
      void bus.publish("a", 6);
    });
    void bus.publish("a", 7);
    expect([bus.currentScope(), bus.history().map((event) => [event.payload, event.correlationId])]).toEqual([
      undefined,
      [
        [1, "order-1"],
        [2, "order-1"],
        [3, "order-1"],
        [4, "mine"],
        [5, "inner"],
        [6, "order-1"],
        [7, undefined],
      ],
    ]);
    expect(bus.history()[3]?.causationId).toBe("k");
  });

  test("is that of the time when an event is emitted for later", async () => {
    const bus = openBus();
    bus.correlate("early", () => bus.emitLater("a", 1, { delayMs: 50 }));
    bus.correlate("other", () => bus.emitLater("a", 2, { delayMs: 50 }));
    await clock.advance(100);
    expect(bus.history().map(({ correlationId }) => correlationId)).toEqual(["early", "other"]);
  });

  test("defect C6: concurrent operations do not overwrite each other's correlation", async () => {
    const bus = openBus();
    const heard: [string | undefined, unknown][] = [];
    // One at a time: what waits is taken up in the middle of another scope's awaits.
    bus.on("work", async (event) => {
      await clock.sleep(10);
      void bus.publish("done", event.payload);
    });
    bus.on("done", ({ correlationId, payload }) => void heard.push([correlationId, payload]));
    const run = (n: number): Promise<void> =>
      bus.correlate(`operation-${n}`, async () => {
        for (let step = 0; step < 5; step++) {
          await clock.sleep((n * 7 + step * 3) % 11);
          void bus.publish("work", n);
        }
      });
    const all = Promise.all(Array.from({ length: 20 }, (_, n) => run(n)));
    await clock.advance(2_000);
    await all;
    expect(heard).toHaveLength(100);
    for (const [correlationId, n] of heard) expect(correlationId).toBe(`operation-${String(n)}`);
  });

  test("is refused without the option, and for an id that is none", () => {
    expect(() => new EventBus({ unknownTopics: "allow" }).correlate("a", () => 1)).toThrow(coded("config_invalid"));
    for (const id of ["", "a\nb", "x".repeat(129)])
      expect(() => openBus().correlate(id, () => 1)).toThrow(coded("request_invalid"));
  });
});

describe("what a handler publishes", () => {
  test("follows from the event that it handles, along the whole chain, retries included", async () => {
    const bus = openBus();
    bus.on(
      "a",
      (event, { attempt }) => {
        if (attempt === 1) throw new Error("first");
        void bus.publish("b", event.payload, { id: "b1" });
      },
      { retry: { attempts: 2, baseMs: 1 } },
    );
    bus.on("b", async () => {
      await clock.sleep(5);
      void bus.publish("c", 1, { id: "c1" });
    });
    void bus.publish("a", 1, { id: "a1" });
    void bus.publish("other", 1, { id: "o1" });
    await clock.advance(200);
    expect(bus.history().map(ids)).toEqual([
      ["a", "a1", undefined, undefined],
      ["other", "o1", undefined, undefined],
      ["b", "b1", "a1", "a1"],
      ["c", "c1", "a1", "b1"],
    ]);
  });

  test("follows from the event that failed in onFailure, and in a loop from the event that it names", async () => {
    const bus: EventBus = new EventBus({
      unknownTopics: "allow",
      clock,
      correlation: true,
      onFailure: ({ event }) => void bus.publish("alarm", event.topic),
    });
    bus.on("bad", () => Promise.reject(new Error("no")));
    void bus.publish("bad", 1, { id: "bad1", correlationId: "c" });
    const stream = bus.stream("good");
    void bus.publish("good", 1, { id: "good1" });
    const { value } = await stream.next();
    if (value !== undefined) bus.correlate(value, () => void bus.publish("next", 1));
    await clock.advance(50);
    expect(
      bus
        .history()
        .filter(({ topic }) => topic === "alarm" || topic === "next")
        .map(({ topic, correlationId, causationId }) => [topic, correlationId, causationId]),
    ).toEqual(
      expect.arrayContaining([
        ["alarm", "c", "bad1"],
        ["next", "good1", "good1"],
      ]),
    );
  });

  test("from a look of a monitor, belongs to nothing, though it was set up in a scope", async () => {
    const bus = openBus();
    bus.correlate("setup", () => {
      const stop = bus.monitor({ everyMs: 10, onStatistics: () => void bus.publish("look", 1) });
      bus.emitLater("end", 1, { delayMs: 100 });
      void bus.once("end", () => stop());
    });
    await clock.advance(300);
    const looks = bus.history({ topic: "look" });
    expect(looks.length).toBeGreaterThan(3);
    expect(looks.filter(({ correlationId }) => correlationId !== undefined)).toEqual([]);
  });

  test("in onUnpublished belongs to nothing, whoever began the last wait", async () => {
    const bus: EventBus = new EventBus({
      unknownTopics: "allow",
      clock,
      correlation: true,
      authorizePublish: ({ topic }) => topic !== "late" || clock.monotonicMs() < dueMs,
      onUnpublished: () => void bus.publish("alarm", 1),
    });
    const dueMs = clock.monotonicMs() + 50;
    bus.correlate("mine", () => void bus.emitLater("late", 1, { delayMs: 100 }));
    await clock.advance(200);
    expect(bus.history().map(({ topic, correlationId }) => [topic, correlationId])).toEqual([["alarm", undefined]]);
  });

  test("says nothing of itself without the option, and nothing is looked up", () => {
    const bus = new EventBus({ unknownTopics: "allow", clock });
    const lookups = vi.spyOn(AsyncLocalStorage.prototype, "getStore");
    try {
      bus.on("a", () => void bus.publish("b", 1));
      void bus.publish("a", 1);
      expect([lookups.mock.calls.length, bus.currentScope(), bus.history({ topic: "b" })[0]?.causationId]).toEqual([
        0,
        undefined,
        undefined,
      ]);
      void openBus().publish("a", 1);
      expect(lookups).toHaveBeenCalledTimes(1);
    } finally {
      lookups.mockRestore();
    }
  });
});

describe("an emitter", () => {
  test("says its defaults of every event, where the call says nothing", async () => {
    const bus = openBus();
    const emitter = bus.emitter({ priority: "high", correlationId: "c", metadata: { team: "billing", build: 7 } });
    void emitter.publish("a", 1);
    void emitter.publish("a", 2, { priority: "low", metadata: { build: 8, extra: true } });
    await emitter.publishAndSettle("a", 3);
    await emitter.publishBatch([{ topic: "a", payload: 4, correlationId: "mine" }]);
    emitter.emitLater("a", 5, { delayMs: 10 });
    await clock.advance(50);
    const defaults = { priority: "high", correlationId: "c", metadata: { team: "billing", build: 7 } };
    expect(bus.history().map((event) => event.toJSON())).toMatchObject([
      defaults,
      { priority: "low", correlationId: "c", metadata: { team: "billing", build: 8, extra: true } },
      defaults,
      { ...defaults, correlationId: "mine" },
      defaults,
    ]);
  });

  test("defect C4: has defaults that its events may have, as they were then", () => {
    const bus = openBus();
    for (const defaults of [
      { correlationId: "" },
      { priority: "urgent" as "high" },
      { metadata: { at: new Date() } as never },
    ])
      expect(() => bus.emitter(defaults)).toThrow(coded("request_invalid"));
    const asked: unknown[] = [];
    const closed = new EventBus({
      unknownTopics: "allow",
      authorizePublish: ({ principal }) => void asked.push(principal) as unknown as boolean,
    });
    expect(() => closed.emitter({ principal: "billing" }).publish("a", 1)).toThrow(coded("forbidden"));
    expect(asked).toEqual(["billing"]);
  });
});

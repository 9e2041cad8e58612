import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError, TerminalError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type DeliveryFailure, EventBus } from "./index.js";

let clock: VirtualClock;
let failures: DeliveryFailure[];
let bus: EventBus;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  clock = new VirtualClock();
  failures = [];
  bus = new EventBus({ unknownTopics: "allow", clock, onFailure: (failure) => void failures.push(failure) });
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

function throwUndefined(): never {
  // oxlint-disable-next-line typescript/only-throw-error -- that is what is tested
  throw undefined;
}

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

/** A promise whose `constructor` throws from the `from`th look on. */
function pretending(from: number): Promise<void> {
  let looks = 0;
  return Object.defineProperty(Promise.resolve(), "constructor", {
    get() {
      if (++looks >= from) throw new Error("no");
      return Promise;
    },
  });
}

/** A `then` that calls both callbacks, one of them twice. */
function talkative(done: () => void, failed: (error: unknown) => void): void {
  done();
  failed(new Error("no"));
  done();
}

describe("a handler's failure is its own", () => {
  const hostile: readonly (readonly [string, () => unknown])[] = [
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    [
      "throws undefined",
      () => {
        throwUndefined();
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["rejects with undefined", () => Promise.reject(undefined)],
    ["never settles", () => new Promise(() => undefined)],
    [
      "returns a thenable that throws",
      () => ({
        then: () => {
          throw new Error("no");
        },
      }),
    ],
    [
      "returns an object whose then throws",
      () => ({
        get then() {
          throw new Error("no");
        },
      }),
    ],
    ["returns a promise that does not say what it is", () => pretending(1)],
    ["returns a promise that says it only once", () => pretending(2)],
    ["ends every subscription", () => bus.subscriptions().forEach(({ name }) => name !== "last" && bus.off(name))],
  ];

  test.each(hostile)("one that %s affects neither the others nor the publisher", async (_name, handler) => {
    const seen: string[] = [];
    bus.on("a", () => seen.push("first"), { name: "first" });
    bus.on("a", handler, { name: "hostile" });
    bus.on("a", () => seen.push("last"), { name: "last" });
    for (let n = 0; n < 3; n++) void bus.publish("a", {});
    await clock.advance(100);
    expect(seen.filter((name) => name === "last")).toHaveLength(3);
  });

  test.each([
    ["promise", () => Object.defineProperty(Promise.resolve(), "then", { value: talkative })],
    ["thenable", () => ({ then: talkative })],
  ])("a %s that answers several times ends its own call only, once", async (_name, answer) => {
    const settled: number[] = [];
    bus.on("a", ({ payload }) => (payload === 0 ? answer() : clock.sleep(50)), { name: "x", concurrency: 2 });
    for (let n = 0; n < 6; n++) void bus.publishAndSettle("a", n).then(() => settled.push(n));
    await clock.advance(30);
    expect(settled).toEqual([0]);
    await clock.advance(200);
    expect(settled).toEqual([0, 1, 2, 3, 4, 5]);
    expect(bus.statistics().subscriptions["x"]).toMatchObject({ done: 6, failed: 0, late: 0, inFlight: 0 });
  });

  test("a call that ran out of time does not end the one that came after it", async () => {
    const ends: (() => void)[] = [];
    const settled: string[] = [];
    const wait = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    bus.on("a", wait, { name: "x", timeoutMs: 50 });
    void bus.publishAndSettle("a", 1).then(({ outcomes }) => settled.push(`1 ${outcomes[0]?.outcome}`));
    void bus.publishAndSettle("a", 2).then(({ outcomes }) => settled.push(`2 ${outcomes[0]?.outcome}`));
    await clock.advance(90);
    expect([ends.length, settled]).toEqual([2, ["1 failed"]]);
    ends[0]?.();
    await clock.advance(1);
    void bus.publishAndSettle("a", 3).then(({ outcomes }) => settled.push(`3 ${outcomes[0]?.outcome}`));
    expect(settled).toEqual(["1 failed"]);
    ends[1]?.();
    await clock.advance(1);
    ends[2]?.();
    await clock.advance(1);
    expect(settled).toEqual(["1 failed", "2 done", "3 done"]);
    expect(bus.statistics().subscriptions["x"]).toMatchObject({ done: 2, failed: 1, timeouts: 1, late: 1 });
  });

  test("is told with the event, the name and what was thrown, also when that is undefined", async () => {
    bus.on(
      "a",
      () => {
        throwUndefined();
      },
      { name: "sync" },
    );
    bus.on("a", () => Promise.reject(new Error("later")), { name: "async" });
    const { id, outcomes } = await bus.publishAndSettle("a", {});
    expect(outcomes).toEqual([
      { subscription: "sync", outcome: "failed", attempts: 1, error: undefined },
      { subscription: "async", outcome: "failed", attempts: 1, error: expect.objectContaining({ message: "later" }) },
    ]);
    expect(failures.map(({ event, subscription }) => [event.id, subscription])).toEqual([
      [id, "sync"],
      [id, "async"],
    ]);
  });

  test("a callback for failures that throws is counted and harmless", () => {
    bus = new EventBus({
      unknownTopics: "allow",
      clock,
      onFailure: () => {
        throw new Error("callback");
      },
    });
    bus.on("a", () => {
      throw new Error("no");
    });
    expect(() => bus.publish("a", {})).not.toThrow();
  });

  test("defect C1: a filter that throws is a failure that is seen, not a silent no", async () => {
    bus.on("a", () => undefined, {
      name: "f",
      filter: () => {
        throw new Error("filter");
      },
    });
    const { outcomes } = await bus.publishAndSettle("a", {});
    expect(outcomes).toMatchObject([
      { subscription: "f", outcome: "failed", attempts: 0, error: { message: "filter" } },
    ]);
    expect(failures).toHaveLength(1);
  });

  test("a filter passes events over, and they are counted", () => {
    const seen: unknown[] = [];
    const even = bus.on("a", ({ payload }) => seen.push(payload), {
      filter: ({ payload }) => Number(payload) % 2 === 0,
    });
    for (let n = 0; n < 5; n++) void bus.publish("a", n);
    expect(seen).toEqual([0, 2, 4]);
    expect(even.status()).toMatchObject({ done: 3, filtered: 2 });
  });
});

describe("subscriptions that come and go", () => {
  test("one that ends while an event is handed out gets no more, one that comes waits for the next", () => {
    const seen: string[] = [];
    bus.on("a", () => {
      second.unsubscribe();
      bus.on("a", () => seen.push("new"), { name: `new-${seen.length}` });
    });
    const second = bus.on("a", () => seen.push("second"));
    void bus.publish("a", {});
    expect(seen).toEqual([]);
    void bus.publish("a", {});
    expect(seen).toEqual(["new"]);
  });

  test.each(["a.*", "**", "a.b"])(
    "one of %s counts from the next event on, also of a topic that was looked up before",
    (pattern) => {
      const seen: unknown[] = [];
      void bus.publish("a.b", 1);
      const subscription = bus.on(pattern, ({ payload }) => seen.push(payload));
      void bus.publish("a.b", 2);
      subscription.unsubscribe();
      void bus.publish("a.b", 3);
      expect(seen).toEqual([2]);
    },
  );

  test("churn during publishing loses nothing of the others", () => {
    const seen: number[] = [];
    bus.on("a.*", ({ payload }) => seen.push(Number(payload)));
    let current = bus.on("**", () => undefined);
    bus.on("a.b", () => {
      current.unsubscribe();
      current = bus.on("a.**", () => undefined);
    });
    for (let n = 0; n < 500; n++) void bus.publish("a.b", n);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(bus.subscriptions()).toHaveLength(3);
  });

  test("defect C7: a name that is taken again after off keeps its new handler", () => {
    const seen: string[] = [];
    const first = bus.on("a", () => seen.push("first"), { name: "mailer" });
    expect(() => bus.on("a", () => undefined, { name: "mailer" })).toThrow(coded("request_invalid"));
    expect(bus.off("mailer")).toBe(true);
    bus.on("a", () => seen.push("second"), { name: "mailer" });
    expect(first.unsubscribe()).toBe(false);
    void bus.publish("a", {});
    expect(seen).toEqual(["second"]);
    expect(bus.off("nobody")).toBe(false);
  });

  test("defect C7: once fires once, also when its handler publishes the same topic", () => {
    let calls = 0;
    bus.once("a", () => {
      calls++;
      void bus.publish("a", {});
    });
    void bus.publish("a", {});
    void bus.publish("a", {});
    expect(calls).toBe(1);
    expect(bus.subscriptions()).toEqual([]);
  });

  test("once waits for an event that its filter lets through", () => {
    const seen: unknown[] = [];
    bus.once("a", ({ payload }) => seen.push(payload), { filter: ({ payload }) => payload === 2 });
    for (const n of [1, 2, 2]) void bus.publish("a", n);
    expect(seen).toEqual([2]);
  });

  test("definitions are added all or none", () => {
    const good = bus.define("a", () => undefined, { name: "good" });
    expect(() => bus.register([good, bus.define("a", () => undefined, { name: "b", concurrency: 0 })])).toThrow(
      coded("config_invalid"),
    );
    expect(() => bus.register([good, good])).toThrow(coded("request_invalid"));
    expect(bus.subscriptions()).toEqual([]);
    expect(bus.register([good]).map(({ name }) => name)).toEqual(["good"]);
  });

  test("an abort of its signal ends a subscription, also before it began", () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    bus.on("a", () => seen.push(1), { signal: controller.signal });
    controller.abort();
    bus.on("a", () => seen.push(2), { signal: controller.signal });
    void bus.publish("a", {});
    expect(seen).toEqual([]);
  });

  test("patterns, names, handlers and options that make no sense are refused", () => {
    expect(() => bus.on([], () => undefined)).toThrow(coded("request_invalid"));
    expect(() => bus.on("a..b", () => undefined)).toThrow(coded("request_invalid"));
    expect(() => bus.on("a", () => undefined, { name: "a b" })).toThrow(coded("request_invalid"));
    expect(() => bus.on("a", undefined as unknown as () => void)).toThrow(coded("config_invalid"));
    for (const options of [
      { queueMax: 0 },
      { timeoutMs: 0 },
      { overflow: "explode" as "block" },
      { retry: { attempts: 0 } },
      { breaker: { failures: 0, openMs: 1 } },
      { rateLimit: { perSecond: 0 } },
      { rateLimit: { perSecond: 1e-306, burst: 1 } },
      { rateLimit: { perSecond: 1, burst: 0.5 } },
    ])
      expect(() => bus.on("a", () => undefined, options)).toThrow(coded("config_invalid"));
    expect(bus.subscriptions()).toEqual([]);
  });
});

describe("handlers that publish", () => {
  test("everybody gets the events in the order in which they were published", () => {
    const seen: string[] = [];
    bus.on("a", () => {
      void bus.publish("b", {});
      void bus.publish("c", {});
    });
    for (const name of ["x", "y"]) bus.on("**", ({ topic }) => seen.push(`${name} ${topic}`));
    void bus.publish("a", {});
    expect(seen).toEqual(["x a", "y a", "x b", "y b", "x c", "y c"]);
  });

  test("one that answers itself for ever neither fills the stack nor holds the thread", async () => {
    let calls = 0;
    bus.on("a", () => {
      calls++;
      void bus.publish("a", {});
    });
    void bus.publish("a", {});
    const first = calls;
    expect(first).toBeGreaterThanOrEqual(1_000);
    expect(first).toBeLessThan(1_100);
    await clock.advance(1);
    expect(calls).toBeGreaterThan(first);
    bus.subscriptions()[0]?.unsubscribe();
    await clock.advance(1);
  });

  test("one that multiplies events is refused at the bound", () => {
    const refused: unknown[] = [];
    bus.on("a", () => {
      try {
        for (let n = 0; n < 20_000; n++) void bus.publish("b", {});
      } catch (error) {
        refused.push(error);
      }
    });
    void bus.publish("a", {});
    expect(refused).toEqual([coded("busy")]);
  });
});

describe("the context of a call", () => {
  test("tells the attempt; the signal aborts at the time-out with the reason", async () => {
    const seen: unknown[] = [];
    bus.on(
      "a",
      (_event, { attempt, signal }) => {
        signal.addEventListener("abort", () => seen.push([attempt, signal.reason]));
        return new Promise(() => undefined);
      },
      { timeoutMs: 1_000, retry: { attempts: 2, baseMs: 10, capMs: 10 } },
    );
    const settled = bus.publishAndSettle("a", {});
    await clock.advance(3_000);
    expect(seen).toEqual([
      [1, coded("timeout")],
      [2, coded("timeout")],
    ]);
    expect((await settled).outcomes).toEqual([
      { subscription: "handler-1", outcome: "failed", attempts: 2, error: coded("timeout") },
    ]);
  });

  test("a signal that is first read after the time-out is aborted already", async () => {
    let late: boolean | undefined;
    bus.on(
      "a",
      async (_event, context) => {
        await clock.sleep(500);
        late = context.signal.aborted;
      },
      { timeoutMs: 100 },
    );
    void bus.publish("a", {});
    await clock.advance(1_000);
    expect(late).toBe(true);
    expect(bus.subscriptions()[0]?.status()).toMatchObject({ failed: 1, done: 0, timeouts: 1, late: 1 });
  });

  test("a TerminalError ends the attempts", async () => {
    bus.on(
      "a",
      () => {
        throw new TerminalError("never");
      },
      { retry: { attempts: 5 } },
    );
    expect((await bus.publishAndSettle("a", {})).outcomes).toMatchObject([{ outcome: "failed", attempts: 1 }]);
  });
});

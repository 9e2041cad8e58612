import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type BusEvent, type DeliveryFailure, EventBus, type Priority, type SubscriptionOptions } from "./index.js";

let clock: VirtualClock;
let failures: DeliveryFailure[];
let bus: EventBus;

beforeEach(() => {
  clock = new VirtualClock();
  failures = [];
  bus = new EventBus({
    unknownTopics: "allow",
    clock,
    random: () => 0.5,
    onFailure: (failure) => void failures.push(failure),
  });
});

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

/** A handler whose calls the test ends one by one. */
function held(): {
  readonly handler: (event: BusEvent) => Promise<void>;
  readonly begun: unknown[];
  readonly end: () => Promise<void>;
} {
  const begun: unknown[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    handler: ({ payload }) => {
      begun.push(payload);
      return new Promise((resolve) => ends.push(resolve));
    },
    end: async () => {
      ends.shift()?.();
      await clock.advance(0);
    },
  };
}

function publishEach(payloads: readonly unknown[], priority: Priority = "normal"): void {
  for (const payload of payloads) void bus.publish("a", payload, { priority });
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

describe("concurrency", () => {
  test("of one keeps the order, also through retries", async () => {
    const seen: string[] = [];
    bus.on(
      "a",
      async ({ payload }, { attempt }) => {
        await clock.sleep(10);
        seen.push(`${String(payload)}.${attempt}`);
        if (attempt < 3 && payload === 1) throw new Error("again");
      },
      { retry: { attempts: 3 } },
    );
    publishEach([0, 1, 2]);
    await clock.advance(2_000);
    expect(seen).toEqual(["0.1", "1.1", "1.2", "1.3", "2.1"]);
  });

  test("is never exceeded, and what ends lets the next begin", async () => {
    const { handler, begun, end } = held();
    const subscription = bus.on("a", handler, { concurrency: 3 });
    publishEach(numbers(5));
    expect(begun).toEqual([0, 1, 2]);
    expect(subscription.status()).toMatchObject({ inFlight: 3, depth: 2 });
    await end();
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  test("defect C2: slow handlers of one subscription starve no other", async () => {
    for (let n = 0; n < 8; n++) bus.on("a", () => new Promise(() => undefined), { concurrency: 4 });
    const seen: unknown[] = [];
    bus.on("a", async ({ payload }) => seen.push(payload));
    publishEach(numbers(100));
    await clock.advance(10);
    expect(seen).toEqual(numbers(100));
  });

  test("defect C2: asynchronous handlers are called with every event, and checked like the others", async () => {
    const seen: unknown[] = [];
    bus.on("a", async ({ payload }) => seen.push(payload));
    for (const n of numbers(50))
      expect((await bus.publishAndSettle("a", n)).outcomes).toMatchObject([{ outcome: "done" }]);
    expect(seen).toEqual(numbers(50));
  });
});

describe("a full queue", () => {
  async function fill(
    options: SubscriptionOptions,
  ): Promise<ReturnType<typeof held> & { readonly status: () => object }> {
    const one = held();
    const subscription = bus.on("a", one.handler, { name: "slow", queueMax: 2, ...options });
    publishEach([0, 1, 2]);
    return { ...one, status: () => subscription.status() };
  }

  test("with block makes publishers wait, in order, and lets them in one by one", async () => {
    const { begun, end } = await fill({ overflow: "block" });
    const admitted: string[] = [];
    for (const n of [3, 4]) void Promise.resolve(bus.publish("a", n, { id: `e${n}` })).then((id) => admitted.push(id));
    await clock.advance(0);
    expect(admitted).toEqual([]);
    await end();
    expect(admitted).toEqual(["e3"]);
    for (const _ of numbers(4)) await end();
    expect([admitted, begun]).toEqual([
      ["e3", "e4"],
      [0, 1, 2, 3, 4],
    ]);
  });

  test("with block refuses when a thousand wait at its door", async () => {
    await fill({ overflow: "block" });
    publishEach(numbers(1_000));
    expect(() => bus.publish("a", "one more")).toThrow(coded("busy"));
  });

  test("with reject refuses the event before anybody gets it", async () => {
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => seen.push(payload), { order: 1 });
    const { status } = await fill({ overflow: "reject" });
    expect(() => bus.publish("a", 3)).toThrow(
      expect.objectContaining({ code: "busy", details: { subscription: "slow" } }),
    );
    expect(seen).toEqual([0, 1, 2]);
    expect(status()).toMatchObject({ depth: 2, dropped: 0 });
  });

  test("with reject does not refuse what its filter would not let through", async () => {
    await fill({ overflow: "reject", filter: ({ payload }) => typeof payload === "number" });
    expect(bus.publish("a", "text", { id: "t" })).toBe("t");
  });

  test("with drop-oldest drops the oldest of the least urgent, and counts", async () => {
    const { begun, end, status } = await fill({ overflow: "drop-oldest" });
    publishEach([3], "high");
    publishEach([4], "low");
    publishEach([5], "critical");
    expect(status()).toMatchObject({ dropped: 3, depth: 2 });
    for (const _ of numbers(4)) await end();
    expect(begun).toEqual([0, 5, 3]);
  });

  test("refuses a batch that does not fit as a whole", async () => {
    const { begun, end } = await fill({ overflow: "reject" });
    await end();
    const batch = [3, 4].map((payload) => ({ topic: "a", payload }));
    await expect(bus.publishBatch(batch)).rejects.toThrow(coded("busy"));
    await end();
    await bus.publishBatch(batch.slice(0, 1));
    for (const _ of numbers(3)) await end();
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  const heldBack: readonly (readonly [string, SubscriptionOptions])[] = [
    ["an open breaker", { breaker: { failures: 1, openMs: 60_000 } }],
    ["a rate limit", { rateLimit: { perSecond: 0.1, burst: 1 } }],
  ];
  test.each(heldBack)(
    "with reject refuses while %s holds the calls back, single events and batches",
    async (_, gate) => {
      const fail = (): never => {
        throw new Error("down");
      };
      const subscription = bus.on("a", fail, { queueMax: 2, overflow: "reject", ...gate });
      publishEach([0]);
      const batch = [1, 2, 3].map((payload) => ({ topic: "a", payload }));
      await expect(bus.publishBatch(batch)).rejects.toThrow(coded("busy"));
      publishEach([1, 2]);
      expect(() => bus.publish("a", 3)).toThrow(coded("busy"));
      expect(subscription.status()).toMatchObject({ failed: 1, depth: 2 });
    },
  );

  test("that fills while an accepted event waits for its turn loses nothing without a word", async () => {
    bus.on("start", () => publishEach(numbers(10)));
    bus.on("a", () => new Promise(() => undefined), { queueMax: 2, overflow: "reject", name: "slow" });
    void bus.publish("start", {});
    expect(failures).toHaveLength(7);
    expect(failures[0]).toMatchObject({ subscription: "slow", attempts: 0, error: coded("busy") });
  });
});

describe("priorities", () => {
  test("defect C2: are served by weight, and the lowest lane progresses under a saturated high lane", async () => {
    const order: string[] = [];
    const subscription = bus.on("a", ({ priority }) => order.push(priority), { queueMax: 10_000 });
    subscription.pause();
    for (const priority of ["low", "normal", "high", "critical"] as const) publishEach(numbers(30), priority);
    subscription.resume();
    const count = (priority: Priority): number => order.slice(0, 15).filter((each) => each === priority).length;
    expect(["critical", "high", "normal", "low"].map((each) => count(each as Priority))).toEqual([8, 4, 2, 1]);
    expect(order).toHaveLength(120);
  });

  test("of an event that has none of the known are refused", () => {
    expect(() => bus.publish("a", {}, { priority: "urgent" as Priority })).toThrow(coded("request_invalid"));
  });
});

describe("retries", () => {
  test("wait exponentially up to the cap, then give up with the last error", async () => {
    const at: number[] = [];
    bus.on(
      "a",
      () => {
        at.push(clock.monotonicMs());
        throw new Error(`call ${at.length}`);
      },
      {
        retry: { attempts: 4, baseMs: 200, capMs: 300 },
      },
    );
    const settled = bus.publishAndSettle("a", {});
    await clock.advance(1_000);
    const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    // Half of 200, 300 and 300, each up to two slots of the wheel late.
    for (const [index, expected] of [100, 150, 150].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(expected);
      expect(waits[index]).toBeLessThanOrEqual(expected + 20);
    }
    expect((await settled).outcomes).toMatchObject([{ outcome: "failed", attempts: 4, error: { message: "call 4" } }]);
  });
});

describe("a breaker", () => {
  test("leaves the handler alone, lets one call try, and goes on when that succeeds", async () => {
    let works = false;
    const calls: number[] = [];
    const subscription = bus.on(
      "a",
      () => {
        calls.push(clock.monotonicMs());
        if (!works) throw new Error("down");
      },
      {
        breaker: { failures: 3, openMs: 1_000 },
      },
    );
    publishEach(numbers(10));
    expect(subscription.status()).toMatchObject({ failed: 3, depth: 7, isBreakerOpen: true });
    await clock.advance(500);
    expect(calls).toHaveLength(3);
    await clock.advance(600);
    expect(calls).toHaveLength(4);
    works = true;
    await clock.advance(1_100);
    expect(subscription.status()).toMatchObject({ failed: 4, done: 6, depth: 0, isBreakerOpen: false });
  });

  test("lets one call try, however many the subscription may have under way", async () => {
    const { handler, begun } = held();
    let works = false;
    const call = (event: Parameters<typeof handler>[0]): unknown =>
      works ? handler(event) : Promise.reject(new Error());
    bus.on("a", call, { concurrency: 4, breaker: { failures: 1, openMs: 1_000 } });
    publishEach([0]);
    await clock.advance(0);
    publishEach([1, 2, 3]);
    works = true;
    await clock.advance(1_100);
    expect(begun).toEqual([1]);
  });

  test("holds retries back too", async () => {
    const at: number[] = [];
    bus.on(
      "a",
      () => {
        at.push(clock.monotonicMs());
        throw new Error("down");
      },
      {
        breaker: { failures: 1, openMs: 1_000 },
        retry: { attempts: 3, baseMs: 10, capMs: 10 },
      },
    );
    publishEach([1]);
    await clock.advance(3_000);
    expect(at).toHaveLength(3);
    expect(at[1]).toBeGreaterThanOrEqual(1_000);
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThanOrEqual(990);
  });
});

describe("a rate limit of a subscription", () => {
  test("lets events wait for their turn", async () => {
    const at: number[] = [];
    bus.on("a", () => at.push(clock.monotonicMs()), { rateLimit: { perSecond: 10, burst: 2 } });
    publishEach(numbers(12));
    expect(at).toHaveLength(2);
    await clock.advance(500);
    expect(at.length).toBeGreaterThanOrEqual(5);
    expect(at.length).toBeLessThanOrEqual(7);
    await clock.advance(2_000);
    expect(at).toHaveLength(12);
  });
});

describe("pause, resume, drain and close", () => {
  test("a paused subscription lets events wait, in order", () => {
    const seen: unknown[] = [];
    const subscription = bus.on("a", ({ payload }) => seen.push(payload));
    subscription.pause();
    publishEach([1, 2]);
    expect([seen, subscription.status().state]).toEqual([[], "paused"]);
    subscription.resume();
    publishEach([3]);
    expect(seen).toEqual([1, 2, 3]);
  });

  test("drain waits for what waits and what is under way, until its deadline", async () => {
    const { handler, end } = held();
    const subscription = bus.on("a", handler);
    publishEach([1, 2]);
    const inVain = bus.drain(100);
    await clock.advance(200);
    expect(await inVain).toBe(false);
    const drained = [bus.drain(1_000), subscription.drain(1_000)];
    await end();
    await end();
    expect(await Promise.all(drained)).toEqual([true, true]);
    expect(await bus.drain(1_000)).toBe(true);
  });

  test("close refuses what comes, gives up what is left as aborted, and tells its signal", async () => {
    let reason: unknown;
    bus.on("a", (_event, { signal }) => {
      signal.addEventListener("abort", () => (reason = signal.reason));
      return new Promise(() => undefined);
    });
    const settled = [bus.publishAndSettle("a", 1), bus.publishAndSettle("a", 2)];
    const closed = bus.close({ deadlineMs: 50 });
    expect(() => bus.publish("a", 3)).toThrow(coded("unavailable"));
    expect(() => bus.on("a", () => undefined)).toThrow(coded("unavailable"));
    await clock.advance(100);
    expect(await closed).toBe(false);
    expect(reason).toEqual(coded("aborted"));
    for (const { outcomes } of await Promise.all(settled))
      expect(outcomes).toMatchObject([{ outcome: "failed", error: coded("aborted") }]);
    expect(bus.subscriptions()).toEqual([]);
    expect(await bus.close()).toBe(true);
  });

  test("unsubscribing drops what waits, and whoever waits for it is told", async () => {
    const { handler } = held();
    const subscription = bus.on("a", handler);
    void bus.publish("a", 0);
    const settled = bus.publishAndSettle("a", 1);
    subscription.unsubscribe();
    expect((await settled).outcomes).toMatchObject([{ outcome: "dropped" }]);
    expect(subscription.status()).toMatchObject({ state: "closed", dropped: 1, inFlight: 1 });
  });
});

describe("a stream", () => {
  test("gives the events one by one, takes the next only when it is asked, and ends with its loop", async () => {
    const stream = bus.stream("a", { queueMax: 3, overflow: "reject", name: "loop" });
    const status = (): object => bus.subscriptions()[0]?.status() ?? {};
    publishEach(numbers(4));
    expect(status()).toMatchObject({ depth: 3, inFlight: 1 });
    expect(() => bus.publish("a", 4)).toThrow(coded("busy"));
    const seen: unknown[] = [];
    for await (const { payload } of stream) {
      seen.push(payload);
      if (payload === 2) publishEach([4]);
      if (payload === 4) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(bus.subscriptions()).toEqual([]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("that is asked first waits, and ends when its signal aborts or the bus closes", async () => {
    const controller = new AbortController();
    const stream = bus.stream("a", { signal: controller.signal });
    const asked = [stream.next(), stream.next()];
    void bus.publish("a", 1);
    expect(await asked[0]).toMatchObject({ done: false, value: { payload: 1 } });
    controller.abort();
    expect(await asked[1]).toEqual({ done: true, value: undefined });
    const other = bus.stream("a").next();
    await bus.close();
    expect(await other).toEqual({ done: true, value: undefined });
  });
});

/** The bus read as a hostile publisher and a hostile subscriber would: what they try costs themselves only. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus, topic } from "./index.js";

let clock: VirtualClock;
let bus: EventBus;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
/** Unhandled rejections are told after the microtasks. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

beforeEach(() => {
  clock = new VirtualClock();
  bus = new EventBus({ unknownTopics: "allow", clock });
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await settle();
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
});

const gotcha = (): never => {
  throw new Error("gotcha");
};
const trapped = (): object =>
  new Proxy(new Error("x"), { get: gotcha, getPrototypeOf: gotcha, has: gotcha, ownKeys: gotcha });

describe("handlers", () => {
  const answers: readonly (readonly [string, () => unknown])[] = [
    ["a promise whose own then throws", () => Object.assign(Promise.resolve(), { then: gotcha })],
    [
      "a promise whose constructor throws",
      () => Object.defineProperty(Promise.resolve(), "constructor", { get: gotcha }),
    ],
    ["a promise that is a trap", () => new Proxy(Promise.resolve(), {})],
    ["a trap", trapped],
    [
      "a function with a then that rejects",
      () => Object.assign(() => 1, { then: (_: unknown, no: (error: Error) => void) => no(new Error("no")) }),
    ],
    ["a thenable that answers twice", () => ({ then: (yes: () => void, no: () => void) => (yes(), no(), yes()) })],
  ];
  test.each(answers)("one that returns %s harms nobody", async (_name, handler) => {
    const seen: unknown[] = [];
    bus.on("a", handler, { name: "hostile" });
    bus.on("a", ({ payload }) => seen.push(payload), { name: "last" });
    for (let n = 0; n < 3; n++) expect(() => bus.publish("a", n)).not.toThrow();
    await settle();
    expect(seen).toEqual([0, 1, 2]);
    expect(bus.subscriptions()[0]?.status()).toMatchObject({ inFlight: 0, depth: 0 });
  });

  const thrown: readonly (readonly [string, () => unknown])[] = [
    ["a trap", trapped],
    ["a code that throws", () => Object.defineProperty(new Error("x"), "code", { get: gotcha })],
    ["a message that throws", () => Object.defineProperty(new Error("x"), "message", { get: gotcha })],
    [
      "a revoked proxy",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
  ];
  for (const how of ["throws", "rejects with"]) {
    test.each(thrown)(`one that ${how} %s harms nobody, and is a dead letter`, async (_name, make) => {
      const lines: unknown[] = [];
      const sink =
        (): ((...given: unknown[]) => void) =>
        (...given) =>
          void lines.push(given);
      bus = new EventBus({
        unknownTopics: "allow",
        clock,
        log: { to: { debug: sink(), info: sink(), warn: sink(), error: sink() } },
      });
      const seen: unknown[] = [];
      bus.on(
        "a",
        () => {
          if (how !== "throws") return Promise.reject(make());
          throw make();
        },
        { name: "hostile", retry: { attempts: 2, baseMs: 1, capMs: 1 } },
      );
      bus.on("a", ({ payload }) => seen.push(payload), { name: "last" });
      for (let n = 0; n < 3; n++) expect(() => bus.publish("a", n)).not.toThrow();
      await clock.advance(500);
      expect(seen).toEqual([0, 1, 2]);
      expect(bus.subscriptions()[0]?.status()).toMatchObject({ failed: 3, inFlight: 0, depth: 0 });
      expect(bus.deadLetters.list()).toHaveLength(3);
    });
  }

  test("publishers that overflow the stack leave bus and subscriptions as they were", async () => {
    const seen: number[] = [];
    bus.on("a", ({ payload }) => void seen.push(Number(payload)), { name: "plain" });
    bus.on("a", () => Promise.resolve(), { name: "async", overflow: "drop-oldest" });
    const deeper = (n: number): number => {
      void bus.publish("a", n);
      return deeper(n + 1) + 1;
    };
    for (let time = 0; time < 50; time++) expect(() => deeper(0)).toThrow(RangeError);
    await clock.advance(1_000);
    const before = seen.length;
    await bus.publish("a", -1);
    expect(seen.slice(before)).toEqual([-1]);
    for (const one of bus.subscriptions())
      expect([one.name, one.status()]).toMatchObject([one.name, { inFlight: 0, depth: 0 }]);
  });

  test("publishers that publish where the stack is nearly full do not stop what other contexts hand out", async () => {
    const mine = bus.context("mine");
    const others = bus.context("others");
    mine.on("a", () => void mine.publish("b", 1), { name: "nests" });
    mine.on("a", gotcha, { name: "throws" });
    mine.on("b", () => undefined, { name: "last" });
    let got = 0;
    others.on("c", () => void got++, { name: "other" });
    for (let padding = 0; padding < 40; padding++) {
      const fill = Array.from({ length: padding }, (_, at) => at);
      let published = 0;
      const deeper = (n: number, ...more: number[]): number => {
        try {
          return deeper(n + 1, ...more) + more.length;
        } catch (error) {
          if (n > 1_000 && published < 4) {
            published++;
            tolerate(() => mine.publish("a", n));
          }
          throw error;
        }
      };
      expect(() => deeper(0, ...fill)).toThrow(RangeError);
      got = 0;
      for (let n = 0; n < 3; n++) void others.publish("c", n);
      await clock.advance(10);
      expect([padding, got]).toEqual([padding, 3]);
    }
  });
});

function tolerate(doing: () => unknown): void {
  try {
    doing();
  } catch {
    // Whatever a full stack throws.
  }
}

describe("callbacks that are asynchronous and reject", () => {
  const reject = (): Promise<never> => Promise.reject(new Error("callback"));

  test("onFailure is counted", async () => {
    bus = new EventBus({ unknownTopics: "allow", clock, onFailure: reject });
    bus.on("a", gotcha);
    void bus.publish("a", 1);
    await settle();
    expect(bus.statistics().callbacksFailed).toBe(1);
  });

  test("those of a monitor are counted", async () => {
    const stop = bus.monitor({ everyMs: 10, onStatistics: reject });
    await clock.advance(25);
    stop();
    await settle();
    expect(bus.statistics().callbacksFailed).toBeGreaterThan(0);
  });

  test("hooks have said no", async () => {
    const hook = reject as unknown as () => boolean;
    const guarded = new EventBus({ unknownTopics: "allow", clock, authorizePublish: hook, authorizeSubscribe: hook });
    expect(() => guarded.publish("a", 1)).toThrow(expect.objectContaining({ code: "forbidden" }));
    expect(() => guarded.on("a", () => undefined)).toThrow(expect.objectContaining({ code: "forbidden" }));
    await settle();
  });

  test("a filter has failed, and that is seen", async () => {
    bus.on("a", () => undefined, { name: "f", filter: reject as unknown as () => boolean });
    const { outcomes } = await bus.publishAndSettle("a", 1);
    expect(outcomes).toMatchObject([{ outcome: "failed", error: { code: "config_invalid" } }]);
  });
});

describe("the end", () => {
  test("drain and close count calls of subscriptions that have ended", async () => {
    const forever = (): Promise<never> => new Promise(() => undefined);
    bus.once("a", forever, { name: "once" });
    const left = bus.on("a", forever, { name: "left" });
    const settled = bus.publishAndSettle("a", 1);
    left.unsubscribe();
    const drained = bus.drain(100);
    await clock.advance(200);
    expect(await drained).toBe(false);
    const closed = bus.close({ deadlineMs: 10 });
    await clock.advance(100);
    expect(await closed).toBe(false);
    expect((await settled).outcomes).toMatchObject([
      { subscription: "once", outcome: "failed", error: { code: "aborted" } },
      { subscription: "left", outcome: "failed", error: { code: "aborted" } },
    ]);
  });

  test("no timer is left after close", async () => {
    const guarded = new EventBus({ unknownTopics: "allow", clock });
    guarded.monitor({ everyMs: 60_000, onStatistics: () => undefined });
    guarded.on("a", gotcha, { retry: { attempts: 5, baseMs: 60_000, capMs: 60_000 } });
    guarded.on("a", () => undefined, { rateLimit: { perSecond: 0.01, burst: 1 } });
    guarded.on("a", () => new Promise(() => undefined), { breaker: { failures: 1, openMs: 60_000 } });
    for (let n = 0; n < 3; n++) void guarded.publish("a", n);
    await clock.advance(100);
    const closed = guarded.close({ deadlineMs: 10 });
    await clock.advance(200);
    await closed;
    await clock.advance(50);
    expect(clock.sleeping).toBe(0);
  });

  test("a signal that lives on holds no subscription that has ended", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...given: Parameters<typeof add>) => (listeners++, add(...given));
    signal.removeEventListener = (...given: Parameters<typeof remove>) => (listeners--, remove(...given));
    for (let n = 0; n < 100; n++) bus.on("a", () => undefined, { signal }).unsubscribe();
    bus.once("a", () => undefined, { signal });
    void bus.publish("a", 1);
    await settle();
    expect(listeners).toBe(0);
  });

  test("handlers that end the bus, from within, let the others get the event", async () => {
    const seen: string[] = [];
    bus.on("a", () => void bus.close({ deadlineMs: 0 }));
    bus.on("a", () => seen.push("second"));
    void bus.publish("a", 1);
    await clock.advance(100);
    expect(seen).toEqual(["second"]);
    expect(() => bus.publish("a", 2)).toThrow(expect.objectContaining({ code: "unavailable" }));
  });
});

describe("permits and sources", () => {
  test("an event that waits to be handed out does not pass a permit that was narrowed meanwhile", async () => {
    let permitted: readonly string[] = ["open", "secret"];
    bus = new EventBus({ unknownTopics: "allow", clock, authorizeSubscribe: () => permitted });
    const seen: string[] = [];
    bus.on(
      "open",
      () => {
        void bus.publish("secret", 1);
        permitted = ["open"];
        bus.reauthorize();
      },
      { name: "first" },
    );
    bus.on("**", ({ topic: name }) => seen.push(name), { name: "second" });
    void bus.publish("open", 1);
    await clock.advance(10);
    expect(seen).toEqual(["open"]);
  });

  test("what is published is what was verified, also when the sender changes its buffer meanwhile", async () => {
    const body = Buffer.from('{"n":1}');
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => seen.push(payload));
    const verify = async ({ body: shown }: { readonly body: string | Uint8Array }): Promise<boolean> => {
      const isGood = Buffer.from(shown).toString() === '{"n":1}';
      await Promise.resolve();
      body.write('{"n":2}');
      return isGood;
    };
    const source = bus.addSource({ name: "s", topics: ["a"], verify });
    await source.receive({ topic: "a", body, signature: "" });
    expect(seen).toEqual([{ n: 1 }]);
  });

  test("a body that is none is refused and counted", async () => {
    const source = bus.addSource({ name: "s", topics: ["a"], verify: () => true });
    for (const body of [undefined, null, 7, {}])
      await expect(
        source.receive({ topic: "a", body: body as unknown as string, signature: "" }),
      ).rejects.toMatchObject({
        code: "request_invalid",
      });
    expect(source.status()).toMatchObject({ refused: 4, accepted: 0 });
  });

  test("a dead letter is not given to a subscription that may not get its topic any more", async () => {
    let permitted: readonly string[] = ["open", "secret"];
    bus = new EventBus({ unknownTopics: "allow", clock, authorizeSubscribe: () => permitted });
    let calls = 0;
    bus.on("**", () => {
      calls++;
      gotcha();
    });
    void bus.publish("secret", 1);
    permitted = ["open"];
    bus.reauthorize();
    expect(await bus.deadLetters.redriveAll()).toMatchObject({ done: 0, failed: 0, left: 1 });
    expect(calls).toBe(1);
  });
});

describe("payloads", () => {
  test("names of the prototype are data like any others", async () => {
    const payload = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}') as object;
    const seen: unknown[] = [];
    bus.on("**", (event) => seen.push(JSON.parse(JSON.stringify(event)), Object.isFrozen(event.payload)));
    await bus.publish("__proto__.constructor", payload, { metadata: payload as never });
    await bus.publish("__proto__", payload);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    expect(bus.statistics().topics).toHaveProperty(["__proto__"], 1);
    expect(seen).toHaveLength(4);
  });

  test("what JSON does not have is refused before anybody gets it, also in a letter", () => {
    const seen: unknown[] = [];
    bus.on("a", (event) => seen.push(event));
    for (const value of [1n, { n: 1n }, Symbol("s"), [() => undefined], new Date(0)])
      expect(() => bus.publish("a", value)).toThrow(expect.objectContaining({ code: "request_invalid" }));
    expect(seen).toEqual([]);
  });

  test("a hundred thousand topics and names leave nothing behind", async () => {
    for (let n = 0; n < 100_000; n++) {
      const subscription = bus.on(`t.${n}`, () => undefined, { name: `n${n}` });
      void bus.publish(`t.${n}`, n);
      subscription.unsubscribe();
    }
    expect(bus.subscriptions()).toEqual([]);
    expect(Object.keys(bus.statistics().topics).length).toBeLessThanOrEqual(1_001);
  });

  test("a schema that throws refuses, and nothing else", () => {
    const hostile = { "~standard": { version: 1, vendor: "x", validate: gotcha } } as const;
    const guarded = new EventBus({ topics: { a: topic(hostile as never) }, clock });
    expect(() => guarded.publish("a", 1 as never)).toThrow("gotcha");
    expect(guarded.statistics()).toMatchObject({ refused: 1, accepted: 0 });
  });
});

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
});

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

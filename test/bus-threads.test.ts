/** Handlers of the bus in threads of their own: whatever they do, nothing but their own call fails. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type * as source from "../src/bus/index.js";
import type { DeadLetter, EventBus, HandlerOutcome, SubscriptionOptions, ThreadHandler } from "../src/bus/index.js";
import { VirtualClock } from "../src/testing/index.js";
import { buildCommand } from "./support/evtctl-process.js";

// A thread starts with a built module.
const built = async (): Promise<typeof source> => {
  const path = "../dist/bus/index.js";
  return (await import(path)) as typeof source; // built from it
};

const module = new URL("./support/bus-handlers.mjs", import.meta.url);
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
let bus: EventBus;

beforeAll(() => buildCommand(), 90_000);
beforeEach(async () => {
  const { EventBus } = await built();
  bus = new EventBus({ unknownTopics: "allow" });
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
});
afterEach(async () => {
  await bus.close({ deadlineMs: 0 });
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  expect(unhandled.splice(0)).toEqual([]);
});

/** Subscribes `act` of the module, and waits until it is loaded. */
async function subscribe(options: SubscriptionOptions = {}, handler: Partial<ThreadHandler> = {}) {
  const subscription = bus.on(
    "a",
    { isolation: "thread", module, export: "act", ...handler },
    { name: "t", ...options },
  );
  await subscription.ready();
  return subscription;
}

async function outcomeOf(payload: object): Promise<HandlerOutcome | undefined> {
  const { outcomes } = await bus.publishAndSettle("a", payload);
  return outcomes.find(({ subscription }) => subscription === "t");
}

function letters(): readonly DeadLetter[] {
  return bus.deadLetters.list();
}

describe("a handler in a thread", () => {
  it("gets the frozen event, the attempt and a signal, and nothing of the process", async () => {
    const subscription = bus.on("a.*", { isolation: "thread", module, data: { key: 7 } }, { name: "t" });
    await subscription.ready();
    const options = {
      id: "e-1",
      priority: "high",
      correlationId: "c",
      causationId: "d",
      metadata: { m: [1] },
    } as const;
    const second = await bus.publishAndSettle("a.b", { list: [1, { deep: true }], nothing: undefined, n: 1 }, options);
    const thrown = second.outcomes[0]?.error as Error | undefined; // the handler threw it
    const told = JSON.parse(thrown?.message ?? "{}") as unknown;
    expect(told).toMatchObject({
      event: {
        ...options,
        topic: "a.b",
        context: "default",
        schemaVersion: 1,
        payload: { list: [1, { deep: true }], n: 1 },
      },
      attempt: 1,
      isAborted: false,
      frozen: true,
      changed: false,
      isMainThread: false,
      workerData: { key: 7 },
      argv: [],
      execArgv: [],
      env: {},
    });
    expect(letters()).toHaveLength(1);
  });

  it("is done when its function has ended, waits its turn, and is counted like others", async () => {
    const subscription = await subscribe({ queueMax: 100 });
    const settled = Array.from({ length: 20 }, () => bus.publishAndSettle("a", { act: "nothing" }));
    expect(subscription.status()).toMatchObject({ inFlight: 1, depth: 19 });
    for (const { outcomes } of await Promise.all(settled))
      expect(outcomes).toMatchObject([{ outcome: "done", attempts: 1 }]);
    expect(subscription.status()).toMatchObject({ done: 20, failed: 0, threadRestarts: 0, latency: expect.anything() });
  });

  it("calls side by side as its concurrency says, each in a thread of its own", async () => {
    const data = new Int32Array(new SharedArrayBuffer(4));
    const subscription = await subscribe({ concurrency: 3 }, { data });
    const settled = Array.from({ length: 3 }, () => outcomeOf({ act: "waits for the others", others: 3 }));
    for (const outcome of await Promise.all(settled)) expect(outcome).toMatchObject({ outcome: "done" });
    expect(subscription.status()).toMatchObject({ done: 3, threadRestarts: 0 });
  });

  it("of once is called once, and its thread ends", async () => {
    const subscription = bus.once("a", { isolation: "thread", module, export: "act" }, { name: "t" });
    await subscription.ready();
    expect(await outcomeOf({ act: "nothing" })).toMatchObject({ outcome: "done" });
    expect(bus.subscriptions()).toEqual([]);
  });

  it("may be part of a declaration", async () => {
    const definitions = [
      bus.define("a", { isolation: "thread", module, export: "act" }, { name: "t" }),
      bus.define("a", () => undefined, { name: "here" }),
    ];
    await Promise.all(bus.register(definitions).map((subscription) => subscription.ready()));
    expect((await bus.publishAndSettle("a", { act: "nothing" })).outcomes).toMatchObject([
      { subscription: "here", outcome: "done" },
      { subscription: "t", outcome: "done" },
    ]);
  });
});

describe("whatever a handler in a thread does", () => {
  const timeoutMs = 300;
  const faults: readonly (readonly [string, string, { readonly restarts: number; readonly why?: string }])[] = [
    ["a loop", "timeout", { restarts: 1 }],
    ["a microtask loop", "timeout", { restarts: 1 }],
    ["a wait that blocks", "timeout", { restarts: 1 }],
    ["a promise that never settles", "timeout", { restarts: 1 }],
    ["kept listeners", "timeout", { restarts: 1 }],
    ["forged by the public port", "timeout", { restarts: 1 }],
    ["process.exit", "thread_lost", { restarts: 1, why: "exit" }],
    ["process.exit during a microtask loop", "thread_lost", { restarts: 1, why: "exit" }],
    ["too much memory", "thread_lost", { restarts: 1, why: "memory" }],
    ["an uncaught exception", "thread_lost", { restarts: 1, why: "uncaught" }],
    ["an unhandled rejection", "thread_lost", { restarts: 1, why: "uncaught" }],
    ["forged by a port that was caught", "thread_lost", { restarts: 1, why: "protocol" }],
    ["rubbish by a port that was caught", "thread_lost", { restarts: 1, why: "protocol" }],
    ["throws", "E_NO_GOOD", { restarts: 0 }],
    ["terminal", "terminal_error", { restarts: 0 }],
  ];

  it.each(faults)(
    "%s: the call fails with %s, the next one is done, and others do not notice",
    async (act, code, { restarts, why }) => {
      const seen: unknown[] = [];
      bus.on("a", ({ payload }) => seen.push(payload));
      const subscription = await subscribe(
        { timeoutMs: act === "too much memory" ? 20_000 : timeoutMs },
        { heapMbMax: 16 },
      );
      const failing = bus.publishAndSettle("a", { act });
      const following = bus.publishAndSettle("a", { act: "nothing" });
      expect(seen).toEqual([{ act }, { act: "nothing" }]);
      const error = expect.objectContaining({
        code,
        ...(why === undefined ? {} : { details: { subscription: "t", why } }),
      }) as unknown;
      expect((await failing).outcomes).toContainEqual({ subscription: "t", outcome: "failed", attempts: 1, error });
      expect((await following).outcomes).toContainEqual({ subscription: "t", outcome: "done", attempts: 1 });
      expect(subscription.status()).toMatchObject({
        done: 1,
        failed: 1,
        attemptsFailed: 1,
        timeouts: code === "timeout" ? 1 : 0,
        threadRestarts: restarts,
        inFlight: 0,
      });
      expect(letters()).toMatchObject([{ subscription: "t", attempts: 1, error: { code } }]);
    },
  );

  it.each(["throws undefined", "rejects", "unreadable", "a huge error", "a deep recursion"])(
    "%s: the call fails, in the same thread",
    async (act) => {
      const subscription = await subscribe();
      expect(await outcomeOf({ act })).toMatchObject({ outcome: "failed", error: { name: expect.any(String) } });
      expect(await outcomeOf({ act: "nothing" })).toMatchObject({ outcome: "done" });
      expect(subscription.status()).toMatchObject({ threadRestarts: 0, failed: 1 });
      expect(letters()[0]?.error.message.length).toBeLessThan(1_000);
    },
  );

  it.each(["a huge answer", "what cannot be cloned"])(
    "%s: nothing of it crosses, and the call is done",
    async (act) => {
      await subscribe();
      expect(await outcomeOf({ act })).toMatchObject({ outcome: "done" });
    },
  );

  it("an exception after the call's end costs the thread, and the next call gets another", async () => {
    const subscription = await subscribe();
    expect(await outcomeOf({ act: "a stray exception after its end", ms: 20 })).toMatchObject({ outcome: "done" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await outcomeOf({ act: "nothing" })).toMatchObject({ outcome: "done" });
    expect(subscription.status()).toMatchObject({ threadRestarts: 1, done: 2, failed: 0 });
  });
});

describe("time-outs, retries and breakers", () => {
  it("the signal aborts at the time-out; a handler that ends then keeps its thread", async () => {
    const subscription = await subscribe({ timeoutMs: 200 });
    expect(await outcomeOf({ act: "the signal" })).toMatchObject({ outcome: "failed", error: { code: "timeout" } });
    expect(await outcomeOf({ act: "nothing" })).toMatchObject({ outcome: "done" });
    expect(subscription.status()).toMatchObject({ timeouts: 1, late: 1, threadRestarts: 0 });
  });

  it("a call whose thread is lost is made again as the retries say", async () => {
    const subscription = await subscribe({ retry: { attempts: 3, baseMs: 10, capMs: 10 } });
    expect(await outcomeOf({ act: "process.exit" })).toMatchObject({
      outcome: "failed",
      attempts: 3,
      error: { code: "thread_lost" },
    });
    expect(subscription.status()).toMatchObject({ attemptsFailed: 3, failed: 1, threadRestarts: 2 });
    expect(letters()).toMatchObject([{ attempts: 3 }]);
  });

  it("a breaker leaves a handler alone that loses its threads", async () => {
    const subscription = await subscribe({ breaker: { failures: 2, openMs: 500 } });
    const settled = ["process.exit", "process.exit", "nothing"].map((act) => outcomeOf({ act }));
    await Promise.all(settled.slice(0, 2));
    expect(subscription.status()).toMatchObject({ isBreakerOpen: true, depth: 1 });
    expect(await settled[2]).toMatchObject({ outcome: "done" });
    expect(subscription.status()).toMatchObject({ isBreakerOpen: false });
  });

  it("threads are started again at a bounded rate", async () => {
    const subscription = await subscribe({ queueMax: 1_000 });
    for (let n = 0; n < 500; n++) void bus.publish("a", { act: "process.exit" });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const { threadRestarts, failed } = subscription.status();
    expect(failed).toBeGreaterThanOrEqual(2);
    expect(threadRestarts).toBeLessThanOrEqual(14);
  });

  it("a time-out while the main thread is held does not fail a call that has ended", async () => {
    const subscription = await subscribe({ timeoutMs: 150 });
    const settled = outcomeOf({ act: "wait", ms: 50 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    const until = performance.now() + 600;
    while (performance.now() < until);
    expect(await settled).toMatchObject({ outcome: "done" });
    expect(subscription.status()).toMatchObject({ timeouts: 0, threadRestarts: 0 });
  });
});

describe("a thread that cannot be had", () => {
  const why = (details: object): unknown => expect.objectContaining({ code: "thread_lost", details });

  it("because the operating system holds it: it is not doubled, others go on, and it is replaced when it ends", async () => {
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => seen.push(payload));
    const subscription = await subscribe({ timeoutMs: 200 });
    const since = performance.now();
    const held = outcomeOf({ act: "a call of the operating system", seconds: 1.5 });
    const next = outcomeOf({ act: "nothing" });
    expect(await held).toMatchObject({ outcome: "failed", error: { code: "timeout" } });
    expect(performance.now() - since).toBeLessThan(1_000);
    expect(subscription.status()).toMatchObject({ inFlight: 1, threadRestarts: 0 });
    expect(await next).toMatchObject({ outcome: "done" });
    expect(performance.now() - since).toBeGreaterThan(1_200);
    expect(subscription.status()).toMatchObject({ threadRestarts: 1 });
    expect(seen).toHaveLength(2);
  });

  it("for 30 s: the call fails without having been made", async () => {
    const clock = new VirtualClock();
    const { EventBus } = await built();
    bus = new EventBus({ unknownTopics: "allow", clock });
    const data = new Int32Array(new SharedArrayBuffer(4));
    await subscribe({ timeoutMs: 200 }, { data });
    const held = outcomeOf({ act: "a call of the operating system", seconds: 4 });
    // The clock of the test runs ahead of the thread.
    while (Atomics.load(data, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(1_000);
    expect(await held).toMatchObject({ error: { code: "timeout" } });
    const next = outcomeOf({ act: "nothing" });
    await clock.advance(31_000);
    expect(await next).toMatchObject({ outcome: "failed", error: why({ subscription: "t", why: "none" }) });
    const closed = bus.close({ deadlineMs: 0 });
    await clock.advance(5_000);
    await closed;
  });

  it("because its module never ends loading: that is told after 10 s", async () => {
    const clock = new VirtualClock();
    const { EventBus } = await built();
    bus = new EventBus({ unknownTopics: "allow", clock });
    const endless = new URL("data:text/javascript,setInterval(() => 0, 1e6); await new Promise(() => 0)");
    const subscription = bus.on("a", { isolation: "thread", module: endless });
    const refusal = subscription.ready().catch((error: unknown) => error);
    await clock.advance(11_000);
    expect(await refusal).toMatchObject({ code: "config_invalid" });
    const closed = bus.close({ deadlineMs: 0 });
    await clock.advance(5_000);
    await closed;
  });
});

describe("the way in", () => {
  it("a module that is not there is refused at once", () => {
    const missing = new URL("./support/nobody.mjs", import.meta.url);
    for (const handler of [
      { isolation: "thread", module: missing },
      { isolation: "thread", module: "./support/bus-handlers.mjs" as unknown as URL },
      { isolation: "thread", module: new URL("https://127.0.0.1/x.mjs") },
      { isolation: "thread", module, heapMbMax: 1 },
      { isolation: "thread", module, data: { f: () => undefined } },
    ] satisfies ThreadHandler[])
      expect(() => bus.on("a", handler)).toThrow(expect.objectContaining({ code: "config_invalid" }));
    expect(() => bus.on("a", { isolation: "thread", module }, { concurrency: 65 })).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
    expect(bus.subscriptions()).toEqual([]);
  });

  const broken: readonly (readonly [string, Partial<ThreadHandler>])[] = [
    ["throws", { module: new URL("data:text/javascript,throw new Error('no')") }],
    ["is no JavaScript", { module: new URL("data:text/javascript,}{") }],
    ["ends its thread", { module: new URL("data:text/javascript,process.exit(0)") }],
    ["has no such export", { export: "nobody" }],
    ["exports something else", { export: "notAFunction" }],
  ];
  it.each(broken)("a module that %s is told by ready, and by the events that it cannot get", async (_name, handler) => {
    const subscription = bus.on("a", { isolation: "thread", module, ...handler }, { name: "t" });
    const waiting = outcomeOf({});
    await expect(subscription.ready()).rejects.toMatchObject({ code: "config_invalid" });
    expect(await waiting).toMatchObject({ outcome: "failed", error: { code: "config_invalid" } });
    expect(await outcomeOf({})).toMatchObject({ outcome: "failed", error: { code: "config_invalid" } });
  });

  it("what a handler prints is told in lines without control characters, and not more than somebody could read", async () => {
    const lines: string[] = [];
    await subscribe({}, { onOutput: (line, from) => void lines.push(`${from} ${line}`) });
    expect(await outcomeOf({ act: "prints", lines: 50 })).toMatchObject({ outcome: "done" });
    expect(await outcomeOf({ act: "prints", lines: 10_000 })).toMatchObject({ outcome: "done" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(lines).toContain("stderr an error");
    expect(lines.find((line) => line.startsWith("stdout line 0"))).not.toContain("\u001b");
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.length).toBeLessThanOrEqual(300);
  });
});

describe("the end", () => {
  it("drain waits for calls in threads, and unsubscribe lets them go on", async () => {
    const subscription = await subscribe();
    const settled = outcomeOf({ act: "wait", ms: 200 });
    subscription.unsubscribe();
    expect(await settled).toMatchObject({ outcome: "done" });
    const again = await subscribe();
    const second = outcomeOf({ act: "wait", ms: 200 });
    expect(await again.drain(10)).toBe(false);
    expect(await again.drain(5_000)).toBe(true);
    expect(await second).toMatchObject({ outcome: "done" });
  });

  it("close ends threads that hang, and what they had fails as aborted", async () => {
    await subscribe({ timeoutMs: Number.POSITIVE_INFINITY });
    const settled = outcomeOf({ act: "a loop" });
    const since = performance.now();
    expect(await bus.close({ deadlineMs: 100 })).toBe(false);
    expect(performance.now() - since).toBeLessThan(2_000);
    expect(await settled).toMatchObject({ outcome: "failed", error: { code: "aborted" } });
  });

  it("ready of a subscription that ends before rejects", async () => {
    const subscription = bus.on("a", { isolation: "thread", module, export: "act" });
    subscription.unsubscribe();
    await expect(subscription.ready()).rejects.toMatchObject({ code: "aborted" });
  });
});

import { appendFile, mkdir, mkdtemp, readFile, rm, rmdir, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type DeadLetterStore, EventBus, FileDeadLetters, MemoryDeadLetters, readEvent, topic } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

function openBus(deadLetters?: DeadLetterStore): { readonly bus: EventBus; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  return {
    bus: new EventBus({ unknownTopics: "allow", clock, ...(deadLetters === undefined ? {} : { deadLetters }) }),
    clock,
  };
}

/** A handler that fails while `fails` is true, and notes what it was called with. */
function fragile(): {
  fails: boolean;
  readonly calls: unknown[];
  readonly handler: (event: { payload: unknown }) => void;
} {
  const state = {
    fails: true,
    calls: [] as unknown[],
    handler: ({ payload }: { payload: unknown }): void => {
      state.calls.push(payload);
      if (state.fails) throw Object.assign(new Error("token=CANARY\nis wrong"), { code: "E_DOWN" });
    },
  };
  return state;
}

describe("dead letters", () => {
  test("defect C3: every delivery that fails for good is kept, with its event, attempts and a harmless error", async () => {
    const { bus, clock } = openBus();
    bus.on("a", fragile().handler, { name: "sync", retry: { attempts: 3 } });
    bus.on("a", () => new Promise(() => undefined), { name: "hangs", timeoutMs: 10 });
    void bus.publish("a", { n: 1 }, { id: "e1", correlationId: "c1" });
    await clock.advance(5_000);
    expect(bus.deadLetters.list()).toMatchObject([
      { subscription: "hangs", attempts: 1, error: { name: "EventplaneError", code: "timeout" } },
      {
        subscription: "sync",
        attempts: 3,
        event: { id: "e1", payload: { n: 1 }, correlationId: "c1" },
        error: { name: "Error", code: "E_DOWN", message: "token=[redacted]\\nis wrong" },
      },
    ]);
  });

  test("defect C3: a redrive calls the subscription that failed, and none that succeeded", async () => {
    const { bus } = openBus();
    const good: unknown[] = [];
    const bad = fragile();
    bus.on("a", ({ payload }) => good.push(payload), { name: "good" });
    bus.on("a", bad.handler, { name: "bad" });
    void bus.publish("a", 1);
    bad.fails = false;
    const [letter] = bus.deadLetters.list();
    expect(await bus.deadLetters.redrive(letter?.number ?? 0)).toMatchObject({ subscription: "bad", outcome: "done" });
    expect([good, bad.calls, bus.deadLetters.list()]).toEqual([[1], [1, 1], []]);
  });

  test("one that fails again is a dead letter again, with all of its attempts", async () => {
    const { bus } = openBus();
    bus.on("a", fragile().handler, { name: "bad" });
    void bus.publish("a", 1);
    expect(await bus.deadLetters.redriveAll()).toEqual({ done: 0, failed: 1, left: 0 });
    expect(bus.deadLetters.list()).toMatchObject([{ number: 2, attempts: 2 }]);
  });

  test("defect C3: what fails while others are redriven is not lost", async () => {
    const { bus } = openBus();
    const bad = fragile();
    bus.on(
      "a",
      async (event) => {
        if (event.payload === 1 && bus.deadLetters.list().length > 0) void bus.publish("b", "during");
        bad.handler(event);
      },
      { name: "bad" },
    );
    bus.on("b", fragile().handler, { name: "other" });
    for (const n of [1, 2, 3]) await bus.publishAndSettle("a", n);
    bad.fails = false;
    expect(await bus.deadLetters.redriveAll({ subscription: "bad" })).toEqual({ done: 3, failed: 0, left: 0 });
    expect(bus.deadLetters.list()).toMatchObject([{ subscription: "other", event: { payload: "during" } }]);
  });

  test("defect C3: they are bounded; the oldest makes room and is counted", () => {
    const store = new MemoryDeadLetters({ lettersMax: 10 });
    const { bus } = openBus(store);
    bus.on("a", fragile().handler);
    for (let n = 0; n < 25; n++) void bus.publish("a", n);
    expect(bus.deadLetters.list().map(({ event }) => event.payload)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect([store.size, store.dropped]).toEqual([10, 15]);
    expect(() => new MemoryDeadLetters({ lettersMax: 0 })).toThrow(coded("config_invalid"));
  });

  test("are listed, redriven and purged by subscription, topic, error and number", async () => {
    const { bus } = openBus();
    bus.on("user.*", fragile().handler, { name: "one" });
    bus.on(
      "**",
      () => {
        throw new TypeError("x");
      },
      { name: "two" },
    );
    for (const name of ["user.a", "user.b", "order.c"]) void bus.publish(name, {});
    const count = (filter: Parameters<typeof bus.deadLetters.list>[0]): number => bus.deadLetters.list(filter).length;
    expect([count({}), count({ subscription: "one" }), count({ topic: "user.*" }), count({ error: "E_DOWN" })]).toEqual(
      [5, 2, 4, 2],
    );
    expect([count({ error: "TypeError", topic: "order.**" }), count({ limit: 2 })]).toEqual([1, 2]);
    expect(bus.deadLetters.purge({ subscription: "one" })).toBe(2);
    bus.off("two");
    expect(await bus.deadLetters.redriveAll()).toEqual({ done: 0, failed: 0, left: 3 });
    await expect(bus.deadLetters.redrive(1)).rejects.toThrow(coded("not_found"));
    expect(bus.deadLetters.purge()).toBe(3);
  });

  test("of one context are not seen, redriven or purged from another", async () => {
    const { bus } = openBus();
    bus.context("a").on("x", fragile().handler, { name: "bad" });
    void bus.context("a").publish("x", {});
    const [letter] = bus.context("a").deadLetters.list();
    const other = bus.context("b");
    other.on("x", () => undefined, { name: "bad" });
    expect([other.deadLetters.list(), other.deadLetters.purge()]).toEqual([[], 0]);
    await expect(other.deadLetters.redrive(letter?.number ?? 0)).rejects.toThrow(coded("not_found"));
  });

  test("one is not redriven twice at a time, and not past its schema", async () => {
    const store = new MemoryDeadLetters();
    const { bus, clock } = openBus(store);
    const bad = fragile();
    bus.on(
      "a",
      async (event) => {
        await clock.sleep(10);
        bad.handler(event);
      },
      { name: "bad" },
    );
    void bus.publish("a", "text");
    await clock.advance(20);
    bad.fails = false;
    const first = bus.deadLetters.redrive(1);
    await expect(bus.deadLetters.redrive(1)).rejects.toThrow(coded("not_found"));
    const strict = new EventBus<Record<string, unknown>>({
      topics: { a: topic({ type: "integer" }) as ReturnType<typeof topic> },
      clock,
      deadLetters: store,
    });
    strict.on("a", () => undefined, { name: "bad" });
    await expect(strict.deadLetters.redrive(1)).rejects.toThrow(coded("schema_violation"));
    expect(await strict.deadLetters.redriveAll()).toEqual({ done: 0, failed: 0, left: 1 });
    await clock.advance(20);
    expect((await first).outcome).toBe("done");
  });

  test("whatever was thrown can be kept", () => {
    const { bus } = openBus();
    const thrown: readonly unknown[] = [
      undefined,
      null,
      "CANARY",
      Symbol("CANARY"),
      {
        get message() {
          throw new Error("x");
        },
      },
    ];
    for (const one of thrown) {
      bus.once("a", () => {
        throw one;
      });
      void bus.publish("a", {});
    }
    const hostile = Object.defineProperty(new Error("x"), "name", {
      get: () => {
        throw new Error("y");
      },
    });
    bus.once("a", () => {
      throw hostile;
    });
    void bus.publish("a", {});
    const errors = bus.deadLetters.list().map(({ error }) => error);
    expect(errors).toHaveLength(6);
    expect(JSON.stringify(errors)).not.toContain("CANARY");
    expect(errors[5]).toEqual({ name: "Unreadable", message: "what was thrown cannot be read" });
  });
});

describe("dead letters in a file", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "eventplane-bus-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const opened: FileDeadLetters[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });

  async function openStore(path: string, options: { readonly lettersMax?: number } = {}): Promise<FileDeadLetters> {
    const store = await FileDeadLetters.open(path, options);
    opened.push(store);
    return store;
  }

  async function fill(path: string, count: number): Promise<void> {
    const store = await FileDeadLetters.open(path);
    const { bus } = openBus(store);
    bus.on("a", fragile().handler, { name: "bad" });
    for (let n = 0; n < count; n++) void bus.publish("a", n);
    await store.close();
  }

  async function payloads(path: string): Promise<readonly unknown[]> {
    const store = await openStore(path);
    return Array.from(store.all(), ({ event }) => event.payload);
  }

  test("survive a restart, and can be redriven then", async () => {
    const path = join(folder, "restart.ndjson");
    await fill(path, 3);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const store = await openStore(path);
    const { bus } = openBus(store);
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => seen.push(payload), { name: "bad" });
    expect(await bus.deadLetters.redriveAll()).toEqual({ done: 3, failed: 0, left: 0 });
    await store.flush();
    expect([seen, await payloads(path)]).toEqual([[0, 1, 2], []]);
  });

  test("defect C9: a torn last line is cut off, and nothing before it is lost", async () => {
    const path = join(folder, "torn.ndjson");
    await fill(path, 3);
    const text = await readFile(path, "utf8");
    for (const cut of [1, 40, text.length / 4]) {
      await writeFile(path, text.slice(0, text.length - cut));
      expect(await payloads(path)).toEqual([0, 1]);
      await fill(path, 1);
      expect(await payloads(path)).toEqual([0, 1, 0]);
    }
  });

  const letterLine = (change: object, event: object = {}): string => {
    const whole = {
      id: "i",
      topic: "a",
      payload: 1,
      schemaVersion: 1,
      priority: "normal",
      context: "default",
      atMs: 1,
    };
    const error = { name: "Error", message: "m" };
    const letter = { number: 9, subscription: "s", event: { ...whole, metadata: {}, ...event }, attempts: 1, error };
    return `${JSON.stringify({ ...letter, failedAtMs: 1, ...change })}\n`;
  };
  const damages: readonly (readonly [string, string | Buffer])[] = [
    ["is no JSON", "rubbish\n"],
    ["is not UTF-8", Buffer.from(letterLine({ subscription: "\u00ff" }), "latin1")],
    ["has no topic", letterLine({}, { topic: "a..b" })],
    ["has no error", letterLine({ error: undefined })],
    ["has no number", letterLine({ number: "9" })],
    ["has no subscription", letterLine({ subscription: null })],
  ];
  test.each(damages)("a line that %s is told, with its place, and the file stays as it is", async (name, line) => {
    const path = join(folder, `damaged ${name}.ndjson`);
    await fill(path, 2);
    await appendFile(path, letterLine({}));
    expect(await payloads(path)).toHaveLength(3);
    await writeFile(path, (await readFile(path, "utf8")).split("\n").slice(0, 2).join("\n") + "\n");
    await appendFile(path, line);
    const before = await readFile(path);
    await expect(FileDeadLetters.open(path)).rejects.toThrow(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining(":3 ") }),
    );
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  test("of an event without a payload survives a restart too, and its event is read as JSON", async () => {
    const path = join(folder, "empty.ndjson");
    const store = await openStore(path);
    const { bus } = openBus(store);
    const texts: string[] = [];
    bus.on("a", (event) => {
      texts.push(JSON.stringify(event));
      throw new Error("down");
    });
    void bus.publish("a", undefined);
    await store.flush();
    expect([await payloads(path), readEvent(texts[0] ?? "").payload]).toEqual([[null], null]);
  });

  test("a symbolic link is not followed", async () => {
    const path = join(folder, "link.ndjson");
    await symlink("restart.ndjson", path);
    await expect(FileDeadLetters.open(path)).rejects.toEqual(coded("config_invalid"));
  });

  /** So many come and go that the next write is of a new file. */
  async function wornOut(path: string): Promise<{ readonly store: FileDeadLetters; readonly bus: EventBus }> {
    const store = await openStore(path);
    const { bus } = openBus(store);
    bus.on("a", fragile().handler, { name: "bad" });
    for (let n = 0; n < 1_100; n++) void bus.publish("a", n);
    await store.flush();
    bus.deadLetters.purge();
    return { store, bus };
  }

  test("what lies where the file is written anew is not written into", async () => {
    const path = join(folder, "anew.ndjson");
    const other = join(folder, "other");
    await writeFile(other, "precious");
    await symlink("other", `${path}.new`);
    const { store, bus } = await wornOut(path);
    await store.flush();
    void bus.publish("a", "next");
    await store.flush();
    expect([await readFile(other, "utf8"), await payloads(path)]).toEqual(["precious", ["next"]]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("after a failure all flushes wait for one new file, and what comes meanwhile is in it or behind it", async () => {
    const path = join(folder, "behind.ndjson");
    await mkdir(`${path}.new`);
    const { store, bus } = await wornOut(path);
    await expect(store.flush()).rejects.toThrow(/EISDIR/);
    await rmdir(`${path}.new`);
    const flushes = [store.flush(), store.flush(), store.flush()];
    for (let n = 0; n < 30; n++) {
      void bus.publish("a", n);
      flushes.push(store.flush());
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(flushes);
    expect(await payloads(path)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  test("the file does not grow without bound", async () => {
    const path = join(folder, "bounded.ndjson");
    const store = await openStore(path, { lettersMax: 10 });
    const { bus } = openBus(store);
    bus.on("a", fragile().handler);
    for (let n = 0; n < 6_000; n++) {
      void bus.publish("a", n);
      if (n % 500 === 0) await store.flush();
    }
    await store.flush();
    expect((await readFile(path, "utf8")).split("\n").length).toBeLessThan(3_000);
    const last = Array.from({ length: 10 }, (_, index) => 5_990 + index);
    expect(Array.from(store.all(), ({ event }) => event.payload)).toEqual(last);
    const again = await openStore(path, { lettersMax: 10 });
    expect(Array.from(again.all(), ({ event }) => event.payload)).toEqual(last);
  });
});

describe("an event from JSON", () => {
  test("defect C4: is published again with its id, priority and everything that the publisher said", async () => {
    const { bus } = openBus();
    const texts: string[] = [];
    bus.on("a", (event) => texts.push(JSON.stringify(event)));
    void bus.publish(
      "a",
      { n: 1 },
      { id: "i", priority: "low", correlationId: "c", causationId: "k", metadata: { m: [1] } },
    );
    expect(await bus.publishBatch([readEvent(texts[0] ?? "")])).toEqual(["i"]);
    expect(texts[1]).toBe(texts[0]);
  });

  test.each([
    "{}",
    '{"id":"x"}',
    "[]",
    "null",
    '{"id":1,"topic":"a","payload":1,"schemaVersion":1,"priority":"normal","context":"c","atMs":1,"metadata":{}}',
  ])("%s is none", (json) => {
    expect(() => readEvent(json)).toThrow(coded("request_invalid"));
  });
});

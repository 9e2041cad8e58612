import { describe, expect, test } from "vitest";
import { z } from "zod";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type BusOptions, type DeliveryFailure, EventBus, type PublishOptions, topic } from "./index.js";

function openBus(options: BusOptions = {}): {
  readonly bus: EventBus;
  readonly clock: VirtualClock;
  readonly failures: DeliveryFailure[];
} {
  const clock = new VirtualClock();
  const failures: DeliveryFailure[] = [];
  const onFailure = (failure: DeliveryFailure): void => void failures.push(failure);
  return { bus: new EventBus({ unknownTopics: "allow", clock, onFailure, ...options }), clock, failures };
}

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

describe("publishing", () => {
  test("calls the handlers that take the topic, in their order, before it returns", () => {
    const { bus } = openBus();
    const seen: string[] = [];
    bus.on("user.*", () => seen.push("second"));
    bus.on("user.created", () => seen.push("third"));
    bus.on("**", () => seen.push("first"), { order: 1 });
    bus.on("order.*", () => seen.push("never"));
    void bus.publish("user.created", {});
    expect(seen).toEqual(["first", "second", "third"]);
  });

  test("gives ids that differ, between buses too, and the one that the publisher chose", () => {
    const ids = [openBus().bus, openBus().bus].flatMap((bus) =>
      Array.from({ length: 1_000 }, () => bus.publish("a", {})),
    );
    expect(new Set(ids).size).toBe(2_000);
    expect(openBus().bus.publish("a", {}, { id: "mine-1" })).toBe("mine-1");
  });

  test("hands out events that are frozen with everything in them", () => {
    const { bus } = openBus();
    const payload = { list: [{ deep: { n: 1 } }] };
    bus.on("a", (event) => {
      expect(Object.isFrozen(event)).toBe(true);
      expect(() => Object.assign(event, { extra: 1 })).toThrow(TypeError);
      expect(() => Object.assign(event.metadata, { extra: 1 })).toThrow(TypeError);
      expect(() => Object.assign(event, { payload: 1 })).toThrow(TypeError);
      const { list } = event.payload as typeof payload;
      expect(() => list.push({ deep: { n: 2 } })).toThrow(TypeError);
      expect(() => Object.assign(list[0]?.deep ?? {}, { n: 2 })).toThrow(TypeError);
    });
    void bus.publish("a", payload, { metadata: { trace: "t" } });
    payload.list.push({ deep: { n: 2 } });
    Object.assign(payload.list[0]?.deep ?? {}, { n: 2 });
    expect(bus.history()[0]?.payload).toEqual({ list: [{ deep: { n: 1 } }] });
    expect(bus.subscriptions()[0]?.status()).toMatchObject({ done: 1, failed: 0 });
  });

  test.each([
    ["a function", { f: () => 1 }],
    ["a date", { at: new Date(0) }],
    ["a map", new Map()],
    ["an instance", new (class Thing {})()],
    ["a buffer", { bytes: new Uint8Array(2) }],
    ["a symbol", { s: Symbol("s") }],
  ])("refuses %s, which no copy could hold", (_name, payload) => {
    expect(() => openBus().bus.publish("a", payload)).toThrow(coded("request_invalid"));
  });

  test("refuses payloads that nest too deep or are too large", () => {
    const { bus } = openBus();
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(() => bus.publish("a", circle)).toThrow(coded("request_invalid"));
    expect(() =>
      bus.publish(
        "a",
        Array.from({ length: 100_001 }, () => 0),
      ),
    ).toThrow(coded("payload_too_large"));
  });

  test.each([
    { id: "" },
    { id: "a b" },
    { correlationId: "x".repeat(129) },
    { causationId: "a\n" },
    { id: 5 },
    { id: ["x"] },
  ])("refuses %j", (options) => {
    expect(() => openBus().bus.publish("a", {}, options as PublishOptions)).toThrow(coded("request_invalid"));
  });

  test("defect C4: as JSON an event keeps its id, priority and everything else", () => {
    const { bus } = openBus();
    const texts: string[] = [];
    bus.on("a", (event) => texts.push(JSON.stringify(event)));
    void bus.publish(
      "a",
      { n: 1 },
      { id: "i", priority: "high", correlationId: "c", causationId: "k", metadata: { m: 1 } },
    );
    expect(JSON.parse(texts[0] ?? "")).toEqual({
      id: "i",
      topic: "a",
      payload: { n: 1 },
      schemaVersion: 1,
      priority: "high",
      context: "default",
      atMs: Date.UTC(2026, 0, 1),
      correlationId: "c",
      causationId: "k",
      metadata: { m: 1 },
    });
  });

  test("defect C6: a batch is all or nothing", async () => {
    const { bus } = openBus({ topics: { a: topic({ type: "integer" }) }, unknownTopics: "refuse" });
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => seen.push(payload));
    const bad = [
      { topic: "a", payload: 1 },
      { topic: "a", payload: "two" },
    ];
    await expect(bus.publishBatch(bad)).rejects.toThrow(coded("schema_violation"));
    await expect(bus.publishBatch(Array.from({ length: 1_001 }, () => ({ topic: "a", payload: 1 })))).rejects.toThrow(
      coded("too_many_events"),
    );
    expect(seen).toEqual([]);
    expect(
      await bus.publishBatch([
        { topic: "a", payload: 1 },
        { topic: "a", payload: 2, id: "x" },
      ]),
    ).toEqual([expect.any(String), "x"]);
    expect(seen).toEqual([1, 2]);
  });

  test("keeps to the rate limit of the context", async () => {
    const { bus, clock } = openBus({ rateLimit: { perSecond: 10, burst: 5 } });
    const accepted = (): number => {
      let count = 0;
      try {
        for (; count < 1_000; count++) void bus.publish("a", {});
      } catch (error) {
        expect(isEventplaneError(error, "rate_limited")).toBe(true);
      }
      return count;
    };
    expect(accepted()).toBe(5);
    await clock.advance(300);
    expect(accepted()).toBe(3);
    void bus.context("other").publish("a", {});
  });
});

describe("schemas", () => {
  const topics = {
    "user.created": topic({
      type: "object",
      properties: { name: { type: "string" }, age: { type: "integer" } },
      required: ["name"],
      additionalProperties: false,
    }),
    "order.placed": topic(z.strictObject({ cents: z.int() })),
  };

  test("every problem is told by its pointer, never by its value", () => {
    const bus = new EventBus({ topics });
    // Wrong on purpose.
    const payload = { age: "CANARY", extra: 1 } as unknown as { readonly name: string };
    expect(() => bus.publish("user.created", payload)).toThrow(
      expect.objectContaining({
        code: "schema_violation",
        message: expect.not.stringContaining("CANARY"),
        details: { topic: "user.created", pointers: expect.arrayContaining(["/name", "/age", "/extra"]) },
      }),
    );
    const order = { cents: 1.5 };
    expect(() => bus.publish("order.placed", order)).toThrow(
      expect.objectContaining({ code: "schema_violation", details: { topic: "order.placed", pointers: ["/cents"] } }),
    );
  });

  test("defect C5: an unknown topic is refused, not taken for valid", () => {
    const bus = new EventBus<Record<string, unknown>>({ topics: { known: topic() } });
    expect(() => bus.publish("unknown", {})).toThrow(coded("unknown_type"));
    expect(() => bus.publish("no topic\u001b", {})).toThrow(coded("request_invalid"));
  });

  test("defect C5: a schema is compiled once, and checking costs microseconds", () => {
    const bus = new EventBus({ topics });
    const before = process.cpuUsage();
    for (let n = 0; n < 20_000; n++) void bus.publish("user.created", { name: "Ada", age: n });
    // At the 204 events a second of a schema that is compiled each time, this would take 100 s.
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });

  test("a schema that cannot be used is refused when the bus is made", () => {
    expect(() => new EventBus({ topics: { a: topic({ type: "wrong" }) } })).toThrow(coded("config_invalid"));
    expect(() => new EventBus({ topics: { a: topic(undefined, { version: 0 }) } })).toThrow(coded("config_invalid"));
  });

  test("a Standard Schema that validates asynchronously is refused, and nothing is left unhandled", () => {
    const bus = new EventBus({ topics: { a: topic(z.string().refine(async () => false)) } });
    expect(() => bus.publish("a", "x")).toThrow(coded("config_invalid"));
  });

  test("payloads of older versions are lifted step by step, and versions without a way are refused", () => {
    const upcasters = {
      1: (old: { n: number }) => ({ names: [String(old.n)] }),
      2: (old: { names: string[] }) => ({ names: old.names, count: old.names.length }),
    };
    const shape = z.strictObject({ names: z.array(z.string()), count: z.int() });
    const bus: EventBus = new EventBus<Record<string, unknown>>({
      topics: { a: topic(shape, { version: 3, upcasters }) as ReturnType<typeof topic> },
    });
    const seen: unknown[] = [];
    bus.on("a", ({ payload, schemaVersion }) => seen.push([payload, schemaVersion]));
    void bus.publish("a", { n: 7 }, { schemaVersion: 1 });
    void bus.publish("a", { names: [] }, { schemaVersion: 2 });
    expect(seen).toEqual([
      [{ names: ["7"], count: 1 }, 3],
      [{ names: [], count: 0 }, 3],
    ]);
    for (const schemaVersion of [0, 4, 1.5])
      expect(() => bus.publish("a", { n: 7 }, { schemaVersion })).toThrow(coded("unknown_type"));
    expect(() => bus.publish("a", null, { schemaVersion: 1 })).toThrow(coded("schema_violation"));
  });
});

describe("contexts", () => {
  test("do not meet: neither events nor names nor subscriptions of one are seen in another", () => {
    const { bus } = openBus();
    const seen: string[] = [];
    for (const name of ["a", "b", "default"])
      bus.context(name).on("**", (event) => seen.push(`${name} got ${event.context}`), { name: "same" });
    void bus.context("a").publish("x", {});
    void bus.publish("x", {});
    expect(seen).toEqual(["a got a", "default got default"]);
    expect(bus.context("a").subscriptions()).toHaveLength(1);
    expect(bus.context("b").off("same")).toBe(true);
    void bus.context("a").publish("x", {});
    expect(seen).toHaveLength(3);
  });

  test("one that is closed twice does not take along the one that has its name now", async () => {
    const { bus } = openBus();
    const first = bus.context("a");
    await first.close();
    const second = bus.context("a");
    await first.close();
    expect(bus.context("a")).toBe(second);
    await second.close();
    expect(bus.context("a")).not.toBe(second);
  });

  test("are bounded, named plainly, and end one by one", async () => {
    const { bus } = openBus();
    expect(() => bus.context("a b")).toThrow(coded("request_invalid"));
    for (let n = 0; n < 1_000; n++) bus.context(`c${n}`);
    expect(() => bus.context("one-more")).toThrow(coded("busy"));
    await bus.context("c0").close();
    expect(bus.context("one-more").name).toBe("one-more");
    await bus.close();
    expect(() => bus.context("late")).toThrow(coded("unavailable"));
    expect(() => bus.context("c1").publish("x", {})).toThrow(coded("unavailable"));
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { EventBus, prometheusText, topic, type Unpublished } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let unpublished: Unpublished[];
let seen: unknown[];
let allowed: boolean;
let bus: EventBus;

beforeEach(() => {
  clock = new VirtualClock();
  unpublished = [];
  seen = [];
  allowed = true;
  bus = new EventBus<Record<string, unknown>>({
    topics: { reminder: topic({ type: "integer" }) as ReturnType<typeof topic> },
    unknownTopics: "allow",
    clock,
    authorizePublish: ({ principal }) => principal !== "guest" || allowed,
    onUnpublished: (told) => void unpublished.push(told),
  });
  bus.on("**", ({ payload }) => void seen.push(payload));
});

describe("an event that is emitted later", () => {
  test("comes when its time has come, once, as of then, with everything that its publisher said", async () => {
    const texts: string[] = [];
    bus.on("reminder", (event) => void texts.push(JSON.stringify(event)));
    const options = { id: "i", priority: "high", correlationId: "c", causationId: "k", metadata: { m: 1 } } as const;
    const later = bus.emitLater("reminder", 7, { ...options, delayMs: 60_000 });
    expect(later.id).toBe("i");
    await clock.advance(59_999);
    expect([seen, bus.history(), bus.statistics()]).toMatchObject([[], [], { delayed: 1, accepted: 0 }]);
    await clock.advance(21);
    expect(await later.settled).toEqual({ outcome: "published" });
    expect(texts.map((text) => JSON.parse(text))).toEqual([
      { ...options, topic: "reminder", payload: 7, schemaVersion: 1, context: "default", atMs: expect.any(Number) },
    ]);
    expect(bus.history()[0]?.atMs).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1) + 60_000);
    await clock.advance(120_000);
    expect([texts.length, later.cancel(), clock.sleeping]).toEqual([1, false, 0]);
  });

  test("that is cancelled in time never comes, and says whether it was in time", async () => {
    const later = bus.emitLater("reminder", 1, { delayMs: 100 });
    await clock.advance(50);
    expect([later.cancel(), later.cancel()]).toEqual([true, false]);
    expect(await later.settled).toEqual({ outcome: "cancelled" });
    await clock.advance(1_000);
    expect([seen, unpublished, bus.statistics().delayed]).toEqual([[], [], 0]);
  });

  test("is published as its publisher said at the call, whatever becomes of its options", async () => {
    const options = { delayMs: 100, principal: "guest", priority: "high" as "high" | "low" };
    const later = bus.emitLater("reminder", 1, options);
    Object.assign(options, { principal: "owner", priority: "low" });
    allowed = false;
    await clock.advance(1_000);
    expect(await later.settled).toEqual({ outcome: "refused", error: coded("forbidden") });
    expect(seen).toEqual([]);
  });

  test("is checked when it is accepted: schema, permit, delay, rate limit", () => {
    expect(() => bus.emitLater("reminder", "no number", { delayMs: 1 })).toThrow(coded("schema_violation"));
    for (const delayMs of [-1, Number.NaN, 86_400_001, Number.POSITIVE_INFINITY])
      expect(() => bus.emitLater("reminder", 1, { delayMs })).toThrow(coded("request_invalid"));
    allowed = false;
    expect(() => bus.emitLater("reminder", 1, { delayMs: 1, principal: "guest" })).toThrow(coded("forbidden"));
    expect(bus.statistics()).toMatchObject({ refused: 6, delayed: 0 });
    const slow = new EventBus({ unknownTopics: "allow", clock, rateLimit: { perSecond: 1, burst: 2 } });
    for (let n = 0; n < 2; n++) slow.emitLater("a", n, { delayMs: 1_000 });
    expect(() => slow.emitLater("a", 2, { delayMs: 1_000 })).toThrow(coded("rate_limited"));
  });

  test("is copied when it is accepted", async () => {
    const payload = { n: 1 };
    bus.emitLater("other", payload, { delayMs: 10 });
    payload.n = 2;
    await clock.advance(30);
    expect(seen).toEqual([{ n: 1 }]);
  });

  test("is one of a bounded number", () => {
    for (let n = 0; n < 10_000; n++) bus.emitLater("reminder", n, { delayMs: 1_000 });
    expect(() => bus.emitLater("reminder", 0, { delayMs: 1_000 })).toThrow(coded("busy"));
    bus.context("other").emitLater("reminder", 0, { delayMs: 1_000 });
  });

  test("needs its permit again when its time comes", async () => {
    const later = bus.emitLater("reminder", 1, { delayMs: 100, principal: "guest" });
    allowed = false;
    await clock.advance(150);
    expect(await later.settled).toEqual({ outcome: "refused", error: coded("forbidden") });
    expect(seen).toEqual([]);
  });

  test("defect C6: one that is refused when its time comes is not lost: told, and counted", async () => {
    bus.on("reminder", () => clock.sleep(60_000), { name: "slow", queueMax: 1, overflow: "reject" });
    for (let n = 0; n < 2; n++) void bus.publish("reminder", n);
    const later = bus.emitLater("reminder", 2, { delayMs: 100 });
    await clock.advance(150);
    expect(await later.settled).toEqual({ outcome: "refused", error: coded("busy") });
    expect(unpublished).toEqual([{ id: later.id, topic: "reminder", context: "default", error: coded("busy") }]);
    expect(bus.statistics()).toMatchObject({ unpublished: 1, refused: 1, accepted: 2 });
    expect(prometheusText([bus.statistics()])).toContain('eventplane_bus_unpublished_total{context="default"} 1\n');
  });

  test("a callback that throws about it is counted", async () => {
    const onUnpublished = (): void => {
      throw new Error("no");
    };
    const other = new EventBus({ unknownTopics: "allow", clock, onUnpublished });
    const later = other.emitLater("a", 1, { delayMs: 1_000 });
    await other.close();
    expect([await later.settled, other.statistics()]).toMatchObject([{ outcome: "refused" }, { callbacksFailed: 1 }]);
  });

  test("ends with its context, is told so, and is not waited for", async () => {
    const later = bus.emitLater("reminder", 1, { delayMs: 86_400_000 });
    expect(await bus.drain(0)).toBe(true);
    expect(bus.statistics().delayed).toBe(1);
    await bus.close();
    expect(await later.settled).toEqual({ outcome: "refused", error: coded("aborted") });
    expect([unpublished.map(({ id }) => id), later.cancel(), bus.statistics().delayed]).toEqual([[later.id], false, 0]);
    expect(() => bus.emitLater("reminder", 1, { delayMs: 1 })).toThrow(coded("unavailable"));
  });

  test("waits at a full queue with block as every other, and has settled when there was room", async () => {
    const paused = bus.on("reminder", () => undefined, { name: "full", queueMax: 1 });
    paused.pause();
    void bus.publish("reminder", 1);
    const later = bus.emitLater("reminder", 2, { delayMs: 10 });
    let isSettled = false;
    void later.settled.then(() => {
      isSettled = true;
    });
    await clock.advance(100);
    expect(isSettled).toBe(false);
    paused.resume();
    expect([await later.settled, paused.status().done]).toEqual([{ outcome: "published" }, 2]);
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { type Anomaly, type BusStatistics, EventBus, prometheusText } from "./index.js";
import { LatencyHistogram } from "./latency-histogram.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let bus: EventBus;
beforeEach(() => {
  clock = new VirtualClock();
  bus = new EventBus({ unknownTopics: "allow", clock, historyMax: 5 });
});

describe("history", () => {
  test("defect C8: is bounded, and its times are those of the events", async () => {
    for (let n = 0; n < 8; n++) {
      void bus.publish(n % 2 === 0 ? "even" : "odd", n, { correlationId: `c${n % 3}` });
      await clock.advance(100);
    }
    const start = Date.UTC(2026, 0, 1);
    expect(bus.history().map(({ payload, atMs }) => [payload, atMs - start])).toEqual([
      [3, 300],
      [4, 400],
      [5, 500],
      [6, 600],
      [7, 700],
    ]);
    const list = (filter: Parameters<typeof bus.history>[0]): unknown[] =>
      bus.history(filter).map(({ payload }) => payload);
    expect([list({ topic: "even" }), list({ fromMs: start + 400, untilMs: start + 600 })]).toEqual([
      [4, 6],
      [4, 5],
    ]);
    expect([list({ correlationId: "c0" }), list({ limit: 2 }), list({ limit: 0 })]).toEqual([[3, 6], [6, 7], []]);
    expect(bus.context("other").history()).toEqual([]);
  });

  test("may be off, and has a bound", () => {
    const off = new EventBus({ unknownTopics: "allow", clock, historyMax: 0 });
    void off.publish("a", 1);
    expect(off.history()).toEqual([]);
    expect(() => new EventBus({ historyMax: 100_001 })).toThrow(coded("config_invalid"));
  });
});

describe("statistics", () => {
  test("count what happened, by topic, subscription and source", async () => {
    bus.on("a", () => clock.sleep(40), { name: "slow", filter: ({ payload }) => payload !== "skip" });
    bus.on(
      "a",
      () => {
        throw new Error("no");
      },
      { name: "bad" },
    );
    bus.addSource({ name: "shop", topics: ["a"], verify: () => false });
    for (const payload of [1, "skip", 2]) void bus.publish("a", payload);
    expect(() => bus.publish("a", new Date())).toThrow(coded("request_invalid"));
    await clock.advance(50);
    expect(bus.statistics()).toMatchObject({
      context: "default",
      accepted: 3,
      refused: 1,
      deadLetters: { kept: 3, dropped: 0 },
      topics: { a: 3 },
      subscriptions: { slow: { done: 1, inFlight: 1, filtered: 1 }, bad: { failed: 3, attemptsFailed: 3 } },
      sources: { shop: { accepted: 0 } },
    });
  });

  test("hold a bounded number of topics", () => {
    for (let n = 0; n < 1_500; n++) void bus.publish(`t${n}`, {});
    void bus.publish("t3", {});
    const { topics } = bus.statistics();
    expect(Object.keys(topics)).toHaveLength(1_001);
    expect([topics["t3"], topics["(other)"]]).toEqual([2, 500]);
  });

  test("measure one call in sixteen", async () => {
    bus.on("a", () => clock.sleep(100), { name: "x", concurrency: 100 });
    for (let n = 0; n < 64; n++) void bus.publish("a", {});
    await clock.advance(200);
    const { latency } = bus.statistics().subscriptions["x"] ?? {};
    expect(latency?.samples).toBe(4);
    for (const percentile of [latency?.p50Ms, latency?.p99Ms]) {
      expect(percentile).toBeGreaterThanOrEqual(100);
      expect(percentile).toBeLessThan(120);
    }
  });

  test("are text for Prometheus in which no name can end a label", () => {
    bus.on("a", () => undefined, { name: 'x"},evil{y="\\' });
    void bus.publish("a", {});
    const text = prometheusText([bus.statistics(), bus.context("b").statistics()]);
    expect(text).toContain('eventplane_bus_events_total{context="default",topic="a"} 1\n');
    expect(text).toContain(
      'eventplane_bus_deliveries_total{context="default",subscription="x\\"},evil{y=\\"\\\\",outcome="done"} 1\n',
    );
    expect(text).toContain('eventplane_bus_refused_total{context="b"} 0\n');
    const series = /^[a-z_]+\{(?:[a-z]+="(?:[^"\\]|\\["\\])*",?)+\} [0-9.e+-]+$/;
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(line.startsWith("# ") ? /^# (HELP|TYPE) / : series);
  });
});

test("of a busy handler one call in 64 is measured after 4,096 that were measured one in 16", () => {
  bus.on("a", () => undefined, { name: "busy" });
  for (let n = 0; n < 8_192; n++) void bus.publish("a", n);
  expect(bus.statistics().subscriptions["busy"]?.latency?.samples).toBe(4_096 / 16 + 4_096 / 64);
});

describe("a latency histogram", () => {
  test("is at most a fifth too high, over seven orders of magnitude", () => {
    for (let exponent = -3; exponent <= 4; exponent++) {
      const histogram = new LatencyHistogram();
      for (let n = 1; n <= 100; n++) histogram.add(n * 10 ** exponent);
      const { p50Ms = 0, p90Ms = 0, p99Ms = 0 } = histogram.read() ?? {};
      for (const [measured, true_] of [
        [p50Ms, 50],
        [p90Ms, 90],
        [p99Ms, 99],
      ] as const) {
        expect(measured / (true_ * 10 ** exponent)).toBeGreaterThan(0.999);
        expect(measured / (true_ * 10 ** exponent)).toBeLessThan(1.2);
      }
    }
    expect(new LatencyHistogram().read()).toBeUndefined();
  });
});

describe("a monitor", () => {
  test("gives the statistics, and tells of depth, latency and silence once while they last", async () => {
    const anomalies: Anomaly[] = [];
    const looks: BusStatistics[] = [];
    const stop = bus.monitor({
      everyMs: 100,
      depthAbove: 3,
      p99AboveMs: 50,
      silentForMs: 1_000,
      onStatistics: (statistics) => void looks.push(statistics),
      onAnomaly: (anomaly) => void anomalies.push(anomaly),
    });
    const subscription = bus.on("a", () => clock.sleep(80), { name: "slow", concurrency: 16 });
    subscription.pause();
    for (let n = 0; n < 20; n++) void bus.publish("a", {});
    await clock.advance(500);
    expect(anomalies).toEqual([{ kind: "depth", context: "default", subscription: "slow", value: 20, bound: 3 }]);
    subscription.resume();
    await clock.advance(400);
    expect(anomalies[1]).toMatchObject({ kind: "latency", subscription: "slow", bound: 50 });
    await clock.advance(1_000);
    expect(anomalies[2]).toMatchObject({ kind: "silence", context: "default", bound: 1_000 });
    expect(anomalies).toHaveLength(3);
    subscription.pause();
    for (let n = 0; n < 5; n++) void bus.publish("a", {});
    await clock.advance(200);
    expect(anomalies.slice(3).map(({ kind }) => kind)).toEqual(["depth"]);
    stop();
    const { length } = looks;
    expect(length).toBeGreaterThan(15);
    await clock.advance(1_000);
    expect(looks).toHaveLength(length);
  });

  test("goes on when a callback throws, and counts that", async () => {
    bus.monitor({
      everyMs: 100,
      onStatistics: () => {
        throw new Error("no");
      },
    });
    await clock.advance(550);
    expect(bus.statistics().callbacksFailed).toBeGreaterThanOrEqual(4);
    for (const options of [{ everyMs: 1 }, { depthAbove: Number.NaN }, { p99AboveMs: -1 }, { silentForMs: Number.NaN }])
      expect(() => bus.monitor(options)).toThrow(coded("config_invalid"));
    await bus.close();
    await clock.advance(200);
    expect(clock.sleeping).toBeLessThanOrEqual(1);
  });
});

import { pino } from "pino";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { createLogger } from "../observe/index.js";
import { VirtualClock } from "../testing/index.js";
import { entryLine, loggerTo } from "./event-logger.js";
import { EventBus, type EventLogger, type LogOptions, type RedactionOptions } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let lines: string[];
beforeEach(() => {
  clock = new VirtualClock();
  lines = [];
});

const collector = (): EventLogger => loggerTo((entry) => void lines.push(entryLine(entry)));

function busWith(log: LogOptions = {}, redact: RedactionOptions = {}): EventBus {
  return new EventBus({ unknownTopics: "allow", clock, log: { to: collector(), ...log }, redact });
}

async function entries(): Promise<readonly Record<string, unknown>[]> {
  await clock.advance(50);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>); // lines of objects
}

describe("the logger", () => {
  test.each<[NonNullable<LogOptions["level"]>, string[]]>([
    ["debug", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ])("at level %s is given %j", async (level, expected) => {
    const bus = busWith({ level });
    bus.on("a", () => {
      throw new Error("no");
    });
    void bus.publish("a", 1);
    expect(() => bus.publish("a", new Date())).toThrow(coded("request_invalid"));
    expect(new Set((await entries()).map((entry) => entry["level"]))).toEqual(new Set(expected));
    expect(lines.join("").includes("stack")).toBe(level === "debug");
  });

  test("may be pino, the console, or the plane's own", async () => {
    const write = (line: string): void => void lines.push(line);
    const said = vi.fn<(fields: object, message: string) => void>();
    const console = { debug: said, info: said, warn: said, error: said };
    const loggers = [pino({ base: null }, { write }), createLogger({ destination: { write } }), console];
    for (const to of loggers)
      void new EventBus({ unknownTopics: "allow", clock, log: { to } }).publish("a", 1, { id: "e1" });
    const [fromPino, fromPlane] = await entries();
    expect(fromPino).toMatchObject({ level: 30, topic: "a", id: "e1", at: expect.any(String), msg: "event accepted" });
    expect(fromPlane).toMatchObject({ level: "info", topic: "a", id: "e1", message: "event accepted" });
    expect(said).toHaveBeenCalledWith(expect.objectContaining({ topic: "a", id: "e1" }), "event accepted");
  });

  test("that throws or rejects disturbs nothing, and is counted", async () => {
    let calls = 0;
    const to = loggerTo(() => {
      if (++calls % 2 === 0) throw new Error("no");
      return Promise.reject(new Error("no"));
    });
    const bus = busWith({ to });
    const seen: unknown[] = [];
    bus.on("a", ({ payload }) => void seen.push(payload));
    for (let n = 0; n < 10; n++) void bus.publish("a", n);
    await clock.advance(50);
    expect(seen).toHaveLength(10);
    expect(bus.statistics().log).toEqual({ written: 0, waiting: 0, failed: 10, dropped: 0 });
  });

  test("that never settles is given a bounded number; the rest waits within a bound, then is dropped, counted and told of", async () => {
    const settle: (() => void)[] = [];
    const bus = busWith({
      to: loggerTo((entry) => {
        lines.push(entryLine(entry));
        return new Promise<void>((resolve) => settle.push(resolve));
      }),
    });
    let seen = 0;
    bus.on("a", () => void seen++);
    for (let n = 0; n < 12_000; n++) void bus.publish("a", n);
    await clock.advance(100);
    expect(seen).toBe(12_000);
    expect(settle).toHaveLength(200);
    expect(bus.statistics().log).toMatchObject({ waiting: 10_001, dropped: 2_000 });
    const drained = bus.drain(1_000);
    await clock.advance(1_000);
    expect(await drained).toBe(false);
    while (settle.length > 0) {
      for (const resolve of settle.splice(0)) resolve();
      await clock.advance(5);
    }
    expect(bus.statistics().log).toEqual({ written: 10_001, waiting: 0, failed: 0, dropped: 2_000 });
    expect(JSON.parse(lines.find((line) => line.includes("dropped")) ?? "")).toMatchObject({
      level: "warn",
      entries: 2_000,
    });
  });

  test("that holds the thread is called in turns, so that other work goes on", async () => {
    let calls = 0;
    const bus = busWith({
      to: loggerTo(() => {
        calls++;
        clock.jump(4).catch(() => undefined);
      }),
    });
    for (let n = 0; n < 100; n++) void bus.publish("a", n);
    expect(calls).toBe(0);
    await clock.turn();
    await clock.jump(1);
    expect(calls).toBeLessThanOrEqual(2);
  });

  test("has what was published before the bus ended", async () => {
    const bus = busWith();
    bus.on("a", () => new Promise(() => undefined), { name: "never" });
    void bus.publish("a", 1);
    const closing = bus.close({ deadlineMs: 100 });
    await clock.advance(2_000);
    expect(await closing).toBe(false);
    expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
      "event accepted",
      "delivery failed",
    ]);
  });

  test("without its four methods, or with another level, is refused", () => {
    const to = { debug: () => undefined, info: () => undefined, warn: () => undefined };
    expect(() => busWith({ to: to as unknown as EventLogger })).toThrow(coded("config_invalid"));
    expect(() => busWith({ level: "trace" as "debug" })).toThrow(coded("config_invalid"));
  });
});

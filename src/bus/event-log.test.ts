import fc from "fast-check";
import { pino } from "pino";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { EventplaneError, isEventplaneError } from "../kernel/index.js";
import { createLogger } from "../observe/index.js";
import { VirtualClock } from "../testing/index.js";
import { entryLine, loggerTo } from "./event-logger.js";
import { EventBus, type EventLogger, type LogOptions, type RedactionOptions, topic } from "./index.js";

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

describe("an entry", () => {
  test("defect C8: has the time of its event, and says which event it was", async () => {
    const bus = busWith();
    await clock.advance(1_500);
    void bus.publish(
      "user.created",
      { name: "Ada" },
      { id: "e1", correlationId: "c", causationId: "b", priority: "high" },
    );
    await clock.advance(1_000);
    expect(await entries()).toEqual([
      {
        level: "info",
        time: "2026-01-01T00:00:01.500000Z",
        context: "default",
        topic: "user.created",
        id: "e1",
        schemaVersion: 1,
        priority: "high",
        correlationId: "c",
        causationId: "b",
        message: "event accepted",
      },
    ]);
  });

  test("holds the payload only when that was asked for, redacted", async () => {
    const bus = busWith({ payloads: true }, { keys: ["email"] });
    void bus.publish(
      "a",
      { email: "ada@example.com", author: "Ada", n: 1 },
      { metadata: { apiToken: "s", ip: "::1" } },
    );
    expect(await entries()).toMatchObject([
      { payload: { email: "[redacted]", author: "Ada", n: 1 }, metadata: { apiToken: "[redacted]", ip: "::1" } },
    ]);
  });

  test("defect C8: of a failure names the dead letter, and its text has no value that is redacted in the event", async () => {
    const bus = busWith({}, { paths: { "*": ["payload.card"] }, keys: ["email"] });
    bus.on(
      "a",
      ({ payload }) => {
        throw new EventplaneError("unavailable", `no mail for ${JSON.stringify(payload)}`, {
          cause: new Error("4111222233334444 was declined for author Ada"),
        });
      },
      { name: "mail", retry: { attempts: 1 } },
    );
    void bus.publish(
      "a",
      { email: "ada@example.com", card: 4111222233334444, author: "Ada" },
      { id: "ada@example.com" },
    );
    expect((await entries())[1]).toMatchObject({
      level: "error",
      message: "delivery failed",
      subscription: "mail",
      attempts: 1,
      deadLetter: 1,
      id: "[redacted]",
      error: {
        code: "unavailable",
        message: 'no mail for {"email":"[redacted]","card":[redacted],"author":"Ada"}',
        cause: { message: "[redacted] was declined for author Ada" },
      },
    });
    expect(lines.join("")).not.toContain("stack");
  });

  test("of a refused publication says why, without what the check quotes", async () => {
    const issue = { message: 'expected a number, got "hunter22"', path: ["pin"] };
    const schema = { "~standard": { version: 1, vendor: "x", validate: () => ({ issues: [issue] }) } } as const;
    const bus = new EventBus({
      topics: { "pin.set": topic<{ pin: string }>(schema) },
      clock,
      log: { to: collector() },
      redact: { paths: { "pin.*": ["payload.pin"] } },
    });
    expect(() => bus.publish("pin.set", { pin: "hunter22" })).toThrow(coded("schema_violation"));
    await expect(bus.publishBatch([{ topic: "pin.set", payload: { pin: "hunter22" } }])).rejects.toEqual(
      coded("schema_violation"),
    );
    const [first, second] = await entries();
    expect(first).toMatchObject({
      level: "warn",
      message: "publication refused",
      topic: "pin.set",
      error: { code: "schema_violation", message: expect.stringContaining('got "[redacted]"') },
    });
    expect(second).toMatchObject({ topic: "pin.set", error: { code: "schema_violation" } });
    expect(lines.join("")).not.toContain("hunter22");
  });

  test("tells of attempts that failed, and of what was done with dead letters, whose texts are redacted as well", async () => {
    const bus = busWith({}, { keys: ["email"] });
    bus.on("a", ({ payload }) => Promise.reject(new Error(`bad ${JSON.stringify(payload)}`)), {
      name: "mail",
      retry: { attempts: 2, baseMs: 1, capMs: 1 },
    });
    void bus.publish("a", { email: "ada@example.com" });
    await clock.advance(100);
    expect(bus.deadLetters.list()).toMatchObject([
      { event: { payload: { email: "ada@example.com" } }, error: { message: 'bad {"email":"[redacted]"}' } },
    ]);
    const redriven = bus.deadLetters.redriveAll();
    await clock.advance(100);
    await redriven;
    expect(bus.deadLetters.purge({ subscription: "mail" })).toBe(1);
    expect((await entries()).slice(1)).toMatchObject([
      { level: "warn", message: "attempt failed", subscription: "mail", attempts: 1 },
      { level: "error", message: "delivery failed", attempts: 2, deadLetter: 1 },
      { level: "warn", message: "attempt failed", attempts: 3 },
      { level: "error", message: "delivery failed", attempts: 4, deadLetter: 2 },
      { level: "info", message: "dead letter redriven", deadLetter: 1, outcome: "failed" },
      { level: "info", message: "dead letters purged", subscription: "mail", purged: 1 },
    ]);
    expect(lines.join("")).not.toContain("ada@");
  });

  test("tells of refused subscriptions, withdrawn permits, refused messages and anomalies", async () => {
    let may = true;
    const bus = new EventBus({
      unknownTopics: "allow",
      clock,
      log: { to: collector() },
      authorizeSubscribe: ({ principal }) => principal === "ops" && may,
      authorizePublish: ({ principal }) => principal !== "mallory",
    });
    expect(() => bus.on("a", () => undefined, { principal: "mallory" })).toThrow(coded("forbidden"));
    bus.on("a", () => clock.sleep(60_000), { name: "slow", principal: "ops" });
    expect(() => bus.publish("a", 1, { principal: "mallory" })).toThrow(coded("forbidden"));
    const source = bus.addSource({ name: "shop", topics: ["a"], verify: () => false });
    await expect(source.receive({ topic: "a\n", body: "1", signature: "x" })).rejects.toEqual(coded("unauthenticated"));
    const stop = bus.monitor({ everyMs: 10, depthAbove: 1 });
    for (let n = 0; n < 3; n++) void bus.publish("a", n);
    await clock.advance(20);
    stop();
    may = false;
    bus.reauthorize();
    const told = await entries();
    expect(told.filter(({ level }) => level === "warn")).toMatchObject([
      { message: "subscription refused", context: "default", error: { code: "forbidden" } },
      { message: "publication refused", principal: "mallory", topic: "a" },
      { message: "message refused", source: "shop", topic: "a\\n", code: "unauthenticated" },
      { message: "anomaly", kind: "depth", subscription: "slow", value: 2, bound: 1 },
      { message: "permit withdrawn", subscription: "slow" },
    ]);
  });

  test("stays one line of harmless text, whatever names and texts come from outside (attack 18)", async () => {
    const hostile = `a\r\nb\u001b[2J${String.fromCodePoint(0x9b, 0x2028, 0x2029, 0x202e, 0x2066, 0)}`;
    const bus = busWith({ payloads: true, level: "debug" });
    bus.on("a", () => {
      throw Object.assign(new Error(hostile), { name: hostile, code: hostile });
    });
    void bus.publish("a", { [hostile]: [hostile] }, { metadata: { x: hostile } });
    expect(() => bus.publish(hostile, 1, { principal: hostile })).toThrow(coded("request_invalid"));
    expect(await entries()).toHaveLength(3);
    for (const line of lines) {
      expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
      expect(line).toContain("a\\\\r\\\\nb\\\\e[2J");
    }
  });

  test("would have the values, were they not redacted", async () => {
    const bus = busWith({ payloads: true });
    void bus.publish("a", { iban: "CANARY" });
    expect(JSON.stringify(await entries())).toContain("CANARY");
  });

  test("whatever the payload, no value that is redacted in it is in a line, and each line is one", async () => {
    const canary = fc.string({ unit: "binary", maxLength: 20 }).map((text) => `CANARY${text}`);
    const node = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
        fc.array(tie("node"), { maxLength: 4 }),
        fc.record({ note: fc.string(), next: tie("node") }, { requiredKeys: [] }),
      ),
    })).node;
    const schema = {
      type: "object",
      properties: { holder: { $ref: "#/$defs/holder" } },
      $defs: {
        holder: { properties: { iban: { "x-eventplane-personal": true }, next: { $ref: "#/$defs/holder" } } },
      },
    } as const;
    const bus = new EventBus({
      topics: { t: topic(schema) },
      clock,
      log: { to: collector(), payloads: true, level: "debug" },
      redact: { keys: ["pin"], paths: { t: ["payload.list.*.x"] } },
    });
    let everything = "";
    bus.on("t", ({ payload }) => {
      throw Object.assign(new Error(`bad ${everything} in ${JSON.stringify(payload)}`), { code: everything });
    });
    await fc.assert(
      fc.asyncProperty(node, fc.array(canary, { minLength: 4, maxLength: 4 }), async (around, secrets) => {
        const [a = "", b = "", c = "", d = ""] = secrets;
        everything = secrets.join(", ");
        const holder = { iban: a, next: { next: { iban: [b] }, note: everything } };
        const list = [{ x: { deep: [c] }, y: c }, around];
        const payload = { holder, list, cardPin: d, [`about ${everything}`]: around, note: everything };
        lines = [];
        void bus.publish("t", payload, { metadata: { [everything]: { secretToken: "x", text: everything } } });
        await clock.advance(50);
        expect(lines).toHaveLength(2);
        for (const line of lines) {
          expect(line).not.toMatch(/canary/i);
          expect(line).toMatch(/^\{[^\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]*\}\n$/u);
          JSON.parse(line);
        }
      }),
      { numRuns: 200 },
    );
  });
});

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

import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { EventplaneError, isEventplaneError } from "../kernel/index.js";
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
    expect(() => bus.publish("pin.set", { pin: "hunter22" }, { schemaVersion: 1 })).toThrow(coded("schema_violation"));
    const [first, second] = await entries();
    expect(first).toMatchObject({
      level: "warn",
      message: "publication refused",
      topic: "pin.set",
      error: { code: "schema_violation", message: expect.stringContaining('got "[redacted]"') },
    });
    expect(second).toBeUndefined();
    const drained = bus.drain(100);
    await clock.advance(100);
    await drained;
    expect((await entries())[1]).toMatchObject({
      message: "publication refused",
      code: "schema_violation",
      repeated: 2,
    });
    expect(lines.join("")).not.toContain("hunter22");
  });

  test("keeps its own names, whatever is redacted", async () => {
    const bus = busWith({ payloads: true }, { keys: ["pin"] });
    void bus.publish("a", { pin: ["id", "payload", "topic", "time", "level"], id: "x" }, { id: "e1" });
    const [entry] = await entries();
    expect(entry).toMatchObject({
      level: "info",
      topic: "a",
      id: "e1",
      payload: { pin: "[redacted]", "[redacted]": "x" },
    });
  });

  test("of an older version that was refused withholds all texts, because the rules are those of the current one", async () => {
    const schema = { type: "object", properties: { pin: { type: "number", "x-eventplane-sensitive": true } } } as const;
    const lift = ({ code }: { readonly code: string }): unknown => {
      throw new Error(`no number: ${code}`);
    };
    const bus = new EventBus({
      topics: { "pin.set": topic(schema, { version: 2, upcasters: { 1: lift } }) },
      clock,
      log: { to: collector() },
    });
    expect(() => bus.publish("pin.set", { code: "hunter22" } as object, { schemaVersion: 1 })).toThrow(
      coded("schema_violation"),
    );
    expect(await entries()).toMatchObject([
      {
        error: {
          name: "EventplaneError",
          code: "schema_violation",
          message: "[withheld]",
          cause: { message: "[withheld]" },
        },
      },
    ]);
    expect(lines.join("")).not.toContain("hunter22");
  });

  test("tells of attempts that failed, and of what was done with dead letters, whose texts are redacted as well", async () => {
    const bus = busWith({}, { keys: ["email"] });
    bus.on("a", ({ payload }) => Promise.reject(new Error(`bad ${JSON.stringify(payload)}`)), {
      name: "mail",
      retry: { attempts: 2, baseMs: 1, capMs: 1 },
    });
    void bus.publish("a", { email: "ada@example.com" });
    expect((await entries()).slice(1)).toMatchObject([
      { level: "warn", message: "attempt failed", subscription: "mail", attempts: 1 },
      { level: "error", message: "delivery failed", attempts: 2, deadLetter: 1 },
    ]);
    expect(bus.deadLetters.list()).toMatchObject([
      { event: { payload: { email: "ada@example.com" } }, error: { message: 'bad {"email":"[redacted]"}' } },
    ]);
    bus.on("big", () => Promise.reject(new EventplaneError("unavailable", "CANARY")));
    void bus.publish(
      "big",
      Array.from({ length: 20_000 }, () => "CANARY"),
    );
    await clock.advance(100);
    const [big] = bus.deadLetters.list({ error: "unavailable" });
    expect(big?.error).toEqual({ name: "EventplaneError", code: "unavailable", message: "[withheld]" });
    bus.deadLetters.purge({ topic: "big" });
    expect(JSON.stringify(await entries())).not.toContain("CANARY");
    lines = [];
    const redriven = bus.deadLetters.redriveAll();
    await clock.advance(100);
    await redriven;
    expect(bus.deadLetters.purge({ subscription: "mail" })).toBe(1);
    expect(await entries()).toMatchObject([
      { level: "warn", message: "attempt failed", attempts: 3 },
      { level: "error", message: "delivery failed", attempts: 4, deadLetter: 3 },
      { level: "info", message: "dead letter redriven", deadLetter: 1, outcome: "failed" },
      { level: "info", message: "dead letters purged", subscription: "mail", purged: 1 },
    ]);
    expect(lines.join("")).not.toMatch(/ada@|CANARY/);
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

import { describe, expect, test } from "vitest";
import { EventplaneError } from "../kernel/index.js";
import { createLogger, type Logger, type LoggerOptions } from "./logger.js";

function recorder(options: LoggerOptions = {}): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLogger({ destination: { write: (line) => void lines.push(line) }, ...options }), lines };
}

function entry(
  fields: Readonly<Record<string, unknown>>,
  message = "m",
  options: LoggerOptions = {},
): Record<string, unknown> {
  const { log, lines } = recorder(options);
  log.error(fields, message);
  expect(lines).toHaveLength(1);
  // Each line is a JSON object by the tests below.
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

describe("an entry", () => {
  test("is one line of JSON with level, time, name, fields and message", () => {
    const { log, lines } = recorder({ name: "edge" });
    log.info({ position: 12, tenant: "t" }, "appended 100 % of %s");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      name: "edge",
      position: 12,
      tenant: "t",
      message: "appended 100 % of %s",
    });
  });

  test.each<[LoggerOptions["level"], string[]]>([
    ["debug", ["debug", "info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    [undefined, ["info", "warn", "error"]],
    ["silent", []],
  ])("at level %s: %j are written", (level, expected) => {
    const { log, lines } = recorder(level === undefined ? {} : { level });
    for (const name of ["debug", "info", "warn", "error"] as const) log[name]({}, "m");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(expected);
  });

  test("carries the fields of its parents, its own win", () => {
    const { log, lines } = recorder();
    log.child({ a: 1, b: 1 }).child({ b: 2, token: "CANARY" }).info({ c: 3 }, "m");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ a: 1, b: 2, c: 3, token: "[redacted]" });
  });

  test("cannot overwrite what the logger writes itself", () => {
    expect(entry({ level: "x", time: "x", message: "x", name: "x" }, "real")).toMatchObject({
      level: "error",
      message: "real",
      level_: "x",
      time_: "x",
      message_: "x",
      name_: "x",
    });
  });

  test("stays one line that moves no cursor (ATTACKS 18)", () => {
    const hostile = `a\r\nb\u001b[2J${String.fromCodePoint(0x9b, 0x2028, 0x2029, 0x202e, 0x2066, 0)}`;
    const { log, lines } = recorder({ name: hostile });
    log.info({ [hostile]: hostile, list: [{ deep: hostile }], error: new Error(hostile) }, hostile);
    const line = lines.join("");
    expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    expect(JSON.parse(line).message).toBe("a\\r\\nb\\e[2J\\u{9b}\\u{2028}\\u{2029}\\u{202e}\\u{2066}\\u{0}");
    expect(Object.values(JSON.parse(line)).join("")).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
  });
});

describe("secrets (ATTACKS 14)", () => {
  const canary = "CANARYcanary12";
  const secretive = {
    authorization: `Bearer ${canary}`,
    headers: { cookie: `sid=${canary}`, "x-api-key": canary, author: "Ada" },
    list: [{ password: canary }, [{ deep: { clientSecret: { value: canary } } }], `epk_1_${canary}`],
    rawHeaders: ["Host", "x", "Cookie", canary, "Authorization", `Basic ${canary}`],
    url: `postgres://u:${canary}@db/x`,
    parsed: new URL(`https://u:${canary}@host/x?token=${canary}`),
    body: `{"apiKey":"${canary}"}`,
    [`token=${canary}`]: 1,
    pin: { token: 1234 },
    bytes: Buffer.from(canary),
    map: new Map([["password", canary]]),
    error: Object.assign(new Error(`cannot reach postgres://u:${canary}@db`), { secret: canary }),
  };

  test("are nowhere in a line, whatever member, list, message, name or error they came in", () => {
    const { log, lines } = recorder({ level: "debug", name: `p password=${canary}` });
    const child = log.child(secretive);
    for (const level of ["debug", "info", "warn", "error"] as const)
      child[level](secretive, `failed with secret: ${canary}`);
    expect(lines).toHaveLength(4);
    expect(lines.join("")).not.toContain(canary);
    expect(lines.join("")).not.toContain(Buffer.from(canary).toString("hex"));
  });

  test("harmless neighbours stay", () => {
    expect(entry({ ...secretive, hasToken: true, tokenId: "k1" })).toMatchObject({
      headers: { author: "Ada", cookie: "[redacted]" },
      pin: { token: "[redacted]" },
      bytes: "[14 bytes]",
      hasToken: true,
      tokenId: "k1",
    });
  });
});

describe("errors", () => {
  const cause = Object.assign(new Error('duplicate key value violates unique constraint "events_pkey"'), {
    name: "DatabaseError",
    severity: "ERROR",
    code: "23505",
    detail: "Key (spec)=(CANARY) already exists.",
    where: "CANARY",
    internalQuery: "CANARY",
  });
  const error = new EventplaneError("busy", "The log is busy; try again.", { details: { tenant: "t" }, cause });

  test("are name, code, message and details, their cause without the row values of PostgreSQL", () => {
    const line = entry({ error });
    expect(line["error"]).toEqual({
      name: "EventplaneError",
      code: "busy",
      message: "The log is busy; try again.",
      details: { tenant: "t" },
      cause: { name: "DatabaseError", code: "23505", message: cause.message },
    });
    expect(JSON.stringify(line)).not.toContain("CANARY");
  });

  test("show stack frames only at debug", () => {
    expect(JSON.stringify(entry({ error }))).not.toContain("logger.test.ts");
    expect(entry({ error }, "m", { level: "debug" })["error"]).toHaveProperty(
      ["stack", 0],
      expect.stringMatching(/^at .*logger\.test\.ts:\d+/),
    );
  });

  test("messages that quote their input are replaced", () => {
    const data = Object.assign(new Error('invalid input syntax for type uuid: "CANARY"'), {
      severity: "ERROR",
      code: "22P02",
    });
    let parse: unknown;
    try {
      JSON.parse('"CANARY');
      JSON.parse("CANARY");
    } catch (thrown) {
      parse = thrown;
    }
    const line = JSON.stringify(entry({ data, parse, nested: new Error("outer", { cause: data }) }));
    expect(line).not.toContain("CANARY");
    expect(line).toContain("SQLSTATE 22P02");
    expect(line).toContain("A text is not valid JSON.");
  });

  test("an error in place of the fields is logged as an error", () => {
    // A caller in plain JavaScript may do this.
    const fields = new Error("lost") as unknown as Record<string, unknown>;
    expect(entry(fields)).toHaveProperty(["error", "message"], "lost");
  });
});

describe("bounds", () => {
  test("depth, number and length are cut, cycles end", () => {
    const cycle: Record<string, unknown> = { n: 1 };
    cycle["self"] = cycle;
    const wide = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`k${at}`, at]));
    const { log, lines } = recorder();
    log.info(
      { cycle, long: "x".repeat(1_000_000), list: Array.from({ length: 1_000 }, () => 7), wide },
      "y".repeat(100_000),
    );
    const line = lines[0] ?? "";
    expect(line.length).toBeLessThan(8_000);
    expect(line).toContain("[too deep]");
    const { long, list, wide: kept, message } = JSON.parse(line);
    expect(long).toHaveLength(2_000 + "…[cut]".length);
    expect(message).toHaveLength(2_000 + "…[cut]".length);
    expect(list).toHaveLength(51);
    expect(list[50]).toBe("[950 more]");
    expect(kept.more).toBe(950);
  });

  test("an entry of many long texts stays small", () => {
    const texts = Array.from({ length: 40 }, () =>
      Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`k${at}`, "x".repeat(500)])),
    );
    const { log, lines } = recorder();
    log.info({ texts }, "m");
    expect(lines[0]?.length).toBeLessThan(20_000);
  });

  test("nothing that a caller passes makes the logger throw", () => {
    const throwing = {
      get bad(): never {
        throw new Error("CANARY");
      },
    };
    expect(entry(throwing)).toMatchObject({ fields: "[unreadable]" });
    const odd = entry({
      big: 10n,
      f: () => 1,
      s: Symbol("x"),
      u: undefined,
      d: new Date(Number.NaN),
      n: Number.NaN,
      z: null,
    });
    expect(odd).toMatchObject({ big: "10", f: "[function]", s: "[symbol]", d: "[invalid date]", n: "NaN", z: null });
    expect(entry(JSON.parse('{"__proto__":{"polluted":1}}'))).toHaveProperty(["[__proto__]", "polluted"], 1);
  });
});

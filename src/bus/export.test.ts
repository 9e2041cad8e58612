import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { csvText } from "./csv.js";
import { EventBus } from "./index.js";

let clock: VirtualClock;
let bus: EventBus;
beforeEach(() => {
  clock = new VirtualClock();
  bus = new EventBus({ unknownTopics: "allow", clock, redact: { keys: ["email"] } });
});

/** Reads CSV as RFC 4180 says. */
function rowsOf(csv: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let row: string[] = [];
  for (let match = cells.exec(csv); match !== null; match = cells.exec(csv)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  expect(csv.endsWith("\r\n")).toBe(true);
  return rows;
}

describe("CSV", () => {
  test.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", "'\t=1"],
    ["\r=1", '"\'\r=1"'],
    ["\n1", '"\'\n1"'],
    ["  =1", "'  =1"],
    ["\uff1d1", "'\uff1d1"],
    ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
    ["a=1", "a=1"],
    ['say "hi", you', '"say ""hi"", you"'],
  ])("defect C8: %j is the cell %s", (text, expected) => {
    expect(csvText(["c"], [{ c: text }])).toBe(`c\r\n${expected}\r\n`);
  });

  test("has numbers, nothing and objects as they are", () => {
    expect(csvText(["a", "b", "c", "d", "e"], [{ a: -1.5, b: undefined, c: null, d: { x: [1] }, e: true }])).toBe(
      'a,b,c,d,e\r\n-1.5,,,"{""x"":[1]}",true\r\n',
    );
  });

  test("defect C8: whatever is in a cell, it reads back as one cell that is no formula", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.string())), (pairs) => {
        const rows = pairs.map(([a, b]) => ({ a, b }));
        const [head, ...read] = rowsOf(csvText(["a", "b"], rows));
        expect(head).toEqual(["a", "b"]);
        expect(read.map((row) => row.map((text) => text.replace(/^'/, "")))).toEqual(
          pairs.map((pair) => pair.map((text) => text.replace(/^'/, ""))),
        );
        for (const text of read.flat()) expect(text).not.toMatch(/^\s*[=+\-@]|^[\t\r\n]/);
      }),
    );
  });
});

describe("the history", () => {
  test("defect C8: is exported as JSON and as CSV, redacted, with its times and safe for spreadsheets", async () => {
    await clock.advance(250);
    const payload = {
      email: "ada@example.com",
      author: "Ada",
      note: "write to ADA@example.com",
      list: [{ apiToken: "s" }],
    };
    void bus.publish("user.created", payload, { id: "=cmd()", correlationId: "c", metadata: { ip: "::1" } });
    void bus.publish("other", "-1+1", { id: "e2", priority: "low" });
    const parsed: unknown = JSON.parse(bus.exportHistory("json"));
    const shown = {
      email: "[redacted]",
      author: "Ada",
      note: "write to [redacted]",
      list: [{ apiToken: "[redacted]" }],
    };
    expect(parsed).toMatchObject([
      {
        time: "2026-01-01T00:00:00.250000Z",
        topic: "user.created",
        id: "=cmd()",
        payload: shown,
        metadata: { ip: "::1" },
      },
      { topic: "other", payload: "-1+1", priority: "low" },
    ]);
    const [head, first, second] = rowsOf(bus.exportHistory("csv"));
    expect(head?.join()).toBe(
      "time,context,topic,id,schemaVersion,priority,correlationId,causationId,source,metadata,payload",
    );
    expect(first).toEqual([
      "2026-01-01T00:00:00.250000Z",
      "default",
      "user.created",
      "'=cmd()",
      "1",
      "normal",
      "c",
      "",
      "",
      '{"ip":"::1"}',
      JSON.stringify(shown),
    ]);
    expect(second?.at(-1)).toBe("'-1+1");
    expect(JSON.parse(bus.exportHistory("json", { topic: "user.*", limit: 1 }))).toHaveLength(1);
  });

  test("whatever the payload, no redacted value is in an export, and no control character in a JSON one", () => {
    const canary = fc.string({ unit: "binary", maxLength: 20 }).map((text) => `CANARY${text}`);
    fc.assert(
      fc.property(canary, fc.jsonValue(), (secret, around) => {
        const one = new EventBus({ unknownTopics: "allow", clock, redact: { keys: ["email"] } });
        const holder = { email: { deep: [secret] }, [`about ${secret}`]: around, note: `${secret}!` };
        void one.publish("a", [holder, around], { metadata: { x: secret } });
        const [json, csv] = [one.exportHistory("json"), one.exportHistory("csv")];
        expect(json + csv).not.toMatch(/canary/i);
        expect(json).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
        expect(rowsOf(csv)).toHaveLength(2);
        JSON.parse(json);
      }),
    );
  });
});

describe("the performance report", () => {
  test("defect C8: counts calls and failures by topic and subscription, with the times that calls took, the slowest first", async () => {
    bus.on("slow", () => clock.sleep(100), { name: "=slow", concurrency: 100 });
    bus.on("fast", () => clock.sleep(10), { name: "fast", concurrency: 100 });
    bus.on(
      "fast",
      () => {
        throw new Error("no");
      },
      { name: "bad", retry: { attempts: 2, baseMs: 1, capMs: 1 }, concurrency: 100 },
    );
    for (let n = 0; n < 32; n++) void bus.publish("fast", n);
    for (let n = 0; n < 16; n++) void bus.publish("slow", n);
    await clock.advance(500);
    const { topics, subscriptions } = bus.performance();
    expect(topics).toEqual([
      { topic: "fast", accepted: 32, failed: 32 },
      { topic: "slow", accepted: 16, failed: 0 },
    ]);
    expect(subscriptions.map(({ subscription }) => subscription)).toEqual(["=slow", "fast", "bad"]);
    expect(subscriptions).toMatchObject([
      { calls: 16, callsFailed: 0, failedShare: 0 },
      { calls: 32, callsFailed: 0, failed: 0 },
      { calls: 64, callsFailed: 64, failedShare: 1, failed: 32, p99Ms: undefined },
    ]);
    const [slow] = subscriptions;
    for (const percentile of [slow?.p50Ms, slow?.p90Ms, slow?.p99Ms]) {
      expect(percentile).toBeGreaterThanOrEqual(100);
      expect(percentile).toBeLessThan(120);
    }
    expect(JSON.parse(bus.exportPerformance("json"))).toEqual(JSON.parse(JSON.stringify(subscriptions)));
    const [head, ...rows] = rowsOf(bus.exportPerformance("csv"));
    expect(head?.join()).toBe("subscription,calls,callsFailed,timeouts,failedShare,failed,dropped,p50Ms,p90Ms,p99Ms");
    expect(rows.map((row) => row.slice(0, 2))).toEqual([
      ["'=slow", "16"],
      ["fast", "32"],
      ["bad", "64"],
    ]);
  });
});

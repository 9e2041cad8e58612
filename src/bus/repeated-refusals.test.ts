import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus, type EventLogFields } from "./index.js";
import { RepeatedRefusals } from "./repeated-refusals.js";

const kind = {
  message: "publication refused",
  context: "c",
  principal: "mallory",
  source: undefined,
  code: "forbidden",
};

describe("refusals of one kind", () => {
  test("are told once a minute, the others with their number", () => {
    const refusals = new RepeatedRefusals();
    expect([0, 1, 59_999].map((ms) => refusals.isFirst(kind, ms))).toEqual([true, false, false]);
    expect(refusals.isFirst({ ...kind, code: "rate_limited" }, 5)).toBe(true);
    expect(refusals.take(59_999)).toEqual([]);
    expect(refusals.take(60_000)).toEqual([{ ...kind, repeated: 2 }]);
    expect(refusals.isFirst(kind, 60_001)).toBe(true);
    expect(refusals.take()).toEqual([]);
  });

  test("are counted without who it was when there are too many names", () => {
    const refusals = new RepeatedRefusals();
    const first = Array.from({ length: 5_000 }, (_, n) => refusals.isFirst({ ...kind, principal: `bot-${n}` }, 0));
    expect(first.filter(Boolean)).toHaveLength(1_001);
    expect(refusals.isFirst({ ...kind, principal: "x".repeat(100_000) }, 0)).toBe(false);
    expect(refusals.take()).toEqual([{ ...kind, principal: undefined, repeated: 4_000 }]);
  });
});

test("an intruder who is refused a million times cannot wash the log away", async () => {
  const clock = new VirtualClock();
  const told: [EventLogFields, string][] = [];
  const say = (fields: EventLogFields, message: string): void => void told.push([fields, message]);
  const bus = new EventBus({
    unknownTopics: "allow",
    clock,
    log: { to: { debug: say, info: say, warn: say, error: say } },
    authorizePublish: ({ principal }) => principal === "shop",
  });
  void bus.publish("a", 1, { principal: "shop", id: "evidence" });
  for (let n = 0; n < 20_000; n++)
    expect(() => bus.publish(`t${n}`, n, { principal: "mallory" })).toThrow("not permitted");
  await clock.advance(60_100);
  void bus.publish("a", 2, { principal: "shop" });
  const drained = bus.drain(1_000);
  await clock.advance(100);
  expect(await drained).toBe(true);
  expect(told.map(([, message]) => message)).toEqual([
    "event accepted",
    "publication refused",
    "event accepted",
    "publication refused",
  ]);
  expect(told[0]?.[0]).toMatchObject({ id: "evidence" });
  expect(told[1]?.[0]).toMatchObject({ principal: "mallory", topic: "t0", error: { code: "forbidden" } });
  expect(told[3]?.[0]).toMatchObject({ principal: "mallory", code: "forbidden", repeated: 19_999 });
  expect(bus.statistics()).toMatchObject({ refused: 20_000, log: { written: 4, dropped: 0 } });
});

import { describe, expect, it } from "vitest";
import type { Event } from "../../event/index.js";
import {
  brokenPromises,
  countOutside,
  firstGap,
  lostIds,
  median,
  readyOnce,
  readyTimesMs,
  repeatedIds,
} from "./log-checks.js";

const at = (ms: number): string => `2026-01-01T00:00:00.${String(ms).padStart(3, "0")}000Z`;

/** Only what the checks look at. */
function log(...events: readonly Partial<Record<keyof Event, string | number>>[]): readonly Event[] {
  return events.map((event, index) => ({ position: index + 1, ...event }) as unknown as Event); // a part of an event
}

describe("the demo's checks", () => {
  it("find an intent that is not in the log", () => {
    expect(lostIds(["a", "b"], log({ id: "a" }))).toEqual(["b"]);
    expect(lostIds(["a"], log({ id: "a" }))).toEqual([]);
  });

  it("find an event that is there twice", () => {
    expect(repeatedIds(log({ id: "a" }, { id: "b" }, { id: "a" }))).toEqual(["a"]);
    expect(repeatedIds(log({ id: "a" }, { id: "b" }))).toEqual([]);
  });

  it("find the first missing position, at the beginning too", () => {
    expect(firstGap(log({}, {}, { position: 4 }))).toBe(3);
    expect(firstGap(log({ position: 2 }))).toBe(1);
    expect(firstGap(log({}, {}))).toBeUndefined();
  });

  it("find an acknowledgement that the log contradicts", () => {
    const stored = log({ id: "a", version: 1, hash: "h" });
    const receipt = { id: "a", position: 1, version: 1, hash: "h" } as Parameters<
      typeof brokenPromises
    >[0] extends Iterable<infer R>
      ? R
      : never; // a part
    expect(brokenPromises([receipt], stored)).toEqual([]);
    for (const other of [{ position: 2 }, { version: 2 }, { hash: "x" }, { id: "z" }]) {
      expect(brokenPromises([{ ...receipt, ...other }], stored)).toHaveLength(1);
    }
  });

  it("count a resource as ready only with exactly one ready fact", () => {
    const ready = { type: "organization.ready" };
    const facts = log(
      { ...ready, correlationId: "once" },
      { ...ready, correlationId: "twice" },
      { ...ready, correlationId: "twice" },
    );
    expect([...readyOnce("organization", facts)]).toEqual(["once"]);
  });

  it("measure from the intent to its own ready fact", () => {
    const events = log(
      { type: "organization.create", correlationId: "a", recordedAt: at(0) },
      { type: "organization.create", correlationId: "b", recordedAt: at(10) },
      { type: "organization.ready", correlationId: "b", recordedAt: at(40) },
      { type: "organization.ready", correlationId: "a", recordedAt: at(300) },
      { type: "organization.create", correlationId: "unanswered", recordedAt: at(300) },
    );
    expect(readyTimesMs("organization.create", events)).toEqual([30, 300]);
    expect(median([30, 300, 301])).toBe(300);
    expect(median([])).toBe(0);
  });

  it("find every call to the outside that was not made as promised", () => {
    const betweenUs = Date.UTC(2026, 0, 1) * 1_000 + 100_000;
    const ask = { type: "organization.effect-asked", id: "ask" };
    const result = { type: "organization.effect-succeeded", id: "key", causationId: "ask", recordedAt: at(200) };
    const first = { key: "key", isAccepted: true, atUs: betweenUs - 1 };
    const later = { ...first, atUs: betweenUs + 1 };
    const busy = { ...first, isAccepted: false };
    const broken = (...given: Parameters<typeof countOutside>): readonly string[] => countOutside(...given).broken;

    expect(countOutside(log(ask, result), [busy, first, later], betweenUs)).toEqual({
      asked: 1,
      busy: 1,
      again: 1,
      broken: [],
    });
    expect(broken(log(ask, result), [later], betweenUs)).toEqual([]);
    expect(broken(log(ask), [first], betweenUs)).toEqual(["ask", "key"]);
    expect(broken(log(ask, result, { ...result, id: "other" }), [first], betweenUs)).toEqual(["ask", "other"]);
    expect(broken(log(ask, result), [busy], betweenUs)).toEqual(["key"]);
    expect(broken(log(ask, result), [later, later], betweenUs)).toEqual(["key"]);
    expect(broken(log(ask, result), [first, later, later], betweenUs)).toEqual(["key"]);
    expect(broken(log(ask, result), [first, { ...later, key: "another" }], betweenUs)).toEqual(["another"]);
    expect(broken(log(ask, { ...result, recordedAt: at(50) }), [first, later], betweenUs)).toEqual(["key"]);
  });
});

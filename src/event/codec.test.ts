import { describe, expect, test } from "vitest";
import { formatUs } from "../kernel/index.js";
import { createTestLog, creating, draftIntent } from "../testing/index.js";
import { eventJson, eventLine, proofJson, toEvent } from "./codec.js";
import type { EventRow } from "./event.js";
import { foldEvent } from "./fold.js";
import { mutate } from "./mutate.js";

const log = createTestLog({ nowUs: () => 1_767_225_600_000_001 });

async function rowOf(parts: Partial<EventRow> = {}): Promise<EventRow> {
  const [row] = await log.add(creating(draftIntent({ tenantId: log.tenantId, ...parts })));
  return row!;
}

const full = {
  specText: '{\r\n "name": "Ac\\n\\u00e9me", "n": 1.50 }',
  occurredAt: "2026-01-01T00:00:00.000000Z",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
};

describe("codec", () => {
  test("JSON.stringify of an event, its fast text and its line are the same JSON", async () => {
    for (const row of [await rowOf(), await rowOf(full)]) {
      const wire = JSON.parse(eventJson(row)) as object;
      expect(JSON.parse(JSON.stringify(toEvent(row)))).toEqual(wire);
      expect(JSON.parse(eventLine(row))).toEqual(wire);
      expect(wire).toMatchObject({
        id: row.id,
        position: row.position,
        causationId: null,
        recordedAt: "2026-01-01T00:00:00.000001Z",
      });
    }
  });

  test("the fast text keeps the publisher's bytes, and the line has no line break", async () => {
    const row = await rowOf(full);
    expect(eventJson(row)).toContain(full.specText);
    expect(eventLine(row)).not.toMatch(/[\r\n]/);
  });

  test("absent members are absent and an event has every member of the wire form", async () => {
    const bare = toEvent(await rowOf());
    expect("source" in bare || "decision" in bare || "occurredAt" in bare || "keyRefs" in bare).toBe(false);
    const origin = await rowOf(full);
    const item = mutate.ready(foldEvent(undefined, origin, undefined), formatUs(origin.recordedAtUs))!;
    const [row] = await log.add(item);
    const wire = JSON.parse(eventJson(row!)) as Record<string, unknown>;
    const event = toEvent(row!) as unknown as Record<string, unknown>;
    expect(wire["decision"]).toMatchObject({ component: "runtime" });
    for (const [name, value] of Object.entries(wire)) expect(event[name]).toEqual(value);
  });

  test("a text that is not JSON is event_corrupt, and only for who looks", async () => {
    const row = { ...(await rowOf()), statusText: "{" };
    expect(toEvent(row).spec).toEqual({ name: "Acme" });
    expect(() => toEvent(row).status).toThrow(expect.objectContaining({ code: "event_corrupt" }));
  });

  test("a stamp without its parts is event_corrupt", async () => {
    const row = { ...(await rowOf()), causedByText: "{}" };
    expect(() => toEvent(row).causedBy).toThrow(expect.objectContaining({ code: "event_corrupt" }));
  });

  test("a proof as JSON holds the exact texts that were hashed", async () => {
    const row = await rowOf(full);
    expect(proofJson(row)).toMatchObject({
      eventId: row.id,
      index: 0,
      size: 1,
      path: [],
      texts: { spec: full.specText },
    });
    expect(proofJson(row).digest).toMatch(/^[0-9a-f]{64}$/);
    expect(Buffer.from(proofJson(row).signature, "base64url")).toHaveLength(64);
  });
});

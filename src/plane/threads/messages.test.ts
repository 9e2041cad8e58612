/** What crosses to a thread and back. */
import { expect, test } from "vitest";
import { emptyFold } from "../../event/index.js";
import { newTenantId } from "../../testing/index.js";
import { answerOf, callText } from "./messages.js";

test("a call has all that a controller may see of the origin, and nothing of who asked", () => {
  const origin = {
    id: "0190a000-0000-7000-8000-000000000001",
    type: "organization.create",
    spec: { plan: "free" },
    correlationId: "0190a000-0000-7000-8000-000000000002",
    version: 1,
    recordedAt: "2026-01-01T00:00:00.000000Z",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    causedByText: '{"principal":{"type":"user","id":"alice"}}',
  };
  const stream = { tenantId: newTenantId(), aggregateType: "organization", aggregateId: "acme" };
  const resource = { ...emptyFold(stream), origin };
  const text = callText({ controller: "quota", resource, now: "2026-01-01T00:00:00.000000Z", checkDeterminism: false });
  for (const secret of ["alice", "principal", origin.correlationId, origin.traceparent])
    expect(text).not.toContain(secret);
  const { id, type, spec, version, recordedAt } = origin;
  expect(JSON.parse(text)).toMatchObject({
    controller: "quota",
    now: "2026-01-01T00:00:00.000000Z",
    resource: { ...stream, origin: { id, type, spec, version, recordedAt } },
  });
});

test("an answer of nothing stays nothing", () => {
  expect(answerOf(JSON.stringify({ decisions: undefined, asks: [] }))).toEqual({ asks: [] });
});

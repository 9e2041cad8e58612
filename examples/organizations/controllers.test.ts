/** Controllers are pure functions: they are tested by calling them, without a plane, a database or a clock. */
import type { Decision, JsonObject, ReconcileContext } from "eventplane";
import { describe, expect, it } from "vitest";
import { billing, namespace, quota } from "./eventplane.config.js";

/** What a controller sees of an organization at a moment. */
function seen(parts: {
  readonly plan?: string;
  readonly status?: JsonObject;
  readonly lifecycle?: "live" | "deleting";
  readonly now?: string;
}): ReconcileContext {
  const { plan = "team", status = {}, lifecycle = "live", now = "2026-01-01T00:00:00.000000Z" } = parts;
  const at = "2026-01-01T00:00:00.000000Z";
  const tenantId = "1f0c0b1a-0000-4000-8000-000000000001" as ReconcileContext["resource"]["tenantId"]; // any UUID
  return {
    resource: {
      tenantId,
      aggregateType: "organization",
      aggregateId: "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11",
      version: 1,
      generation: 1,
      lifecycle,
      phase: "Pending",
      spec: { name: "Acme", plan, region: "eu" },
      status,
      finalizers: {},
      conditions: [],
      expected: ["namespace", "quota", "billing"],
      settled: null,
      createdAt: at,
    },
    event: {
      id: "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11",
      type: "organization.create",
      spec: {},
      version: 1,
      recordedAt: at,
    },
    now,
    random: () => 0,
    log: { info: () => undefined, warn: () => undefined },
  };
}

describe("namespace", () => {
  it("is named after the organization's id, in its region", () => {
    expect(namespace.reconcile(seen({}))).toEqual({
      outcome: "completed",
      status: { name: "org-0190c7c2-8c1e", region: "eu" },
    });
  });
});

describe("quota", () => {
  it.each([
    ["free", 3],
    ["team", 25],
    ["enterprise", 1_000],
  ])("of plan %s is %i members", (plan, members) => {
    expect(quota.reconcile(seen({ plan }))).toEqual({ outcome: "completed", status: { members } });
  });
});

describe("billing", () => {
  const requested = { billing: { account: "requested", plan: "team", requestedAt: "2026-01-01T00:00:00.000000Z" } };

  it("asks for an account and looks again 200 ms later", () => {
    expect(billing.reconcile(seen({}))).toEqual({
      outcome: "progressing",
      status: requested.billing,
      requeueAfterMs: 200,
    } satisfies Decision);
  });

  it("waits the rest when it is woken early", () => {
    const decision = billing.reconcile(seen({ status: requested, now: "2026-01-01T00:00:00.050000Z" }));
    expect(decision).toEqual({ outcome: "progressing", requeueAfterMs: 150 });
  });

  it("is done when the time is over, and asks again for another plan", () => {
    const later = "2026-01-01T00:00:00.200000Z";
    expect(billing.reconcile(seen({ status: requested, now: later }))).toMatchObject({
      outcome: "completed",
      status: { account: "open" },
    });
    expect(billing.reconcile(seen({ status: requested, now: later, plan: "free" }))).toMatchObject({
      outcome: "progressing",
      status: { account: "requested", plan: "free" },
    });
  });

  it("closes the account when the organization is deleted", () => {
    expect(billing.reconcile(seen({ status: requested, lifecycle: "deleting" }))).toMatchObject({
      outcome: "completed",
      status: { account: "closed" },
    });
  });
});

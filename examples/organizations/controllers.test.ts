/** Controllers are pure functions: they are tested by calling them, without a plane, a database or a clock. */
import { type Decision, type EffectOutcome, type JsonObject, type ReconcileContext, TryAgainError } from "eventplane";
import { describe, expect, it } from "vitest";
import { billing, billingCustomer, namespace, quota } from "./eventplane.config.js";

/** What a controller sees of an organization at a moment. */
function seen(parts: {
  readonly plan?: string;
  readonly status?: JsonObject;
  readonly lifecycle?: "live" | "deleting";
  readonly customer?: EffectOutcome<unknown>;
}): ReconcileContext {
  const { plan = "team", status = {}, lifecycle = "live", customer = { pending: true } } = parts;
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
    // What is known of the worker's effect is an argument like everything else.
    effects: { get: () => customer as EffectOutcome<never> },
    now: at,
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
  it("waits for the billing service", () => {
    expect(billing.reconcile(seen({}))).toEqual({ outcome: "progressing" } satisfies Decision);
  });

  it("is done with the customer that the service made", () => {
    const customer = { ok: { customerId: "cus_1" } };
    expect(billing.reconcile(seen({ customer, plan: "free" }))).toEqual({
      outcome: "completed",
      status: { account: "open", plan: "free", customerId: "cus_1" },
    });
  });

  it("says why it is blocked when the service refused", () => {
    const customer = { failed: { code: "status_400", message: "The billing service refused" } };
    expect(billing.reconcile(seen({ customer }))).toMatchObject({
      outcome: "progressing",
      conditions: [{ type: "Blocked", reason: "BillingRefused", message: "The billing service refused" }],
    });
  });

  it("asks the service nothing more when the organization is deleted", () => {
    expect(billing.reconcile(seen({ lifecycle: "deleting" }))).toMatchObject({
      outcome: "completed",
      status: { account: "closed" },
    });
  });
});

describe("the worker billing-customer", () => {
  it("gets one customer for one idempotency key, however often it calls, and says when the service is busy", async () => {
    const calls = Array.from({ length: 40 }, (_, n) => `0190c7c2-8c1e-5c0e-9d4b-${String(n).padStart(12, "0")}`);
    const call = async (idempotencyKey: string): Promise<string> => {
      const input = { organization: "acme", plan: "team" };
      const { signal } = new AbortController();
      const again = (error: unknown): Promise<string> =>
        error instanceof TryAgainError ? call(idempotencyKey) : Promise.reject(error);
      return Promise.resolve(billingCustomer.definition.run({ input, idempotencyKey, signal })).then(
        JSON.stringify,
        again,
      );
    };
    const first = await Promise.all(calls.map(call));
    expect(new Set(first).size).toBe(calls.length);
    expect(await Promise.all(calls.map(call))).toEqual(first);
  });
});

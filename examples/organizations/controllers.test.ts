/** Controllers are pure functions: they are tested by given, when and then, without a plane, a database or a clock. */
import { blocked, done, pending, TryAgainError } from "eventplane";
import { type Given, given } from "eventplane/testing";
import { describe, expect, it } from "vitest";
import { billing, billingCustomer, namespace, organization, quota } from "./eventplane.config.js";

describe("namespace", () => {
  it("is named after the organization's id, in its region", () => {
    const aggregateId = "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11";
    given(organization, { region: "eu" }, { aggregateId })
      .when(namespace)
      .then(done({ name: "org-0190c7c2-8c1e", region: "eu" }));
  });
});

describe("quota", () => {
  it.each([
    ["free", 3],
    ["team", 25],
    ["enterprise", 1_000],
  ] as const)("of plan %s is %i members", (plan, members) => {
    given(organization, { plan }).when(quota).then(done({ members }));
  });
});

describe("billing", () => {
  const givenAcme = (): Given<typeof organization> => given(organization, { plan: "team" }, { aggregateId: "acme" });
  const asked = { organization: "acme", plan: "team" } as const;

  it("asks the billing service for a customer, and waits", () => {
    givenAcme().when(billing).asks(billingCustomer, asked).then(pending());
    givenAcme().withEffect(billingCustomer, asked, { pending: true }).when(billing).then(pending());
  });

  it("is done with the customer that the service made", () => {
    givenAcme()
      .withEffect(billingCustomer, asked, { ok: { customerId: "cus_1" } })
      .when(billing)
      .then(done({ account: "open", plan: "team", customerId: "cus_1" }));
  });

  it("says why it is blocked when the service refused", () => {
    givenAcme()
      .withEffect(billingCustomer, asked, { failed: { code: "status_400", message: "The billing service refused" } })
      .when(billing)
      .then(blocked("BillingRefused", "The billing service refused"));
  });

  it("asks the service nothing more when the organization is deleted", () => {
    given(organization, { plan: "team" }, { intent: organization.delete("acme") })
      .when(billing)
      .then(done({ account: "closed", plan: "team" }));
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

/**
 * Customers of a platform: what each should have (a plan in a region) and three controllers that make it so.
 *
 * - `namespace` decides the name of the customer's namespace.
 * - `quota` decides the limits of the plan.
 * - `billing` puts the customer on its plan at a billing service: it asks the worker `billing-customer`, which calls.
 *
 * The projection `organizations_by_plan` answers how many customers each plan has, and who moved from which plan to which.
 */
import {
  blocked,
  counter,
  defineAggregate,
  defineApp,
  defineController,
  defineProjection,
  defineWorker,
  documents,
  done,
  groupBy,
  pending,
  TerminalError,
  TryAgainError,
} from "eventplane";
import { Type } from "typebox";
import { billingService } from "./billing-service.js";

const Plan = Type.Union([Type.Literal("free"), Type.Literal("team"), Type.Literal("enterprise")]);

export const organization = defineAggregate("organization", {
  spec: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 80 }),
    plan: Plan,
    region: Type.Union([Type.Literal("eu"), Type.Literal("us")]),
  }),
  status: {
    namespace: Type.Object({ name: Type.String(), region: Type.String() }),
    quota: Type.Object({ members: Type.Integer() }),
    billing: Type.Object({
      account: Type.Union([Type.Literal("open"), Type.Literal("closed")]),
      customerId: Type.Optional(Type.String()),
      plan: Type.String(),
    }),
  },
  intents: {
    create: { creates: true },
    "change-plan": { schema: Type.Object({ plan: Plan }) },
    delete: { deletes: true },
  },
});

export const namespace = defineController({
  name: "namespace",
  watches: organization,
  reconcile: ({ resource }) => done({ name: `org-${resource.aggregateId.slice(0, 13)}`, region: resource.spec.region }),
});

/** Members that each plan may invite. */
const members = { free: 3, team: 25, enterprise: 1_000 } as const;

export const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: members[resource.spec.plan] }),
});

/** Calls the billing service; it takes about 200 ms and is busy at times. */
export const billingCustomer = defineWorker({
  name: "billing-customer",
  input: Type.Object({ organization: Type.String(), plan: Plan }),
  output: Type.Object({ customerId: Type.String() }),
  timeoutMs: 5_000,
  retry: { baseMs: 100 },
  concurrency: 64,
  async run({ input, idempotencyKey, signal }) {
    const response = await fetch(`${process.env["BILLING_URL"] ?? (await billingService())}/customers`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify(input),
      signal,
    });
    if (response.status === 503) throw new TryAgainError("The billing service is busy");
    if (!response.ok) throw new TerminalError("The billing service refused", { reason: `status_${response.status}` });
    return (await response.json()) as { customerId: string };
  },
});

export const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile({ resource, effects }) {
    const { plan } = resource.spec;
    if (resource.lifecycle === "deleting") return done({ account: "closed", plan });
    const customer = effects.get(billingCustomer, { organization: resource.aggregateId, plan });
    if (customer.failed) return blocked("BillingRefused", customer.failed.message);
    return customer.ok ? done({ account: "open", plan, customerId: customer.ok.customerId }) : pending();
  },
});

/** Plans with their organizations; a platform's operators may add them up over all tenants. */
export const organizationsByPlan = defineProjection({
  name: "organizations_by_plan",
  from: [organization],
  tables: {
    plans: groupBy({ by: ["plan"], acrossTenants: true }),
    moves: counter({ acrossTenants: true }),
    organizations: documents(Type.Object({ name: Type.String(), plan: Plan, region: Type.String() })),
  },
  apply: {
    "organization.create": ({ aggregateId, spec }, { plans, organizations }) => {
      plans.put(aggregateId, { plan: spec.plan });
      organizations.set(aggregateId, spec);
    },
    "organization.change-plan": ({ aggregateId, spec: { plan } }, { plans, moves, organizations }) => {
      moves.add(`${organizations.get(aggregateId)?.plan} to ${plan}`);
      plans.put(aggregateId, { plan });
      organizations.merge(aggregateId, { plan });
    },
    "organization.deleted": ({ aggregateId }, { plans, organizations }) => {
      plans.remove(aggregateId);
      organizations.delete(aggregateId);
    },
  },
});

export default defineApp({
  aggregates: [organization],
  controllers: [namespace, quota, billing],
  workers: [billingCustomer],
  projections: [organizationsByPlan],
});

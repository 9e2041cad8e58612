/**
 * Customers of a platform: what each should have (a plan in a region) and three controllers that make it so.
 *
 * - `namespace` decides the name of the customer's namespace.
 * - `quota` decides the limits of the plan.
 * - `billing` opens an account: it asks once and looks again 200 ms later.
 */
import { defineAggregate, defineApp, defineController, done, pending } from "eventplane";
import { Type } from "typebox";

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
      account: Type.Union([Type.Literal("requested"), Type.Literal("open"), Type.Literal("closed")]),
      plan: Type.String(),
      requestedAt: Type.String(),
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

const billingTakesMs = 200;

export const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile({ resource, now }) {
    const { plan } = resource.spec;
    const known = resource.status.billing;
    if (resource.lifecycle === "deleting") return done({ account: "closed", plan, requestedAt: now });
    if (known?.plan !== plan) {
      return pending({ status: { account: "requested", plan, requestedAt: now }, requeueAfterMs: billingTakesMs });
    }
    const waitedMs = Date.parse(now) - Date.parse(known.requestedAt);
    if (waitedMs < billingTakesMs) return pending({ requeueAfterMs: billingTakesMs - waitedMs });
    return done({ account: "open", plan, requestedAt: known.requestedAt });
  },
});

export default defineApp({ aggregates: [organization], controllers: [namespace, quota, billing] });

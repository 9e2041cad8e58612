/** Three plain controllers: each decides at once. */
import { defineAggregate, defineApp, defineController, done } from "eventplane";
import { Type } from "typebox";

const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String(), plan: Type.String() }),
  status: {
    namespace: Type.Object({ name: Type.String() }),
    quota: Type.Object({ members: Type.Integer() }),
    billing: Type.Object({ plan: Type.String() }),
  },
  intents: { create: { creates: true }, "change-plan": { schema: Type.Object({ plan: Type.String() }) } },
});

const namespace = defineController({
  name: "namespace",
  watches: organization,
  reconcile: ({ resource }) => done({ name: `org-${resource.aggregateId}` }),
});
const quota = defineController({ name: "quota", watches: organization, reconcile: () => done({ members: 25 }) });
const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile: ({ resource }) => done({ plan: resource.spec.plan }),
});

export default defineApp({ aggregates: [organization], controllers: [namespace, quota, billing] });

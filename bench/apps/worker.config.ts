/** Three controllers, of which one asks one worker: the worker answers at once, so that only the plane's part is measured. */
import { defineAggregate, defineApp, defineController, defineWorker, done, pending } from "eventplane";
import { Type } from "typebox";

const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String(), plan: Type.String() }),
  status: {
    namespace: Type.Object({ name: Type.String() }),
    quota: Type.Object({ members: Type.Integer() }),
    billing: Type.Object({ customerId: Type.String() }),
  },
  intents: { create: { creates: true } },
});

const customer = defineWorker({
  name: "customer",
  input: Type.Object({ organization: Type.String() }),
  output: Type.Object({ id: Type.String() }),
  concurrency: 64,
  run: ({ input, idempotencyKey }) => ({ id: `${input.organization}-${idempotencyKey.slice(0, 8)}` }),
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
  reconcile({ resource, effects }) {
    const { ok } = effects.get(customer, { organization: resource.aggregateId });
    return ok ? done({ customerId: ok.id }) : pending();
  },
});

export default defineApp({
  aggregates: [organization],
  controllers: [namespace, quota, billing],
  workers: [customer],
});

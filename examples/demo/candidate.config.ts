/** The demo's app with one limit changed, as somebody is about to deploy it: `evtctl controllers verify` is asked about it first. */
import { defineApp, defineController, done } from "eventplane";
import { activity, repository } from "../github/eventplane.config.js";
import { billing, billingCustomer, namespace, organization } from "../organizations/eventplane.config.js";

/** A team may invite 30 members instead of 25. */
const members = { free: 3, team: 30, enterprise: 1_000 } as const;

const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: members[resource.spec.plan] }),
});

export default defineApp({
  aggregates: [organization, repository],
  controllers: [namespace, quota, billing, activity],
  workers: [billingCustomer],
});

/** Both examples in one plane: what `evtctl demo` runs. */
import { defineApp } from "eventplane";
import { activity, repository, repositoryActivity } from "../github/eventplane.config.js";
import {
  billing,
  billingCustomer,
  namespace,
  organization,
  organizationsByPlan,
  quota,
} from "../organizations/eventplane.config.js";

export default defineApp({
  aggregates: [organization, repository],
  controllers: [namespace, quota, billing, activity],
  workers: [billingCustomer],
  projections: [organizationsByPlan, repositoryActivity],
});

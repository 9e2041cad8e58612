/** The projection in a whole plane in memory, and what makes it fit for a rebuild. */
import { checkProjection, testPlane } from "eventplane/testing";
import { expect, it } from "vitest";
import app, { organization, organizationsByPlan } from "./eventplane.config.js";

it("counts the organizations of each plan, and who moved, when a change is in it", async () => {
  const plane = await testPlane(app, { workers: { "billing-customer": () => ({ customerId: "cus_1" }) } });
  const me = plane.as({ tenant: "acme", principal: { id: "user-7" } });
  const spec = { name: "Acme", plan: "free", region: "eu" } as const;
  const made = await plane.publish(organization.create(spec));
  await plane.publish(organization.create({ ...spec, name: "Acme 2" }));
  await plane.publish(organization.changePlan(made.aggregateId, { plan: "team" }));
  await plane.settle();
  const { rows } = await me.query(organizationsByPlan, { table: "plans" });
  expect(rows.map(({ group, count }) => [group.plan, count])).toEqual([
    ["free", 1],
    ["team", 1],
  ]);
  expect((await me.query(organizationsByPlan, { table: "moves" })).rows).toEqual([{ key: "free to team", value: 1 }]);
  await plane.publish(organization.delete(made.aggregateId));
  await plane.settle();
  expect((await me.query(organizationsByPlan, { table: "plans", where: { plan: "team" } })).rows).toEqual([]);
});

it("is pure: the same events give the same state, however they come", async () => {
  const events = ["free", "team"].flatMap((plan, n) => [
    { type: "organization.create", aggregateId: `o-${n}`, spec: { name: "Acme", plan, region: "eu" } },
    { type: "organization.change-plan", aggregateId: `o-${n}`, spec: { plan: "enterprise" } },
  ]);
  await expect(checkProjection(organizationsByPlan, events)).resolves.toMatch(/^[0-9a-f]{64}$/);
});

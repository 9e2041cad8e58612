/** Projections in a test plane: as in one that serves, with an apply that is checked. */
import { expect, test } from "vitest";
import { defineAggregate, defineApp } from "../controller/index.js";
import { counter, defineProjection, groupBy } from "../projection/index.js";
import { testPlane } from "./index.js";

const text = { type: "string" } as const;
const spec = { type: "object", properties: { name: text, plan: text }, required: ["name", "plan"] } as const;
const organization = defineAggregate("organization", { spec, intents: { create: { creates: true } } });

const byPlan = defineProjection({
  name: "by_plan",
  from: [organization],
  tables: { plans: groupBy({ by: ["plan"], acrossTenants: true }) },
  apply: { "organization.create": (event, { plans }) => plans.put(event.aggregateId, { plan: event.spec.plan }) },
});

test("a question is answered when the plane has settled, of each tenant alone, also after its process was killed", async () => {
  const app = defineApp({ aggregates: [organization], projections: [byPlan] });
  const plane = await testPlane(app, { tenants: ["acme", "rival"] });
  await plane.publish(organization.create({ name: "Acme", plan: "team" }));
  await plane.settle();
  plane.kill();
  await plane.publish(organization.create({ name: "Acme 2", plan: "team" }));
  await plane.settle();
  const ask = async (tenant: string): Promise<unknown> =>
    (await plane.as({ tenant, principal: { id: "test" } }).query(byPlan, { table: "plans", where: { plan: "team" } }))
      .rows;
  expect(await ask("acme")).toEqual([{ group: { plan: "team" }, count: 2, sums: {} }]);
  expect(await ask("rival")).toEqual([]);
});

test("a table across tenants adds up what each tenant is told", async () => {
  const app = defineApp({ aggregates: [organization], projections: [byPlan] });
  const plane = await testPlane(app, { tenants: ["acme", "rival"] });
  for (const tenant of ["acme", "rival", "rival"])
    await plane.publish(organization.create({ name: tenant, plan: "team" }), { tenant });
  await plane.settle();
  const { rows } = await plane.acrossTenants(byPlan, { table: "plans", where: { plan: "team" } });
  expect(rows).toEqual([{ group: { plan: "team" }, count: 3, sums: {}, tenants: 2 }]);
  expect(rows[0]?.group.plan).toBe("team");
});

test("an apply that reads a clock stops its projection, and the log says so", async () => {
  const impure = defineProjection({
    name: "impure",
    tables: { days: counter() },
    apply: { "organization.create": (_event, { days }) => days.add(new Date().toISOString()) },
  });
  const app = defineApp({ aggregates: [organization], projections: [impure] });
  const plane = await testPlane(app);
  await plane.publish(organization.create({ name: "Acme", plan: "team" }));
  await plane.settle();
  expect(JSON.stringify(plane.logged)).toContain("projection_impure");
});

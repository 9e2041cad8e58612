/** Controllers that look at other resources, on two planes and PostgreSQL: no change of what they looked at is missed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TypedAggregate } from "../src/event/index.js";
import type { JsonObject } from "../src/kernel/index.js";
import { createTestApp, type TestReconcile, testDone } from "../src/testing/index.js";
import { PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const definition = createTestApp({}, [], {}).aggregates.get("project");
if (definition === undefined) throw new Error("the app has projects");
const project: TypedAggregate<JsonObject, JsonObject> = { definition };

/** Says what the project of its name is called, and how often the organization was changed. */
const projects: TestReconcile = ({ resource, lookup }) => {
  const found = lookup(project, resource.aggregateId);
  if (found === undefined) return { outcome: "progressing" };
  return testDone({ name: found.spec.name ?? null, generation: resource.generation });
};

const organizations = 12;
const renames = 15;

let plane: PlaneFixture;
let acme: PlaneTenant;
const names = Array.from({ length: organizations }, (_, at) => `org-${at}`);

beforeAll(async () => {
  plane = await PlaneFixture.open(
    { projects, quota: () => testDone() },
    { projects: { naming: ({ resource }) => testDone({ label: resource.spec.name ?? null }) } },
  );
  acme = await plane.tenant("acme");
  await plane.start();
});
afterAll(() => plane.close());

async function publish(type: string, aggregateId: string, spec: JsonObject): Promise<void> {
  await acme.client.publish({ type, aggregateId, spec });
}

/** What is said of each project, once nothing is to be done. */
async function said(): Promise<readonly unknown[]> {
  await plane.idle(acme.id);
  const head = (await plane.log(acme.id)).length;
  const found: unknown[] = [];
  for (const name of names) {
    const { status } = await acme.client.resource("organization", name, { minPosition: head });
    found.push(status["projects"]);
  }
  return found;
}

test("whatever order things happen in, every organization ends with the last name of its project", async () => {
  await Promise.all(
    names.map(async (name, at) => {
      const [first, second] =
        at % 2 === 0 ? ["organization.create", "project.create"] : ["project.create", "organization.create"];
      await publish(first, name, {});
      await publish(second, name, { name: "0" });
      for (let n = 1; n <= renames; n++) {
        await publish("project.rename", name, { name: String(n) });
        if (n % 5 === 0) await publish("organization.change-plan", name, { plan: String(n) });
      }
    }),
  );
  expect(await said()).toEqual(names.map(() => ({ name: String(renames), generation: 1 + renames / 5 })));
  const verifier = await plane.verifier();
  const rows = await plane.log(acme.id);
  for (const row of rows) verifier.verify(row);
  const decisions = rows.filter(({ decision }) => decision?.component === "projects");
  expect(decisions.every(({ decision }) => Object.keys(decision?.lookups ?? {}).length === 1)).toBe(true);
  expect(rows.filter(({ type }) => type === "organization.ready").length).toBeGreaterThanOrEqual(organizations);
}, 60_000);

test("a change is followed within a moment, and nobody is woken by what was not looked at", async () => {
  const before = (await plane.log(acme.id)).length;
  await publish("project.create", "nobody-looks", { name: "x" });
  await publish("project.rename", "org-0", { name: "followed" });
  await until("the organization to follow", async () => {
    const { status } = await acme.client.resource("organization", "org-0");
    return JSON.stringify(status["projects"]).includes("followed") ? true : undefined;
  });
  await plane.idle(acme.id);
  const types = (await plane.log(acme.id)).slice(before).map(({ type, aggregateId }) => `${aggregateId} ${type}`);
  expect(types.filter((type) => type.includes(" organization."))).toEqual(["org-0 organization.change-plan.projects"]);
});

test("the check turns red where what was looked at wakes nobody", async () => {
  await plane.installation.asSuperuser("alter table eventplane.cursors disable trigger lookups_fire");
  await publish("project.rename", "org-1", { name: "missed" });
  expect((await said())[1]).toMatchObject({ name: String(renames) });
  await plane.installation.asSuperuser("alter table eventplane.cursors enable trigger lookups_fire");
  await publish("project.rename", "org-1", { name: "seen" });
  expect((await said())[1]).toMatchObject({ name: "seen" });
});

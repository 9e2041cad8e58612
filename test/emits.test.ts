/** What controllers emit to other resources, on whole planes: HTTP in front, PostgreSQL behind (P7, attack 2). */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventRow, Resource } from "../src/event/index.js";
import { appendOf, creating, draftEmitted, signAppend, type TestReconcile, testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

/** Makes a project for the organization, and deletes it with it; it is done when nothing is left to say. */
const projects: TestReconcile = ({ resource }) => {
  if (resource.aggregateId.startsWith("attack")) return testDone();
  const emit =
    resource.lifecycle === "deleting"
      ? { type: "project.delete" }
      : { type: "project.create", spec: { name: resource.aggregateId } };
  return { outcome: "completed", emit: [emit, { type: "organization.projects-counted", spec: { projects: 1 } }] };
};

let plane: PlaneFixture;
let acme: PlaneTenant;
let victim: PlaneTenant;

beforeAll(async () => {
  const attack: TestReconcile = ({ resource }) => {
    if (!resource.aggregateId.startsWith("attack")) return testDone();
    const named = { type: "project.create", spec: { tenantId: victim.id } };
    const by = {
      "attack-member": { tenantId: victim.id },
      "attack-slug": { tenant: "victim" },
      "attack-id": { aggregateId: `${victim.id}/web` },
    };
    return { outcome: "completed", emit: { ...named, ...by[resource.aggregateId as keyof typeof by] } };
  };
  plane = await PlaneFixture.open(
    { projects, quota: () => testDone({ members: 3 }), attack },
    { projects: { naming: ({ resource }) => testDone({ label: resource.spec.name ?? null }) } },
  );
  acme = await plane.tenant("acme");
  victim = await plane.tenant("victim");
});
afterAll(() => plane.close());

function project(tenant: PlaneTenant, id: string, phase: Resource["phase"]): Promise<unknown> {
  return until(`project ${id} to be ${phase}`, async () => {
    const found = await tenant.client.resource("project", id).catch(() => undefined);
    return found?.phase === phase ? found : undefined;
  });
}

const types = (rows: readonly EventRow[]): readonly string[] => rows.map(({ type }) => type);

test("P7: an emitted intent is of the append of its decision, inherits who and why, and verifies like every event", async () => {
  const intent = await create(acme, "one");
  await inPhase(acme, "one", "Ready");
  await project(acme, "one", "Ready");
  const rows = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "one");
  const decided = rows.find(({ type }) => type === "organization.create.projects");
  const emitted = rows.filter(({ decision }) => decision?.component === "emit:projects");
  expect(emitted.map(({ type, kind }) => `${kind} ${type}`).toSorted()).toEqual([
    "fact organization.projects-counted",
    "intent project.create",
  ]);
  expect(decided?.decision?.emits?.toSorted()).toEqual(emitted.map(({ id }) => id).toSorted());
  for (const row of emitted) expect(row.recordedAtUs).toBe(decided?.recordedAtUs);
  const verifier = await plane.verifier();
  for (const row of rows) {
    verifier.verify(row);
    expect(row.correlationId).toBe(intent.correlationId);
    expect(row.causedByText).toBe(rows[0]?.causedByText);
  }
  expect(types(rows).filter((type) => type.startsWith("project."))).toEqual([
    "project.create",
    "project.create.naming",
    "project.ready",
  ]);
});

test("a deletion is passed on to what was emitted", async () => {
  await create(acme, "short");
  await project(acme, "short", "Ready");
  await acme.client.publish({ type: "organization.delete", aggregateId: "short", spec: {} });
  await inPhase(acme, "short", "Deleted");
  await project(acme, "short", "Deleted");
  const rows = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "short");
  expect(types(rows).filter((type) => type === "project.delete")).toHaveLength(1);
});

test("attack 2: a controller that handles one tenant's event cannot emit to another", async () => {
  await create(victim, "own");
  await project(victim, "own", "Ready");
  await plane.idle(victim.id);
  const before = await plane.log(victim.id);
  const attacks = ["attack-member", "attack-slug", "attack-id"];
  for (const name of attacks) await create(acme, name);
  const { admin } = plane.client("acme", plane.adminKey);
  const letters = await until("the attacks to be given up", async () => {
    const found = await admin.deadLetters({ tenant: "acme" });
    return found.length === attacks.length ? found : undefined;
  });
  expect(new Set(letters.map(({ failure }) => failure.code))).toEqual(new Set(["decision_invalid"]));
  const own = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId.startsWith("attack"));
  expect(types(own).filter((type) => type === "project.create")).toEqual([]);
  expect(types(own).filter((type) => type === "organization.dead-lettered")).toHaveLength(attacks.length);
  expect((await plane.log(victim.id)).map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
});

test("an intent of a stolen runtime key whose id does not follow from a decision makes nothing", async () => {
  const [origin] = await plane.log(acme.id);
  if (origin === undefined) throw new Error("there is an event");
  const finalizersText = '{"naming":{"completed":false,"observedGeneration":0}}';
  const forged = draftEmitted(origin, { aggregateId: "forged", finalizersText });
  const append = signAppend(plane.signer("runtime"), appendOf(creating(forged)));
  expect(await plane.installation.runtime.append([append])).toMatchObject([{ result: "appended" }]);
  const { admin } = plane.client("acme", plane.adminKey);
  const letter = await until("its controllers to stop", async () =>
    (await admin.deadLetters({ tenant: "acme" })).find(({ aggregateId }) => aggregateId === "forged"),
  );
  expect(letter).toMatchObject({ component: "naming", failure: { code: "verification_failed" } });
  expect(types((await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "forged"))).toEqual([
    "project.create",
  ]);
});

test("P7: delivering the whole log again emits nothing a second time", async () => {
  const fresh = await plane.tenant("fresh");
  for (let n = 0; n < 10; n++) await create(fresh, `org-${n}`);
  for (let n = 0; n < 10; n++) await project(fresh, `org-${n}`, "Ready");
  await plane.idle(fresh.id);
  const before = await plane.log(fresh.id);
  expect(types(before).filter((type) => type === "project.create")).toHaveLength(10);
  await plane.stop();
  await plane.installation.asSuperuser("delete from eventplane.work where tenant_id = $1", [fresh.id]);
  await plane.installation.asSuperuser("delete from eventplane.cursors where consumer = 'work' and tenant_id = $1", [
    fresh.id,
  ]);
  await plane.start();
  await plane.idle(fresh.id);
  expect((await plane.log(fresh.id)).map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
});

/** Controllers that come and go over living resources, on whole planes: nothing is stuck silently. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AdminClient, type ControllerInfo, createClient, type ResourceView } from "../src/client/index.js";
import type { AppDefinition } from "../src/event/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { createTestApp, type TestReconcile, testDone } from "../src/testing/index.js";
import { PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const quota: TestReconcile = () => testDone({ members: 3 });
const extra: TestReconcile = () => testDone({ seen: true });
const stubborn: TestReconcile = ({ resource }) =>
  resource.aggregateId.startsWith("blocked")
    ? {
        outcome: "progressing",
        conditions: [{ type: "Blocked", status: "True", reason: "Waiting", message: "Waits." }],
      }
    : testDone();
const before = createTestApp({ quota });
const after = createTestApp({ quota, extra });

const organizations = 200;
let plane: PlaneFixture;
let acme: PlaneTenant;
let admin: AdminClient;

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota });
  acme = await plane.tenant("acme");
  await publishAll("organization.create", named("org", organizations));
  await allIn("Ready", named("org", organizations));
}, 120_000);
afterAll(() => plane.close());

const named = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}-${at}`);

/** The only process runs this app from now on. */
async function redeploy(app: AppDefinition): Promise<void> {
  await plane.stop();
  await plane.start(app);
  acme = { ...acme, client: plane.client("acme", acme.key) };
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
}

async function publishAll(type: string, names: readonly string[], client = acme.client): Promise<void> {
  const results = await client.publishMany(names.map((aggregateId) => ({ type, aggregateId, spec: {} })));
  expect(results.filter(({ result }) => result !== "created")).toEqual([]);
}

async function resources(): Promise<readonly ResourceView[]> {
  const minPosition = (await plane.log(acme.id)).length;
  await acme.client.resource("organization", "org-0", { minPosition });
  const found: ResourceView[] = [];
  for await (const resource of acme.client.resources("organization", { limit: 500 })) found.push(resource);
  return found;
}

function allIn(phase: string, names: readonly string[]): Promise<unknown> {
  const wanted = new Set(names);
  return until(`${names.length} organizations to be ${phase}`, async () => {
    const found = (await resources()).filter(({ aggregateId }) => wanted.has(aggregateId));
    return found.length === names.length && found.every((resource) => resource.phase === phase) ? true : undefined;
  });
}

async function listed(name: string): Promise<ControllerInfo | undefined> {
  return (await admin.controllers.list({ tenant: "acme" })).find((controller) => controller.name === name);
}

describe("one more controller", () => {
  test("runs for nothing that is there by itself: what is Ready stays Ready, and a change of a resource brings it in", async () => {
    await redeploy(after);
    await plane.idle(acme.id);
    expect((await resources()).filter(({ phase, status }) => phase !== "Ready" || "extra" in status)).toEqual([]);
    await publishAll("organization.change-plan", ["org-0"]);
    await allIn("Ready", ["org-0"]);
    expect(await acme.client.resource("organization", "org-0")).toMatchObject({
      waitsFor: ["quota", "extra"],
      status: { extra: { seen: true } },
    });
    expect(await listed("extra")).toMatchObject({ watches: "organization", inConfiguration: true, waiting: 0 });
  });

  test("looks at all of them once it is backfilled, with the request in the platform's log, and readiness stays as it is", async () => {
    const meant = { controller: "extra", change: "backfill", tenantId: acme.id, resources: organizations };
    expect(await admin.controllers.backfill("extra", { tenant: "acme", dryRun: true })).toEqual({
      ...meant,
      dryRun: true,
    });
    await plane.idle(acme.id);
    expect((await resources()).filter(({ status }) => "extra" in status)).toHaveLength(1);
    for (let time = 0; time < 2; time++)
      expect(await admin.controllers.backfill("extra", { tenant: "acme" })).toMatchObject(meant);
    await until("all to be looked at", async () =>
      (await resources()).every(({ status }) => "extra" in status) ? true : undefined,
    );
    await plane.idle(acme.id);
    const rows = await plane.log(acme.id);
    expect(rows.filter(({ type }) => type === "organization.create.extra")).toHaveLength(organizations - 1);
    expect(rows.filter(({ type }) => type === "organization.ready")).toHaveLength(organizations + 1);
    expect((await resources()).every(({ phase }) => phase === "Ready")).toBe(true);
    const requests = (await plane.log(PLATFORM_TENANT_ID)).filter(
      ({ type }) => type === "controller.backfill-requested",
    );
    expect(requests.map(({ aggregateId, specText }) => [aggregateId, JSON.parse(specText)])).toEqual(
      Array.from({ length: 2 }, () => ["extra", { tenantId: acme.id, aggregateType: "organization" }]),
    );
  }, 60_000);

  test("taken out again leaves deletions that finish", async () => {
    await redeploy(before);
    const gone = named("org", organizations).slice(0, 50);
    await publishAll("organization.delete", gone);
    await allIn("Deleted", gone);
    expect((await resources()).filter(({ phase }) => phase === "Ready")).toHaveLength(organizations - gone.length);
  }, 60_000);
});

describe("a controller that is gone while resources wait for it", () => {
  const waiting = [...named("blocked", 12)];

  test("is shown with what waits for it, and retiring it ends the waiting", async () => {
    await redeploy(createTestApp({ quota, stubborn }));
    await publishAll("organization.create", waiting);
    await plane.idle(acme.id);
    await publishAll("organization.delete", waiting.slice(0, 3));
    await plane.idle(acme.id);
    await expect(admin.controllers.retire("stubborn", { tenant: "acme" })).rejects.toMatchObject({
      code: "request_invalid",
    });
    await redeploy(before);
    await publishAll("organization.change-plan", ["org-100"]);
    await allIn("Ready", ["org-100"]);
    expect(await acme.client.resource("organization", "blocked-5")).toMatchObject({
      phase: "Progressing",
      waitsFor: ["quota", "stubborn"],
      conditions: expect.arrayContaining([expect.objectContaining({ component: "stubborn", type: "Blocked" })]),
    });
    const dry = await admin.controllers.retire("stubborn", { tenant: "acme", dryRun: true });
    expect(dry).toMatchObject({ resources: waiting.length, dryRun: true });
    await admin.controllers.retire("stubborn", { tenant: "acme", reason: "Replaced by quota." });
    await allIn("Ready", waiting.slice(3));
    await allIn("Deleted", waiting.slice(0, 3));
    expect(await listed("stubborn")).toBeUndefined();
    expect(await admin.controllers.retire("stubborn", { tenant: "acme", dryRun: true })).toMatchObject({
      resources: 0,
    });
    const rows = (await plane.log(acme.id)).filter(({ aggregateId }) => aggregateId === "blocked-5");
    const retired = rows.find(({ type }) => type === "organization.controller-retired");
    expect(JSON.parse(retired?.specText ?? "{}")).toMatchObject({
      controller: "stubborn",
      reason: "Replaced by quota.",
    });
    expect(rows.filter(({ type }) => type === "organization.ready")).toHaveLength(1);
    expect((await acme.client.resource("organization", "blocked-5")).conditions.map(({ type }) => type)).toEqual([
      "Ready",
    ]);
    const verifier = await plane.verifier();
    for (const row of rows) verifier.verify(row);
  }, 60_000);

  test("with a dead letter leaves none behind", async () => {
    const failing: TestReconcile = () => {
      throw Object.assign(new Error("for good"), { name: "TerminalError" });
    };
    await redeploy(createTestApp({ quota, failing }));
    await publishAll("organization.create", ["dead-0"]);
    await allIn("Failed", ["dead-0"]);
    await redeploy(before);
    expect(await listed("failing")).toMatchObject({ inConfiguration: false, deadLetters: 1 });
    await admin.controllers.retire("failing", { tenant: "acme" });
    await allIn("Ready", ["dead-0"]);
    expect(await listed("failing")).toBeUndefined();
    expect(await admin.deadLetters({ tenant: "acme" })).toEqual([]);
  }, 60_000);
});

test("processes with old and new controllers side by side: each does its own, and everything becomes Ready", async () => {
  await redeploy(before);
  const old = acme.client;
  const second = await plane.start(after);
  const fresh = createClient({ baseUrl: second.url, tenant: "acme", apiKey: acme.key });
  await until("the new edge to know the key", async () =>
    fresh.resource("organization", "org-60").catch(() => undefined),
  );
  const [byOld, byNew] = [named("old", 20), named("new", 20)];
  await Promise.all([publishAll("organization.create", byOld, old), publishAll("organization.create", byNew, fresh)]);
  await allIn("Ready", [...byOld, ...byNew]);
  await plane.idle(acme.id);
  const found = await resources();
  const of = (names: readonly string[]) => found.filter(({ aggregateId }) => names.includes(aggregateId));
  for (const { waitsFor } of of(byOld)) expect(waitsFor).toEqual(["quota"]);
  for (const { waitsFor, status } of of(byNew))
    expect([waitsFor, status]).toMatchObject([["quota", "extra"], { extra: { seen: true } }]);
  const ready = (await plane.log(acme.id)).filter(
    ({ type, aggregateId }) => type === "organization.ready" && /^(old|new)-/.test(aggregateId),
  );
  expect(ready).toHaveLength(byOld.length + byNew.length);
}, 60_000);

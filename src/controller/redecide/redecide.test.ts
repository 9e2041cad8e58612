/** Decisions of a log in memory, decided again by the same and by other controllers. */
import { expect, test } from "vitest";
import type { Decision } from "../../event/index.js";
import { systemClock } from "../../kernel/index.js";
import { createTestApp, RuntimeBench, recordedLogOf, type TestReconcile, testDone } from "../../testing/index.js";
import { type Redecided, type RedecideOptions, redecide } from "./redecide.js";

const members =
  (team: number): TestReconcile =>
  ({ resource }) =>
    testDone({ members: resource.spec.plan === "team" ? team : 3 });
/** Waits once, then tells what it drew and when. */
const namespace: TestReconcile = ({ resource, now, random }) =>
  resource.status.namespace === undefined
    ? { outcome: "progressing", status: { at: now }, requeueAfterMs: 1_000 }
    : testDone({ drawn: random(), done: now });
/** Waits for quota, so that several decide in one commit. */
const billing: TestReconcile = ({ resource }) =>
  resource.status.quota === undefined ? { outcome: "progressing" } : testDone({ billed: resource.spec.plan ?? null });

const recordedApp = { namespace, quota: members(25), billing };

/** Two organizations through three plans, one deleted. */
async function history(): Promise<RuntimeBench> {
  const bench = new RuntimeBench(recordedApp);
  await bench.publish("create", "acme", { plan: "free" });
  await bench.publish("create", "beta", { plan: "team" });
  await bench.publish("create", "gone", { plan: "free" });
  await bench.runtime.settle();
  await bench.clock.advance(1_000);
  await bench.runtime.settle();
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.publish("delete", "gone");
  await bench.runtime.settle();
  return bench;
}

function again(
  bench: RuntimeBench,
  controllers: Readonly<Record<string, TestReconcile>>,
  options: Partial<RedecideOptions> = {},
): Promise<Redecided> {
  const log = recordedLogOf(bench.store.reader, bench.tenantId);
  return redecide({ app: createTestApp(controllers), log, clock: systemClock, ...options });
}

test("the same controllers decide the same: time, chance and the order of a commit are those of the record", async () => {
  const bench = await history();
  const redecided = await again(bench, recordedApp);
  expect(redecided).toMatchObject({ differing: { decisions: 0, resources: 0 }, first: [], unknownControllers: {} });
  expect(redecided.decisions).toBeGreaterThan(12);
});

test("a changed limit differs exactly where it is decided on, with what was and what would be", async () => {
  const bench = await history();
  const before = await bench.types();
  const redecided = await again(bench, { ...recordedApp, quota: members(50) });
  expect(redecided.differing).toEqual({ decisions: 2, resources: 2 });
  expect(redecided.controllers).toEqual({ quota: 2 });
  expect(redecided.first).toMatchObject([
    {
      controller: "quota",
      aggregateId: "beta",
      changes: [{ event: "organization.create.quota", member: "/status/quota/members", recorded: 25, decided: 50 }],
    },
    { controller: "quota", aggregateId: "acme", changes: [{ event: "organization.change-plan.quota" }] },
  ]);
  expect(await bench.types()).toEqual(before);
});

test("a later beginning leaves out what was decided before it, on the folds of all that came before", async () => {
  const bench = await history();
  const rows = await bench.store.reader.read(bench.tenantId, { limit: 1_000 });
  const changed = rows.find(({ type }) => type === "organization.change-plan");
  const since = { after: changed?.position ?? 0 };
  const redecided = await again(bench, { ...recordedApp, quota: members(50) }, { since });
  expect(redecided.first).toMatchObject([{ aggregateId: "acme", controller: "quota" }]);
  const all = await again(bench, recordedApp);
  const late = await again(bench, recordedApp, { since });
  expect(late.differing.decisions).toBe(0);
  expect(late.decisions).toBeLessThan(all.decisions);
  for (let after = 0; after < rows.length; after++) {
    expect((await again(bench, recordedApp, { since: { after } })).differing.decisions).toBe(0);
  }
});

test("events that are not made any more, or are made as well, are differences", async () => {
  const bench = await history();
  const silentQuota = await again(bench, { ...recordedApp, quota: () => undefined });
  expect(silentQuota.first[0]?.changes).toMatchObject([{ event: "organization.create.quota", member: "" }]);
  expect(silentQuota.first[0]?.changes[0]).not.toHaveProperty("decided");
  const twice = (): readonly Decision[] => [
    { outcome: "progressing", status: { members: 1 } },
    testDone({ members: 3 }),
  ];
  const louder = await again(bench, { ...recordedApp, quota: twice });
  expect(louder.first[0]?.changes.at(-1)).toMatchObject({ event: "organization.create.quota", member: "" });
  expect(louder.first[0]?.changes.at(-1)).not.toHaveProperty("recorded");
});

test("a controller that fails, or draws chance of its own, is a difference with its reason", async () => {
  const bench = await history();
  const failing = await again(bench, {
    ...recordedApp,
    quota: () => {
      throw new TypeError("secret payload");
    },
  });
  expect(failing.first[0]?.failure?.code).toBe("TypeError");
  expect(JSON.stringify(failing)).not.toContain("secret payload");
  const drawing = await again(bench, { ...recordedApp, quota: () => testDone({ members: Math.random() }) });
  expect(drawing.first[0]?.failure?.code).toBe("decision_not_deterministic");
});

test("decisions of controllers that the app does not have are counted, not judged", async () => {
  const bench = await history();
  const redecided = await again(bench, { namespace, quota: members(25) });
  expect(redecided.differing.decisions).toBe(0);
  expect(Object.keys(redecided.unknownControllers)).toEqual(["billing"]);
});

test("all differences are counted, and as many shown as were asked for", async () => {
  const bench = new RuntimeBench({ quota: members(25) });
  for (let at = 0; at < 30; at++) await bench.publish("create", `org-${at}`, { plan: "team" });
  await bench.runtime.settle();
  const redecided = await again(bench, { quota: members(50) }, { differencesMax: 3 });
  expect(redecided.differing).toEqual({ decisions: 30, resources: 30 });
  expect(redecided.first).toHaveLength(3);
});

test("a stream that the app cannot fold any more is one difference, and the others go on", async () => {
  const bench = await history();
  const app = createTestApp(recordedApp);
  const organization = app.aggregates.get("organization");
  const intents = new Map(organization?.intents);
  const create = intents.get("organization.create");
  if (organization === undefined || create === undefined) throw new Error("the test app has such an intent");
  intents.set("organization.create", { ...create, fold: refuseBeta });
  const changed = { ...app, aggregates: new Map([["organization", { ...organization, intents }]]) };
  const redecided = await again(bench, recordedApp, { app: changed });
  expect(redecided.differing).toEqual({ decisions: 1, resources: 1 });
  expect(redecided.first).toMatchObject([{ controller: null, aggregateId: "beta", failure: { code: "RangeError" } }]);
});

function refuseBeta(_: unknown, intentSpec: { readonly plan?: unknown }): { readonly plan: string } {
  if (intentSpec.plan === "team") throw new RangeError("no such plan");
  return { plan: String(intentSpec.plan) };
}

test("effects are as the log knew them then: asks and answers are decided again without a call", async () => {
  const worker = {
    name: "customer",
    inputSchema: { type: "object" },
    outputSchema: { type: "object" },
    timeoutMs: 1_000,
    retry: { attempts: 5, baseMs: 10, capMs: 10 },
    breaker: { failures: 5, openMs: 100 },
    concurrency: 4,
    onUnknown: "retry",
    run: () => ({ id: "cus_1" }),
  } as const;
  const billed =
    (key: string): TestReconcile =>
    ({ resource, effects }) => {
      const customer = effects.get({ definition: worker }, { [key]: resource.aggregateId });
      return customer.ok ? testDone({ ...(customer.ok as object) }) : { outcome: "progressing" };
    };
  const bench = new RuntimeBench({ billing: billed("organization") }, {}, { workers: [worker] });
  await bench.publish("create", "acme");
  await bench.settleAll();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  const app = (key: string): RedecideOptions["app"] => createTestApp({ billing: billed(key) }, [worker]);
  expect(await again(bench, {}, { app: app("organization") })).toMatchObject({
    decisions: 2,
    differing: { decisions: 0 },
  });
  const other = await again(bench, {}, { app: app("customer") });
  expect(other.first[0]?.changes).toMatchObject([
    { event: "organization.effect-asked", member: "/spec/input/organization", recorded: "acme" },
    { event: "organization.effect-asked", member: "/spec/input/customer", decided: "acme" },
  ]);
});

/** Controllers that look at other resources, on memory and a virtual clock. */
import { describe, expect, test } from "vitest";
import type { ReconcileContext, TypedAggregate } from "../event/index.js";
import { type JsonObject, systemClock } from "../kernel/index.js";
import { createTestApp, RuntimeBench, recordedLogOf, type TestReconcile, testDone } from "../testing/index.js";
import { type Reconciler, reconcilesHere } from "./reconciler.js";
import { redecide } from "./redecide/redecide.js";

const { aggregates } = createTestApp({}, [], {});

function aggregate(name: string): TypedAggregate<JsonObject, JsonObject> {
  const definition = aggregates.get(name);
  if (definition === undefined) throw new Error(`the app has ${name}`);
  return { definition };
}

const project = aggregate("project");
const naming: TestReconcile = ({ resource }) => testDone({ label: resource.spec.name ?? null });

/** Is done when its project is there, with the name that it has. */
const projects: TestReconcile = ({ resource, lookup }) => {
  const found = lookup(project, resource.aggregateId);
  return found === undefined
    ? { outcome: "progressing" }
    : testDone({ name: found.spec.name ?? null, version: found.version });
};

test("another resource is seen as it is, and a change of it is followed", async () => {
  const bench = new RuntimeBench({ projects }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Progressing" });
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({
    phase: "Ready",
    status: { projects: { name: "Web", version: 3 } },
  });
  await bench.publish("project.rename", "acme", { name: "App" });
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Ready", status: { projects: { name: "App" } } });
  await bench.publish("project.delete", "acme");
  await bench.runtime.settle();
  const project = await bench.resource("acme", "project");
  expect(project.phase).toBe("Deleted");
  expect(await bench.resource("acme")).toMatchObject({ status: { projects: { version: project.version } } });
});

test("what was looked up is in the decision, with its version; 0 is that there was none", async () => {
  const bench = new RuntimeBench({ projects }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.runtime.settle();
  const rows = await bench.store.reader.read(bench.tenantId, { limit: 100 });
  const seen = rows.flatMap(({ decision }) => (decision?.component === "projects" ? [decision.lookups] : []));
  expect(seen[0]).toEqual({ "project/acme": 0 });
  expect(seen.at(-1)).toEqual({ "project/acme": 3 });
  for (const row of rows) bench.keys.verifier.verify(row);
});

test("a run is begun again for each resource that is not loaded, and decides once on all of them", async () => {
  let runs = 0;
  const several: TestReconcile = ({ lookup }) => {
    runs += 1;
    const found = ["a", "b", "c"].map((id) => lookup(project, id)?.spec.name ?? null);
    return testDone({ found });
  };
  const bench = new RuntimeBench({ several }, { checkDeterminism: false }, { projects: { naming } });
  for (const id of ["a", "b"]) await bench.publish("project.create", id, { name: id });
  await bench.runtime.settle();
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(runs).toBe(4);
  expect(await bench.resource("acme")).toMatchObject({ status: { several: { found: ["a", "b", null] } }, version: 3 });
});

test("several controllers of one commit look up each for itself", async () => {
  const bench = new RuntimeBench({ projects, quota: () => testDone(), again: projects }, {}, { projects: { naming } });
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.runtime.settle();
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  await bench.publish("project.rename", "acme", { name: "App" });
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ status: { projects: { name: "App" }, again: { name: "App" } } });
});

test("the resource itself may be looked up: it is the basis", async () => {
  const own: TestReconcile = ({ resource, lookup }) => {
    const found = lookup(aggregate("organization"), resource.aggregateId);
    return testDone({ same: found?.version === resource.version && found.generation === resource.generation });
  };
  const bench = new RuntimeBench({ own }, {}, { projects: {} });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).status).toEqual({ own: { same: true } });
});

test("no look-up any more is no waking any more", async () => {
  let runs = 0;
  const once: TestReconcile = (context) => {
    runs += 1;
    return context.resource.spec.plan === "team" ? testDone() : projects(context);
  };
  const bench = new RuntimeBench({ once }, {}, { projects: { naming } });
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  const before = runs;
  await bench.publish("project.rename", "acme", { name: "App" });
  await bench.runtime.settle();
  expect(runs).toBe(before);
});

test("two that look at one another come to rest", async () => {
  const organization = aggregate("organization");
  const back: TestReconcile = ({ resource, lookup }) =>
    testDone({ phase: lookup(organization, resource.aggregateId)?.phase ?? null });
  const forth: TestReconcile = ({ resource, lookup }) =>
    testDone({ phase: lookup(project, resource.aggregateId)?.phase ?? null });
  const bench = new RuntimeBench({ forth }, {}, { projects: { back } });
  await bench.publish("create", "acme");
  await bench.publish("project.create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).status).toEqual({ forth: { phase: "Ready" } });
  expect((await bench.resource("acme", "project")).status).toEqual({ back: { phase: "Ready" } });
});

describe("a dead letter becomes of a controller that looks up", () => {
  const wrong: readonly (readonly [string, string, (context: ReconcileContext) => unknown])[] = [
    [
      "more than 16 resources",
      "decision_invalid",
      ({ lookup }) => Array.from({ length: 17 }, (_, at) => lookup(project, `p-${at}`)),
    ],
    [
      "an aggregate that the app does not have",
      "decision_invalid",
      ({ lookup }) => lookup({ definition: { ...project.definition, name: "key" } }, "acme"),
    ],
    ["a copy of one", "decision_invalid", ({ lookup }) => lookup({ definition: { ...project.definition } }, "acme")],
    ["an id that cannot be one", "decision_invalid", ({ lookup }) => lookup(project, "../acme")],
  ];
  test.each(wrong)("%s", async (_, code, look) => {
    const reconcile: TestReconcile = (context) => testDone({ found: look(context) !== undefined });
    const bench = new RuntimeBench({ reconcile }, {}, { projects: { naming } });
    await bench.publish("create", "acme");
    await bench.settleFailures();
    expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe(code);
  });

  test("but not of one that catches what suspends it: its run does not count", async () => {
    const catching: TestReconcile = ({ resource, lookup }) => {
      try {
        return testDone({ name: lookup(project, resource.aggregateId)?.spec.name ?? null });
      } catch {
        return testDone({ name: "caught" });
      }
    };
    const bench = new RuntimeBench({ catching }, {}, { projects: { naming } });
    await bench.publish("project.create", "acme", { name: "Web" });
    await bench.publish("create", "acme");
    await bench.runtime.settle();
    expect((await bench.resource("acme")).status).toEqual({ catching: { name: "Web" } });
  });
});

test("16 resources may be looked up", async () => {
  const many: TestReconcile = ({ lookup }) =>
    testDone({ found: Array.from({ length: 16 }, (_, at) => lookup(project, `p-${at}`) !== undefined) });
  const bench = new RuntimeBench({ many }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

test("where controllers run nobody is told who asked for what they look up", async () => {
  const app = createTestApp({ projects }, [], { naming });
  const here = reconcilesHere({ app, clock: systemClock });
  const loaded: string[] = [];
  const reconciler: Reconciler = {
    run: (call, logger) => {
      loaded.push(JSON.stringify(call.loaded));
      return here.run(call, logger);
    },
  };
  const bench = new RuntimeBench({ projects }, { reconciler }, { projects: { naming } });
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ status: { projects: { name: "Web" } } });
  expect(loaded.join("")).toContain('"Web"');
  for (const hidden of ["causedBy", "principal", "correlationId"]) expect(loaded.join("")).not.toContain(hidden);
});

test("attack 2: another tenant's resource of the same name is not seen, and its changes wake nobody", async () => {
  let runs = 0;
  const counting: TestReconcile = (context) => {
    runs += 1;
    return projects(context);
  };
  const bench = new RuntimeBench({ counting }, {}, { projects: { naming } });
  const other = new RuntimeBench({}).tenantId;
  await bench.publish("project.create", "acme", { name: "Secret" }, other);
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Progressing", status: {} });
  const before = runs;
  await bench.publish("project.rename", "acme", { name: "Secret too" }, other);
  await bench.runtime.settle();
  expect(runs).toBe(before);
});

test("look-ups are decided again as they were seen then; others as they were at that place of the log", async () => {
  const bench = new RuntimeBench({ projects }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.publish("project.create", "acme", { name: "Web" });
  await bench.runtime.settle();
  await bench.publish("project.rename", "acme", { name: "App" });
  await bench.runtime.settle();
  await bench.publish("project.create", "other", { name: "Other" });
  await bench.runtime.settle();
  const log = recordedLogOf(bench.store.reader, bench.tenantId);
  const again = (reconcile: TestReconcile): ReturnType<typeof redecide> =>
    redecide({ app: createTestApp({ projects: reconcile }, [], { naming }), log, clock: systemClock });
  const same = await again(projects);
  expect(same).toMatchObject({ differing: { decisions: 0 } });
  expect(same.decisions).toBeGreaterThan(2);
  const early = await again((context) =>
    context.lookup(project, "other") === undefined ? projects(context) : testDone({ name: "too early" }),
  );
  expect(early.differing.decisions).toBe(0);
  const shouting = await again((context) => {
    const found = context.lookup(project, context.resource.aggregateId);
    return found === undefined
      ? projects(context)
      : testDone({ name: `${String(found.spec.name)}!`, version: found.version });
  });
  expect(shouting.first[0]?.changes).toMatchObject([
    { member: "/status/projects/name", recorded: "Web", decided: "Web!" },
  ]);
});

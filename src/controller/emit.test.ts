/** Controllers that emit to other resources, on memory and a virtual clock. */
import { expect, test } from "vitest";
import type { Decision, EventRow } from "../event/index.js";
import { systemClock, type TenantId } from "../kernel/index.js";
import {
  createTestApp,
  newTenantId,
  RuntimeBench,
  recordedLogOf,
  type TestReconcile,
  testDone,
} from "../testing/index.js";
import { redecide } from "./redecide/redecide.js";

const naming: TestReconcile = ({ resource }) => testDone({ label: resource.spec.name ?? null });

/** Makes a project of the organization's name, and deletes it with it. */
const projects: TestReconcile = ({ resource }) => {
  const type = resource.lifecycle === "deleting" ? "project.delete" : "project.create";
  return {
    outcome: "completed",
    emit: { type, spec: type === "project.create" ? { name: resource.aggregateId } : {} },
  };
};

async function rowsOf(bench: RuntimeBench, tenantId: TenantId = bench.tenantId): Promise<readonly EventRow[]> {
  return bench.store.reader.read(tenantId, { limit: 1_000 });
}

test("an emitted intent makes the other resource ready, in the same trace and on the same behalf", async () => {
  const bench = new RuntimeBench({ projects, quota: () => testDone() }, {}, { projects: { naming } });
  const receipt = await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  expect(await bench.resource("acme", "project")).toMatchObject({
    phase: "Ready",
    status: { naming: { label: "acme" } },
  });
  const rows = await rowsOf(bench);
  const asked = rows.find(({ type }) => type === "project.create");
  expect(asked).toMatchObject({ kind: "intent", causationId: receipt.id, correlationId: receipt.correlationId });
  for (const row of rows) {
    expect(row.correlationId).toBe(receipt.correlationId);
    expect(row.causedByText).toBe(rows[0]?.causedByText);
    bench.keys.verifier.verify(row);
  }
  expect(rows.filter(({ causationId }) => causationId === asked?.id).map(({ type }) => type)).toEqual([
    "project.create.naming",
    "project.ready",
  ]);
});

test("the decision and what it emits are one append: a refused one leaves nothing of both", async () => {
  const bench = new RuntimeBench({ projects }, {}, { projects: { naming } });
  await bench.publish("project.create", "acme", { name: "there before" });
  await bench.publish("create", "acme");
  await bench.settleFailures();
  const [letter, ...more] = await bench.work.deadLetters(bench.tenantId);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({ component: "projects", attempts: 5, failure: { code: "emit_refused" } });
  expect(letter?.failure.message).toContain("project.create to project/acme, which is live: resource_exists");
  expect((await bench.types()).filter((type) => type.startsWith("organization."))).toEqual([
    "organization.create",
    "organization.dead-lettered",
  ]);
  expect(await bench.resource("acme", "project")).toMatchObject({ generation: 1, spec: { name: "there before" } });
});

test("a refused emit is tried again and succeeds once the other resource allows it", async () => {
  const bench = new RuntimeBench(
    { projects: () => ({ outcome: "completed", emit: { type: "project.rename", aggregateId: "web" } }) },
    {},
    { projects: { naming } },
  );
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Pending");
  await bench.publish("project.create", "web");
  await bench.settleFailures();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  expect(await bench.resource("web", "project")).toMatchObject({ generation: 2, phase: "Ready" });
});

test("a deletion is passed on; one that has nothing to do is a success", async () => {
  const bench = new RuntimeBench({ projects }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.publish("create", "beta");
  await bench.runtime.settle();
  await bench.publish("project.delete", "beta");
  await bench.runtime.settle();
  await bench.publish("delete", "acme");
  await bench.publish("delete", "beta");
  await bench.runtime.settle();
  for (const type of ["organization", "project"])
    for (const id of ["acme", "beta"]) expect((await bench.resource(id, type)).phase).toBe("Deleted");
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
});

test("a resource may ask one of its own kind, which its own controllers bring to Ready", async () => {
  const child: TestReconcile = ({ resource }) =>
    resource.aggregateId === "parent"
      ? { outcome: "completed", emit: { type: "organization.create", aggregateId: "child" } }
      : testDone();
  const bench = new RuntimeBench({ child, quota: () => testDone() });
  await bench.publish("create", "parent");
  await bench.runtime.settle();
  expect((await bench.resource("child")).phase).toBe("Ready");
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
});

test("P7: what is emitted is made once, however often the controller is asked again", async () => {
  let runs = 0;
  const insisting: TestReconcile = (context) => {
    runs += 1;
    return { ...(projects(context) as Decision), requeueAfterMs: 1_000 };
  };
  const bench = new RuntimeBench({ projects: insisting }, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  const before = await bench.types();
  expect(before.filter((type) => type === "project.create")).toHaveLength(1);
  const runsBefore = runs;
  await bench.clock.advance(1_000);
  await bench.runtime.settle();
  expect(runs).toBeGreaterThan(runsBefore);
  expect(await bench.types()).toEqual(before);
});

test("attack 2: a controller that handles one tenant's event cannot emit to another, whatever it hands over", async () => {
  const victim = newTenantId();
  const spec = { tenantId: victim };
  const attempts: readonly object[] = [
    { type: "project.create", spec, tenantId: victim },
    { type: "project.create", spec, tenant: "victim" },
    { type: "project.create", spec, aggregateId: `${victim}/web` },
    { type: "project.create", spec, aggregateId: "../victim/web" },
    { type: "project.create", spec, event: { tenantId: victim } },
    JSON.parse(`{"type":"project.create","__proto__":{"tenantId":"${victim}"}}`) as object,
  ];
  const bench = new RuntimeBench(
    {
      attack: ({ resource }) => ({
        outcome: "completed",
        emit: attempts[Number(resource.aggregateId)] as { type: string },
      }),
      // Not refused, because it is only a name and a text of the own tenant.
      harmless: ({ resource }) => ({
        outcome: "completed",
        tenantId: victim,
        emit: { type: "project.create", aggregateId: `${victim}:${resource.aggregateId}`, spec },
      }),
    },
    {},
    { projects: { naming } },
  );
  await bench.publish("create", "untouched", {}, victim);
  const before = await rowsOf(bench, victim);
  for (const at of attempts.keys()) await bench.publish("create", String(at));
  await bench.settleFailures();
  const letters = await bench.work.deadLetters(bench.tenantId);
  expect(letters.map(({ component, failure }) => `${component} ${failure.code}`)).toEqual(
    attempts.map(() => "attack decision_invalid"),
  );
  const own = await rowsOf(bench);
  expect(own.filter(({ type }) => type === "project.create")).toHaveLength(attempts.length);
  expect(own.every(({ tenantId }) => tenantId === bench.tenantId)).toBe(true);
  // The neighbour's own organization is worked on as always; of projects there are only its own controllers'.
  const after = await rowsOf(bench, victim);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.filter(({ tenantId }) => tenantId !== victim)).toEqual([]);
  expect(after.filter(({ correlationId }) => correlationId !== before[0]?.correlationId)).toEqual([]);
});

test("what was emitted is decided again with its decision: the same, moved, or no more", async () => {
  const recorded = { projects, quota: () => testDone() };
  const bench = new RuntimeBench(recorded, {}, { projects: { naming } });
  await bench.publish("create", "acme");
  await bench.publish("create", "beta");
  await bench.runtime.settle();
  await bench.publish("project.delete", "beta");
  await bench.runtime.settle();
  for (const id of ["acme", "beta"]) await bench.publish("delete", id);
  await bench.runtime.settle();
  const log = recordedLogOf(bench.store.reader, bench.tenantId);
  const again = (reconcile: TestReconcile) =>
    redecide({ app: createTestApp({ ...recorded, projects: reconcile }, [], { naming }), log, clock: systemClock });
  expect((await again(projects)).differing.decisions).toBe(0);
  const moved = await again((context) =>
    context.resource.lifecycle === "deleting"
      ? projects(context)
      : {
          outcome: "completed",
          emit: { type: "project.create", aggregateId: "elsewhere", spec: { name: context.resource.aggregateId } },
        },
  );
  expect(moved.differing).toEqual({ decisions: 2, resources: 2 });
  expect(moved.first[0]?.changes).toContainEqual({
    event: "project.create",
    member: "/stream",
    recorded: "project/acme",
    decided: "project/elsewhere",
  });
  const none = await again(() => testDone());
  expect(none.first[0]?.changes).toMatchObject([{ event: "project.create", member: "" }]);
});

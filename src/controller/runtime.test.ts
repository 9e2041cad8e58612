/** The runtime on the store and the work rows in memory, with a virtual clock. */
import { expect, test } from "vitest";
import type { Decision } from "../event/index.js";
import { type JsonObject, PLATFORM_TENANT_ID } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import { RuntimeBench, signAppend, type TestReconcile, testDone } from "../testing/index.js";

const limits: JsonObject = { free: 3, team: 25 };
const quota: TestReconcile = ({ resource }) => testDone({ members: limits[String(resource.spec.plan)] ?? 0 });

test("an intent becomes Ready through all controllers, with one ready fact", async () => {
  const bench = new RuntimeBench({ namespace: () => testDone({ name: "acme" }), quota, billing: () => testDone() });
  await bench.publish("create", "acme", { plan: "free" });
  await bench.runtime.settle();
  const resource = await bench.resource("acme");
  expect(resource.phase).toBe("Ready");
  expect(resource.status).toMatchObject({ namespace: { name: "acme" }, quota: { members: 3 } });
  expect((await bench.types()).filter((type) => type === "organization.ready")).toHaveLength(1);
});

test("a changed plan opens generation 2 and the status is computed again", async () => {
  const bench = new RuntimeBench({ quota });
  await bench.publish("create", "acme", { plan: "free", name: "Acme" });
  await bench.runtime.settle();
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  const resource = await bench.resource("acme");
  expect(resource).toMatchObject({
    generation: 2,
    phase: "Ready",
    spec: { plan: "team", name: "Acme" },
    status: { quota: { members: 25 } },
  });
  expect((await bench.types()).filter((type) => type === "organization.ready")).toHaveLength(2);
});

test("controllers that are due together decide in one commit, each on what those before it added", async () => {
  const seen: string[] = [];
  const note =
    (name: string): TestReconcile =>
    ({ resource }) => {
      seen.push(`${name} ${Object.keys(resource.status).join(",")}`);
      return testDone();
    };
  const bench = new RuntimeBench({ a: note("a"), b: note("b") }, { checkDeterminism: false });
  let commits = 0;
  bench.doorbell.listen(() => void commits++);
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.types()).toEqual([
    "organization.create",
    "organization.create.a",
    "organization.create.b",
    "organization.ready",
  ]);
  expect(commits).toBe(2);
  expect(seen).toHaveLength(3);
});

test("a controller that throws among others blocks only itself", async () => {
  const bench = new RuntimeBench({
    bad: () => {
      throw new Error("no");
    },
    good: () => testDone(),
  });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).finalizers).toMatchObject({
    good: { completed: true },
    bad: { completed: false },
  });
});

test("what another process appends between is decided on again", async () => {
  let wasOvertaken = false;
  const done = (): Decision => testDone();
  const bench: RuntimeBench = new RuntimeBench(
    { billing: done, namespace: done, quota: () => testDone({ members: 7 }) },
    {
      coalescer: {
        append: async (append) => {
          if (!wasOvertaken) {
            wasOvertaken = true;
            await bench.decideElsewhere("acme", "quota", testDone({ members: 7 }));
          }
          const [outcome] = await bench.store.runtime.append([signAppend(bench.keys.runtime, append)]);
          if (outcome === undefined) throw new Error("an append has an outcome");
          return outcome;
        },
      },
    },
  );
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Ready", status: { quota: { members: 7 } } });
  const types = await bench.types();
  expect(types.filter((type) => type === "organization.ready")).toHaveLength(1);
  expect(types.filter((type) => type === "organization.create.quota")).toHaveLength(1);
});

test("a deletion ends deleted once every controller has completed it, and nobody works on the resource after", async () => {
  const seen: string[] = [];
  const bench = new RuntimeBench({
    quota: ({ resource }) => {
      seen.push(resource.lifecycle);
      return resource.lifecycle === "deleting" ? testDone() : { outcome: "completed", requeueAfterMs: 1000 };
    },
  });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  await bench.publish("delete", "acme");
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Deleted", lifecycle: "deleted" });
  const before = seen.length;
  await bench.clock.advance(10_000);
  await bench.runtime.settle();
  expect(seen).toHaveLength(before);
});

test("a requeue runs when its time has come, not before", async () => {
  const bench = new RuntimeBench({
    billing: ({ resource }) =>
      resource.status.billing === undefined
        ? { outcome: "progressing", status: { waited: true }, requeueAfterMs: 200 }
        : { outcome: "completed" },
  });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Progressing");
  await bench.clock.advance(199);
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Progressing");
  await bench.clock.advance(2);
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

test("a requeue of a decision that changes nothing is kept as a due time and appends nothing", async () => {
  let runs = 0;
  const bench = new RuntimeBench(
    {
      billing: () => {
        runs += 1;
        return { outcome: "progressing", requeueAfterMs: 100 };
      },
    },
    { checkDeterminism: false },
  );
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  const before = (await bench.types()).length;
  for (let turn = 0; turn < 3; turn++) {
    await bench.clock.advance(101);
    await bench.runtime.settle();
  }
  expect(runs).toBe(4);
  expect(await bench.types()).toHaveLength(before);
});

test("a controller that rejected a generation is not run for it again", async () => {
  let runs = 0;
  const bench = new RuntimeBench(
    {
      quota: () => {
        runs += 1;
        return { outcome: { rejected: { reason: "TooMany", message: "There are too many." } } };
      },
      namespace: ({ resource }) =>
        resource.status.namespace === undefined
          ? { outcome: "progressing", status: { step: 1 }, requeueAfterMs: 10 }
          : { outcome: "completed", status: { step: 2 } },
    },
    { checkDeterminism: false },
  );
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  await bench.clock.advance(20);
  await bench.runtime.settle();
  expect(runs).toBe(1);
  expect((await bench.resource("acme")).phase).toBe("Failed");
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  expect(runs).toBe(2);
});

test("chance from the context is the same for the same basis", async () => {
  const bench = new RuntimeBench({ quota: ({ random }) => testDone({ members: random() }) });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

test("controllers see neither who asked nor a resource that they could change", async () => {
  const seen: string[] = [];
  const bench = new RuntimeBench({
    quota: ({ resource, event }) => {
      seen.push(JSON.stringify({ resource, event }));
      return Object.isFrozen(resource) && Object.isFrozen(resource.spec) ? testDone() : { outcome: "progressing" };
    },
  });
  await bench.publish("create", "acme", { plan: "free" });
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  expect(seen.join()).not.toMatch(/causedBy|principal|apiKey/);
});

test("a generation that nobody is expected to complete is made ready by the runtime", async () => {
  const bench = new RuntimeBench({});
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect(await bench.types()).toEqual(["organization.create", "organization.ready"]);
  await bench.publish("delete", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Deleted");
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

/** Lets everything run that needs no timer. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("run begins at the doorbell, without time passing, and ends after an abort", async () => {
  const bench = new RuntimeBench({ quota });
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  await turns();
  await bench.publish("create", "acme", { plan: "free" });
  await turns();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  stop.abort();
  await running;
});

test("without a ring, run finds what others appended at the next poll", async () => {
  const bench = new RuntimeBench({ quota }, { doorbell: createDoorbell() });
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  await turns();
  await bench.publish("create", "acme", { plan: "free" });
  await turns();
  expect((await bench.resource("acme")).phase).toBe("Pending");
  await bench.clock.advance(250);
  await turns();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  stop.abort();
  await running;
});

test("run wakes for a timer when it is due, between two polls", async () => {
  const waits: TestReconcile = ({ resource }) =>
    resource.status.billing === undefined
      ? { outcome: "progressing", status: { asked: true }, requeueAfterMs: 100 }
      : testDone();
  const bench = new RuntimeBench({ billing: waits }, { pollMs: 60_000 });
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  await turns();
  await bench.publish("create", "acme");
  await turns();
  await bench.clock.advance(99);
  expect((await bench.resource("acme")).phase).toBe("Progressing");
  await bench.clock.advance(2);
  await turns();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  stop.abort();
  await running;
});

test("heartbeats keep the lease of an append that takes long", async () => {
  let release = (): void => {};
  const bench: RuntimeBench = new RuntimeBench(
    { quota },
    {
      leaseMs: 900,
      coalescer: {
        append: () =>
          new Promise((resolve) => {
            release = () =>
              resolve({
                result: "refused",
                code: "lease_lost",
                index: 0,
                current: { version: 1, generation: 1, lifecycle: "live" },
              });
          }),
      },
    },
  );
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  await bench.publish("create", "acme", { plan: "free" });
  await turns();
  for (let beat = 0; beat < 5; beat++) {
    await bench.clock.advance(301);
    await turns();
  }
  expect(await bench.work.claim({ components: ["quota"], limit: 1, leaseMs: 900 })).toEqual([]);
  stop.abort();
  release();
  await running;
});

test("the platform's own aggregates become ready too", async () => {
  const bench = new RuntimeBench({});
  await bench.publish("create", "acme", {}, PLATFORM_TENANT_ID);
  await bench.runtime.settle();
  const rows = await bench.store.reader.read(PLATFORM_TENANT_ID, {});
  expect(rows.map(({ type }) => type)).toEqual(["organization.create", "organization.ready"]);
});

test("what another process adds while a controller works is not lost to the fold that it leaves behind", async () => {
  const bench = new RuntimeBench({
    timer: () => ({ outcome: "completed", requeueAfterMs: 1_000 }),
    // Decided by the other process.
    namespace: () => undefined,
    quota: ({ resource }) => (resource.status.namespace === undefined ? { outcome: "progressing" } : testDone()),
  });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  const finish = bench.work.finish.bind(bench.work);
  const held: (() => void)[] = [];
  bench.work.finish = async (claim, options) => {
    if (held.length === 0) await new Promise<void>((resolve) => void held.push(resolve));
    return finish(claim, options);
  };
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  const pass = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) await bench.clock.advance(20);
  };
  await pass();
  expect(held).toHaveLength(1);
  // The row of quota is dispatched and claimed for it while the row before it in the lane is being closed.
  await bench.decideElsewhere("acme", "namespace", testDone({ name: "acme" }));
  await pass();
  held[0]?.();
  await pass();
  stop.abort();
  await running;
  expect(await bench.resource("acme")).toMatchObject({ phase: "Ready" });
});

/** Backfills and retirements on memory and a virtual clock. */
import { expect, test } from "vitest";
import { EventFactory } from "../../event/index.js";
import { type JsonObject, PLATFORM_TENANT_ID, systemIds, type TenantId } from "../../kernel/index.js";
import { Coalescer } from "../../store/index.js";
import {
  appendOf,
  createTestApp,
  createTestSigner,
  draftSystemFact,
  RuntimeBench,
  signAppend,
  type TestReconcile,
  testCausedBy,
  testDone,
} from "../../testing/index.js";
import { ControllerChanges } from "./controller-changes.js";

const waiting: TestReconcile = () => ({ outcome: "progressing" });

/** A bench whose controllers are these, and the loop that acts on changes. */
function scene(controllers: Readonly<Record<string, TestReconcile>>) {
  const bench = new RuntimeBench(controllers);
  const { clock, work, loader, store, keys } = bench;
  const appending = new Coalescer({ appender: store.runtime, signer: keys.runtime, clock });
  const logged: string[] = [];
  const note = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const changes = new ControllerChanges({
    reader: store.reader,
    verifier: keys.verifier,
    loader,
    appending,
    work,
    clock,
    random: () => 0.5,
    logger,
  });
  const ask = async (
    type: "controller.backfill-requested" | "controller.retire-requested",
    controller: string,
    spec: JsonObject,
  ): Promise<void> => {
    const factory = new EventFactory({ app: createTestApp({}), ids: systemIds });
    const request = { tenantId: PLATFORM_TENANT_ID, type, aggregateId: controller, spec } as const;
    const item = factory.systemFact(request, testCausedBy);
    const [outcome] = await store.edge.append([signAppend(keys.edge, appendOf(item))]);
    expect(outcome?.result).toBe("appended");
  };
  const retire = (controller: string, tenantId: TenantId = bench.tenantId): Promise<void> =>
    ask("controller.retire-requested", controller, { tenantId, reason: "Gone." });
  const backfill = (controller: string): Promise<void> =>
    ask("controller.backfill-requested", controller, { tenantId: bench.tenantId, aggregateType: "organization" });
  return { bench, changes, logged, ask, retire, backfill };
}

test("a backfill lets the controller look at every living resource once, and makes no event itself", async () => {
  let runs = 0;
  const { bench, changes, backfill } = scene({ quota: () => ((runs += 1), testDone()) });
  for (const id of ["a", "b", "gone"]) await bench.publish("create", id);
  await bench.runtime.settle();
  await bench.publish("delete", "gone");
  await bench.runtime.settle();
  const before = await bench.types();
  runs = 0;
  await backfill("quota");
  await changes.settle();
  await bench.runtime.settle();
  // Each run is done twice, to prove that it is deterministic.
  expect(runs).toBe(4);
  expect(await bench.types()).toEqual(before);
  await changes.settle();
  await bench.runtime.settle();
  expect(runs).toBe(4);
});

test("a retirement completes what waits, of the resources that wait, and only once", async () => {
  const { bench, changes, retire } = scene({ quota: () => testDone(), old: waiting });
  for (const id of ["a", "b"]) await bench.publish("create", id);
  await bench.runtime.settle();
  expect((await bench.resource("a")).phase).toBe("Progressing");
  await retire("old");
  await changes.settle();
  for (const id of ["a", "b"])
    expect(await bench.resource(id)).toMatchObject({ phase: "Ready", finalizers: { old: { completed: true } } });
  await retire("old");
  await retire("never-was");
  await changes.settle();
  expect((await bench.types()).filter((type) => type === "organization.controller-retired")).toHaveLength(2);
  expect(await bench.work.controllerRows(bench.tenantId)).toEqual([]);
  const [row] = (await bench.store.reader.read(bench.tenantId, { limit: 100 })).filter(
    ({ type }) => type === "organization.controller-retired",
  );
  expect(row).toMatchObject({ kind: "fact", decision: { component: "retired:old" } });
  if (row !== undefined) bench.keys.verifier.verify(row);
});

test("a retirement does not reach other tenants", async () => {
  const { bench, changes, retire } = scene({ old: waiting });
  await bench.publish("create", "a");
  await bench.runtime.settle();
  await retire("old", new RuntimeBench({}).tenantId);
  await changes.settle();
  expect((await bench.resource("a")).phase).toBe("Progressing");
});

test("the next generation of an old edge waits again, and may be retired again", async () => {
  const { bench, changes, retire } = scene({ old: waiting });
  await bench.publish("create", "a");
  await bench.runtime.settle();
  await retire("old");
  await changes.settle();
  await bench.publish("change-plan", "a");
  await bench.runtime.settle();
  expect((await bench.resource("a")).phase).toBe("Progressing");
  await retire("old");
  await changes.settle();
  expect(await bench.resource("a")).toMatchObject({ phase: "Ready", generation: 2 });
});

test("a retirement that is acted on late, or again, does not mean generations that began after it", async () => {
  const { bench, changes, retire } = scene({ old: waiting });
  for (const id of ["a", "b"]) await bench.publish("create", id);
  await bench.runtime.settle();
  await retire("old");
  await bench.clock.advance(1_000);
  await bench.publish("change-plan", "b");
  await bench.runtime.settle();
  await changes.settle();
  expect((await bench.resource("a")).phase).toBe("Ready");
  expect((await bench.resource("b")).phase).toBe("Progressing");
  await bench.clock.advance(1_000);
  await retire("old");
  await changes.settle();
  expect(await bench.resource("b")).toMatchObject({ phase: "Ready", generation: 2 });
});

test("a request that does not verify does nothing, and does not keep those after it for ever", async () => {
  const { bench, changes, retire, logged } = scene({ old: waiting });
  await bench.publish("create", "a");
  await bench.runtime.settle();
  const forged = draftSystemFact({
    tenantId: PLATFORM_TENANT_ID,
    aggregateType: "controller",
    aggregateId: "old",
    type: "controller.retire-requested",
    specText: JSON.stringify({ tenantId: bench.tenantId, reason: "Forged." }),
  });
  await bench.store.edge.append([
    signAppend(createTestSigner("edge"), appendOf({ event: forged, effect: "system", expectedVersion: "any" })),
  ]);
  const stop = new AbortController();
  const running = changes.run(stop.signal);
  for (let turn = 0; turn < 40; turn++) await bench.clock.advance(30_000);
  expect((await bench.resource("a")).phase).toBe("Progressing");
  expect(logged.filter((line) => line.includes("is tried again"))).toHaveLength(9);
  expect(logged.filter((line) => line.includes("is left out"))).toHaveLength(1);
  await retire("old");
  for (let turn = 0; turn < 5; turn++) await bench.clock.advance(1_000);
  expect((await bench.resource("a")).phase).toBe("Ready");
  stop.abort();
  await running;
});

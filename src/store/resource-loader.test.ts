/** The loader: what it reads, verifies and remembers. */
import { expect, test } from "vitest";
import { mutate, type Resource, type Verifier } from "../event/index.js";
import { isEventplaneError } from "../kernel/index.js";
import { createTestApp, RuntimeBench, testDone } from "../testing/index.js";
import { type LogReader, ResourceLoader } from "./index.js";

const acme = { aggregateType: "organization", aggregateId: "acme" };

/** A loader over the log of a bench that counts what it reads and verifies. */
function watched(bench: RuntimeBench, foldsMax = 10) {
  const seen = { reads: [] as number[], verified: 0 };
  const readStream: LogReader["readStream"] = (tenantId, stream, options) => {
    seen.reads.push(options?.afterVersion ?? 0);
    return bench.store.reader.readStream(tenantId, stream, options);
  };
  const verifier: Verifier = {
    verify: (row) => {
      seen.verified += 1;
      bench.keys.verifier.verify(row);
    },
  };
  const reader = { ...bench.store.reader, readStream };
  return { seen, loader: new ResourceLoader({ reader, verifier, app: createTestApp({}), foldsMax }) };
}

test("load verifies every event once and later reads only what is new", async () => {
  const bench = new RuntimeBench({ quota: () => testDone() });
  await bench.publish("create", "acme", { plan: "free" });
  const { seen, loader } = watched(bench);
  expect((await loader.load(bench.tenantId, acme))?.version).toBe(1);
  await bench.runtime.settle();
  expect(await loader.load(bench.tenantId, acme)).toMatchObject({ version: 3, phase: "Ready" });
  expect(seen).toEqual({ reads: [0, 1], verified: 3 });
});

test("a long stream of large events is read in pages that memory can hold", async () => {
  const bench = new RuntimeBench({});
  await bench.publish("create", "acme");
  const note = "x".repeat(100_000);
  for (let count = 0; count < 150; count++) await bench.publish("change-plan", "acme", { note });
  const sizes: number[] = [];
  const readStream: LogReader["readStream"] = async (...query) => {
    const rows = await bench.store.reader.readStream(...query);
    sizes.push(rows.length);
    return rows;
  };
  const reader = { ...bench.store.reader, readStream };
  const loader = new ResourceLoader({ reader, verifier: bench.keys.verifier, app: createTestApp({}) });
  expect(await loader.load(bench.tenantId, acme)).toMatchObject({ version: 151, generation: 151, spec: { note } });
  expect(sizes).toEqual([100, 50, 1]);
});

test("a stream without events is undefined", async () => {
  const bench = new RuntimeBench({});
  expect(await watched(bench).loader.load(bench.tenantId, acme)).toBeUndefined();
});

test("what is applied is not read again", async () => {
  const bench = new RuntimeBench({});
  await bench.publish("create", "acme");
  const { seen, loader } = watched(bench);
  const resource = (await loader.load(bench.tenantId, acme)) as Resource; // it was created above
  const item = mutate.ready(resource, "2026-01-01T00:00:00Z");
  if (item === undefined) throw new Error("nobody is expected, so it is ready");
  const place = { version: 2, position: 2, generation: 1, lifecycle: "live", recordedAtUs: 1 } as const;
  expect(loader.apply(resource, [{ ...item.event, ...place }]).phase).toBe("Ready");
  await loader.load(bench.tenantId, acme);
  expect(seen.reads).toEqual([0, 2]);
});

test("the folds used least recently are forgotten, and big ones are not kept", async () => {
  const bench = new RuntimeBench({});
  const { seen, loader } = watched(bench, 1);
  await bench.publish("create", "acme");
  await bench.publish("create", "other");
  await bench.publish("create", "big", { text: "x".repeat(70_000) });
  for (const aggregateId of ["acme", "other", "acme", "big", "big"]) {
    await loader.load(bench.tenantId, { ...acme, aggregateId });
  }
  expect(seen.reads).toEqual([0, 0, 0, 0, 0]);
});

test("an aborted load throws aborted and reads nothing", async () => {
  const bench = new RuntimeBench({});
  const { seen, loader } = watched(bench);
  await expect(loader.load(bench.tenantId, acme, AbortSignal.abort())).rejects.toSatisfy((error) =>
    isEventplaneError(error, "aborted"),
  );
  expect(seen.reads).toEqual([]);
});

/** Snapshots at work: when they are taken, what a load reads with one, and what becomes of those that are not believed. */
import { expect, test } from "vitest";
import type { Resource, Snapshot, Verifier } from "../event/index.js";
import { EventplaneError, isEventplaneError, limits } from "../kernel/index.js";
import { createTestApp, RuntimeBench } from "../testing/index.js";
import {
  createMemorySnapshots,
  type LogReader,
  ResourceLoader,
  SnapshotBook,
  type SnapshotNews,
  type SnapshotStore,
} from "./index.js";

const acme = { aggregateType: "organization", aggregateId: "acme" };

/** A loader without memory over the log of a bench; what it reads, verifies and hears of its snapshots. */
function fresh(
  bench: RuntimeBench,
  snapshots: SnapshotStore,
  options: { keeps?: boolean; read?: LogReader["readStream"] } = {},
) {
  const { keeps = true, read = bench.store.reader.readStream.bind(bench.store.reader) } = options;
  const app = createTestApp({});
  const seen = { afterVersions: [] as number[], verified: 0, news: [] as SnapshotNews["result"][] };
  const readStream: LogReader["readStream"] = (tenantId, stream, query) => {
    seen.afterVersions.push(query?.afterVersion ?? 0);
    return read(tenantId, stream, query);
  };
  const verifier: Verifier = {
    verify: (row) => {
      seen.verified += 1;
      bench.keys.verifier.verify(row);
    },
  };
  const reader = { ...bench.store.reader, readStream };
  const { directory, runtime } = bench.keys;
  const book = new SnapshotBook({
    snapshots,
    reader,
    verifier,
    directory,
    app,
    clock: bench.clock,
    ...(keeps ? { keeper: { signer: runtime, snapshots } } : {}),
    onNews: ({ result }) => void seen.news.push(result),
  });
  return { seen, book, loader: new ResourceLoader({ reader, verifier, app, snapshots: book }) };
}

async function longStream(events: number): Promise<RuntimeBench> {
  const bench = new RuntimeBench({});
  await bench.publish("create", "acme", { plan: "free" });
  for (let count = 1; count < events; count++) await bench.publish("change-plan", "acme", { [`n${count % 7}`]: count });
  return bench;
}

async function loaded({ loader }: ReturnType<typeof fresh>, bench: RuntimeBench): Promise<Resource | undefined> {
  const resource = await loader.load(bench.tenantId, acme);
  await loader.settled();
  return resource;
}

test("a load begins at the last snapshot and gives what a fold from the beginning gives", async () => {
  const bench = await longStream(250);
  const snapshots = createMemorySnapshots();
  const first = fresh(bench, snapshots);
  const whole = await loaded(first, bench);
  expect(first.seen).toMatchObject({ verified: 250, news: ["taken", "taken"] });

  for (let count = 0; count < 30; count++) await bench.publish("change-plan", "acme", { plan: `p${count}` });
  const second = fresh(bench, snapshots);
  const resumed = await loaded(second, bench);
  expect(second.seen).toEqual({ afterVersions: [0, 249, 250], verified: 31, news: ["used"] });
  expect(resumed).toStrictEqual(await bench.resource("acme"));
  expect(whole?.version).toBe(250);
});

test("a short stream is read once and never asks for a snapshot", async () => {
  const bench = await longStream(limits.snapshotEvents - 1);
  const asked: string[] = [];
  const { seen, loader } = fresh(bench, {
    read: async (_tenant, { aggregateId }) => void asked.push(aggregateId),
    write: async ({ aggregateId }) => void asked.push(aggregateId),
  });
  expect(await loader.load(bench.tenantId, acme)).toMatchObject({ version: limits.snapshotEvents - 1 });
  expect({ asked, reads: seen.afterVersions }).toEqual({ asked: [], reads: [0] });
});

test("a stream that is kept in memory gets a snapshot every so many events", async () => {
  const bench = await longStream(limits.snapshotEvents);
  const written: number[] = [];
  const memory = createMemorySnapshots();
  const snapshots: SnapshotStore = {
    ...memory,
    write: (snapshot) => {
      written.push(snapshot.version);
      return memory.write(snapshot);
    },
  };
  const scene = fresh(bench, snapshots);
  await loaded(scene, bench);
  for (let count = 0; count < 2 * limits.snapshotEvents; count++) {
    await bench.publish("change-plan", "acme", { plan: `p${count}` });
    await loaded(scene, bench);
  }
  expect(written).toEqual([100, 200, 300]);
});

const planted: readonly (readonly [name: string, SnapshotNews["result"], (snapshot: Snapshot) => Partial<Snapshot>])[] =
  [
    ["forged", "refused_signature", () => ({ stateText: "{}", version: 1_000_000 })],
    ["edited", "refused_signature", ({ stateText }) => ({ stateText: stateText.replace('"free"', '"team"') })],
    [
      "signed by an unknown key",
      "refused_key",
      ({ tenantId }) => ({ keyId: tenantId as unknown as Snapshot["keyId"] }),
    ],
    ["of another fold", "refused_fold", () => ({ foldDigest: Buffer.alloc(32) })],
  ];
for (const [name, result, change] of planted) {
  test(`a snapshot that is ${name} is refused, told of and replaced`, async () => {
    const bench = await longStream(150);
    const snapshots = createMemorySnapshots();
    await loaded(fresh(bench, snapshots), bench);
    const honest = await snapshots.read(bench.tenantId, acme);
    if (honest === undefined) throw new Error("there is a snapshot");
    await snapshots.write({ ...honest, ...change(honest) });

    const scene = fresh(bench, snapshots);
    expect(await loaded(scene, bench)).toStrictEqual(await bench.resource("acme"));
    expect(scene.seen.news).toEqual([result, "taken"]);
    expect(scene.seen.verified).toBeGreaterThanOrEqual(150);
    const again = fresh(bench, snapshots);
    await loaded(again, bench);
    expect(again.seen.news).toEqual(["used"]);
  });
}

test("an old snapshot of the stream is true but late: what came after it is folded, and it is replaced", async () => {
  const bench = await longStream(100);
  const snapshots = createMemorySnapshots();
  await loaded(fresh(bench, snapshots), bench);
  const old = await snapshots.read(bench.tenantId, acme);
  for (let count = 0; count < 120; count++) await bench.publish("change-plan", "acme", { plan: `p${count}` });
  await loaded(fresh(bench, snapshots), bench);
  if (old !== undefined) await snapshots.write(old);

  const scene = fresh(bench, snapshots);
  expect(await loaded(scene, bench)).toStrictEqual(await bench.resource("acme"));
  expect(scene.seen).toMatchObject({ verified: 121, news: ["used", "taken"] });
  expect(await snapshots.read(bench.tenantId, acme)).toMatchObject({ version: 200 });
});

test("a snapshot beyond the log is refused: the log was restored from before it", async () => {
  const bench = await longStream(250);
  const snapshots = createMemorySnapshots();
  await loaded(fresh(bench, snapshots), bench);
  const read: LogReader["readStream"] = async (...query) =>
    (await bench.store.reader.readStream(...query)).filter(({ version }) => version <= 150);
  const scene = fresh(bench, snapshots, { read });
  expect(await loaded(scene, bench)).toMatchObject({ version: 150 });
  expect(scene.seen.news).toEqual(["refused_log", "taken"]);
  expect(await snapshots.read(bench.tenantId, acme)).toMatchObject({ version: 100 });
});

test("a long stream that many ask for at once is folded once", async () => {
  const bench = await longStream(300);
  const { seen, loader } = fresh(bench, createMemorySnapshots(), { keeps: false });
  const all = await Promise.all(Array.from({ length: 20 }, () => loader.load(bench.tenantId, acme)));
  expect(new Set(all.map((resource) => resource?.version))).toEqual(new Set([300]));
  expect(seen.verified).toBe(300);
});

test("one that waits for a fold that is aborted folds for itself", async () => {
  const bench = await longStream(300);
  const abort = new AbortController();
  let reads = 0;
  const read: LogReader["readStream"] = (...query) => {
    if (++reads === 3) abort.abort();
    return bench.store.reader.readStream(...query);
  };
  const { loader } = fresh(bench, createMemorySnapshots(), { keeps: false, read });
  const first = loader.load(bench.tenantId, acme, abort.signal);
  const second = loader.load(bench.tenantId, acme);
  await expect(first).rejects.toSatisfy((error) => isEventplaneError(error, "aborted"));
  expect(await second).toMatchObject({ version: 300 });
});

test("the edge opens snapshots and takes none", async () => {
  const bench = await longStream(150);
  const snapshots = createMemorySnapshots();
  const edge = fresh(bench, snapshots, { keeps: false });
  await loaded(edge, bench);
  expect(edge.seen.news).toEqual([]);
  await loaded(fresh(bench, snapshots), bench);
  const again = fresh(bench, snapshots, { keeps: false });
  await loaded(again, bench);
  expect(again.seen).toMatchObject({ news: ["used"], verified: 51 });
});

test("a snapshot that cannot be written holds nobody up", async () => {
  const bench = await longStream(100);
  const down = { read: async () => undefined, write: () => Promise.reject(new EventplaneError("unavailable", "away")) };
  const scene = fresh(bench, down);
  expect(await loaded(scene, bench)).toMatchObject({ version: 100 });
  expect(scene.seen.news).toEqual(["failed"]);
});

test("snapshots that cannot be read are an outage, not a reason to fold for minutes", async () => {
  const bench = await longStream(100);
  const down = { read: () => Promise.reject(new EventplaneError("unavailable", "away")), write: async () => {} };
  await expect(loaded(fresh(bench, down), bench)).rejects.toSatisfy((error) => isEventplaneError(error, "unavailable"));
});

test("an event at the snapshot's version that does not verify stops the load", async () => {
  const bench = await longStream(150);
  const snapshots = createMemorySnapshots();
  await loaded(fresh(bench, snapshots), bench);
  const read: LogReader["readStream"] = async (...query) =>
    (await bench.store.reader.readStream(...query)).map((row) =>
      row.version === 100 ? { ...row, specText: '{"plan":"edited"}' } : row,
    );
  await expect(loaded(fresh(bench, snapshots, { read }), bench)).rejects.toSatisfy((error) =>
    isEventplaneError(error, "verification_failed"),
  );
});

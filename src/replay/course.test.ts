/** The course of a replay: rate, pause, hand-over, failures; on memory and a virtual clock. */
import { describe, expect, test } from "vitest";
import { EventplaneError, PLATFORM_TENANT_ID } from "../kernel/index.js";
import { ReplayBench, type TestReconcile, testDone } from "../testing/index.js";

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `org-${n}`);

/** Organizations that a controller has completed. */
async function settled(controllers: Readonly<Record<string, TestReconcile>>, count: number): Promise<ReplayBench> {
  const replays = new ReplayBench(controllers);
  for (const name of names(count)) await replays.bench.publish("create", name, { name });
  await replays.bench.settleAll();
  return replays;
}

describe("the course of a replay", () => {
  test("keeps to its rate, and says how far it is at most every ten seconds", async () => {
    const replays = await settled({ quota: () => testDone() }, 30);
    const { clock, tenantId } = replays.bench;
    const events = (await replays.bench.types()).length;
    const id = await replays.create("quota", { ratePerSecond: 2 });
    const runner = replays.runner();
    const given = async (): Promise<number> => (await replays.progress.progress(tenantId, [id])).get(id)?.events ?? 0;
    await replays.settle(runner);
    expect(await given()).toBe(2);
    const second = async (): Promise<void> => {
      await clock.advance(1_000);
      await replays.settle(runner);
    };
    await second();
    expect(await given()).toBe(4);
    for (let n = 0; n < events; n++) await second();
    expect(await replays.told(id)).toMatchObject({ state: "completed", events });
    const rows = await replays.bench.store.reader.readStream(PLATFORM_TENANT_ID, {
      aggregateType: "replay",
      aggregateId: id,
    });
    const told = rows.filter(({ type }) => type === "replay.create.replayer");
    expect(told.length).toBe(Math.ceil(events / 2 / 10) + 1);
    expect(rows.map(({ kind }) => kind)).toEqual(["intent", ...told.slice(1).map(() => "internal"), "fact", "fact"]);
    for (const row of told) expect(JSON.parse(row.causedByText)).toMatchObject({ principal: { id: "test" } });
  });

  test("is paused, goes on where it was, and is cancelled", async () => {
    const looks: string[] = [];
    const quota: TestReconcile = ({ resource }) => {
      looks.push(resource.aggregateId);
      return testDone();
    };
    const replays = await settled({ quota }, 6);
    const runner = replays.runner();
    looks.length = 0;
    const filter = { aggregateType: "organization", types: ["organization.create"] };
    const id = await replays.create("quota", { ratePerSecond: 1, filter });
    await replays.settle(runner);
    await replays.change(id, "pause");
    await replays.settle(runner);
    expect(await replays.told(id)).toMatchObject({ state: "paused", events: 1 });
    expect((await replays.replay(id)).phase).toBe("Ready");
    await replays.bench.clock.advance(60_000);
    await replays.settle(runner);
    expect(looks).toEqual(["org-0"]);
    await replays.change(id, "resume");
    await replays.settle(runner);
    await replays.bench.clock.advance(1_000);
    await replays.settle(runner);
    expect(looks).toEqual(["org-0", "org-1", "org-2"]);
    await replays.change(id, "cancel");
    await replays.bench.clock.advance(60_000);
    await replays.settle(runner);
    expect(await replays.told(id)).toMatchObject({ state: "cancelled", events: 3 });
    expect(looks).toHaveLength(3);
  });

  test("goes on in another process where the first one noted it, when its lease has run out", async () => {
    const looks: string[] = [];
    let dies = false;
    const quota: TestReconcile = ({ resource }) => {
      looks.push(resource.aggregateId);
      return testDone();
    };
    const replays = await settled({ quota }, 4);
    looks.length = 0;
    const save = replays.progress.save.bind(replays.progress);
    replays.progress.save = async (...noted) => (dies ? new Promise<never>(() => undefined) : save(...noted));
    const filter = { aggregateType: "organization", types: ["organization.create"] };
    const id = await replays.create("quota", { ratePerSecond: 2, filter });
    const first = replays.runner();
    await replays.settle(first);
    dies = true;
    await replays.bench.clock.advance(1_000);
    void first.settle();
    await replays.bench.clock.advance(100);
    expect(looks).toEqual(["org-0", "org-1", "org-2", "org-3"]);
    dies = false;
    const second = replays.runner();
    await second.settle();
    expect(looks).toHaveLength(4);
    await replays.bench.clock.advance(31_000);
    await replays.settle(second);
    expect(looks.slice(4)).toEqual(["org-2", "org-3"]);
    expect(await replays.told(id)).toMatchObject({ state: "completed", events: 4 });
  });

  test("notes what it gave before the store was away, and leaves the rest of a slow slice to the next turn", async () => {
    const replays = await settled({ quota: () => testDone() }, 20);
    const { loader, clock, tenantId } = replays.bench;
    const load = loader.load.bind(loader);
    let looks = 0;
    let isAway = true;
    loader.load = async (tenant, ...rest) => {
      if (tenant !== tenantId) return load(tenant, ...rest);
      if (++looks > 8 && isAway) throw new EventplaneError("unavailable", "The store is away.");
      return load(tenant, ...rest);
    };
    const filter = { aggregateType: "organization", types: ["organization.create"] };
    const id = await replays.create("quota", { filter });
    const runner = replays.runner();
    await replays.bench.runtime.settle();
    await runner.settle();
    const noted = async (): Promise<unknown> => (await replays.progress.progress(tenantId, [id])).get(id);
    expect(await noted()).toMatchObject({ events: 8, results: { unchanged: 8 } });
    isAway = false;
    loader.load = async (tenant, ...rest) => {
      if (tenant === tenantId) void clock.advance(300);
      return load(tenant, ...rest);
    };
    await clock.advance(10_000);
    await runner.settle();
    await replays.settle(runner);
    expect(await replays.told(id)).toMatchObject({ state: "completed", events: 20, results: { unchanged: 20 } });
  });

  test("that is slow holds up no other one", async () => {
    const replays = await settled({ quota: () => testDone(), other: () => testDone() }, 2);
    const { loader, tenantId } = replays.bench;
    const load = loader.load.bind(loader);
    let release = (): void => undefined;
    const stuck = new Promise<void>((resolve) => (release = resolve));
    loader.load = async (tenant, stream, ...rest) => {
      if (tenant === tenantId && stream.aggregateId === "org-0") await stuck;
      return load(tenant, stream, ...rest);
    };
    const of = (aggregateId: string) => ({ filter: { aggregateType: "organization", aggregateIds: [aggregateId] } });
    const slow = await replays.create("quota", of("org-0"));
    await replays.bench.runtime.settle();
    const stop = new AbortController();
    const running = replays.runner().run(stop.signal);
    await replays.bench.clock.advance(1_000);
    const quick = await replays.create("other", of("org-1"));
    await replays.bench.runtime.settle();
    for (let n = 0; n < 5; n++) await replays.bench.clock.advance(1_000);
    expect(await replays.told(quick)).toMatchObject({ state: "completed" });
    expect(await replays.told(slow)).toBe(undefined);
    release();
    for (let n = 0; n < 5; n++) await replays.bench.clock.advance(1_000);
    expect(await replays.told(slow)).toMatchObject({ state: "completed" });
    stop.abort();
    await running;
  });

  test("is not noted by a process that has lost it", async () => {
    const replays = await settled({ quota: () => testDone() }, 3);
    const id = await replays.create("quota");
    await replays.bench.runtime.settle();
    const { work, tenantId } = replays.bench;
    const extend = work.extend.bind(work);
    work.extend = async () => [];
    await replays.runner().settle();
    work.extend = extend;
    expect((await replays.progress.progress(tenantId, [id])).size).toBe(0);
    expect(await replays.told(id)).toBe(undefined);
    await replays.bench.clock.advance(31_000);
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ state: "completed" });
  });

  test("ends as failed, with its reason, when nobody has the consumer that it names", async () => {
    const replays = await settled({ quota: () => testDone() }, 1);
    const id = await replays.create("gone");
    const runner = replays.runner();
    for (let attempt = 0; attempt < 6; attempt++) {
      await replays.settle(runner);
      await replays.bench.clock.advance(60_000);
    }
    const replay = await replays.replay(id);
    expect(replay).toMatchObject({ phase: "Failed", settled: "rejected" });
    expect(replay.conditions).toMatchObject([
      { type: "Ready" },
      { type: "Rejected", reason: "ReplayFailed", message: expect.stringContaining("replay_target_unknown") },
    ]);
  });

  test("waits for a store that is away", async () => {
    const replays = await settled({ quota: () => testDone() }, 1);
    const id = await replays.create("quota");
    const { reader } = replays.bench.store;
    let isAway = true;
    const read: typeof reader.read = async (tenantId, query) => {
      if (isAway) throw new EventplaneError("unavailable", "The store is away.");
      return reader.read(tenantId, query);
    };
    const runner = replays.runner({ reader: { ...bound(reader), read } });
    await replays.bench.runtime.settle();
    for (let n = 0; n < 10; n++) {
      await runner.settle();
      await replays.bench.clock.advance(10_000);
    }
    expect(await replays.told(id)).toBe(undefined);
    isAway = false;
    await replays.settle(runner);
    expect(await replays.told(id)).toMatchObject({ state: "completed" });
  });
});

/** The methods of a reader as plain functions. */
function bound<Reader extends ReplayBench["bench"]["store"]["reader"]>(reader: Reader): Reader {
  return {
    read: reader.read.bind(reader),
    readByIds: reader.readByIds.bind(reader),
    readStream: reader.readStream.bind(reader),
    head: reader.head.bind(reader),
  } as Reader; // all that a reader has
}

/** Replays to controllers, on the store and the work rows in memory, on a virtual clock. */
import { describe, expect, test } from "vitest";
import { ReplayBench, type TestReconcile, testCustomer, testDecision, testDone } from "../testing/index.js";

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `org-${n}`);

/** Organizations that a controller has completed. */
async function settled(controllers: Readonly<Record<string, TestReconcile>>, count: number): Promise<ReplayBench> {
  const replays = new ReplayBench(controllers);
  for (const name of names(count)) await replays.bench.publish("create", name, { name });
  await replays.bench.settleAll();
  return replays;
}

describe("a replay to a controller", () => {
  test("that has decided on everything adds nothing, and says so", async () => {
    const replays = await settled({ quota: () => testDone() }, 10);
    const before = await replays.bench.types();
    const id = await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await replays.bench.types()).toEqual(before);
    const replay = await replays.replay(id);
    expect(replay).toMatchObject({ phase: "Ready", settled: "ready" });
    expect(replay.status["replayer"]).toEqual({
      state: "completed",
      position: before.length,
      events: before.length,
      // Each resource once, however many of its events are meant.
      results: { unchanged: 10 },
    });
  });

  test("gives it what it decides otherwise today, once", async () => {
    let members = 1;
    const replays = await settled({ quota: () => testDone({ members }), other: () => testDone() }, 2);
    members = 2;
    const before = (await replays.bench.types()).length;
    const id = await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ results: { changed: 2 } });
    expect((await replays.bench.types()).slice(before)).toEqual([
      "organization.create.quota",
      "organization.create.quota",
    ]);
    expect((await replays.bench.resource("org-1")).status).toMatchObject({ quota: { members: 2 } });
    const again = await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await replays.told(again)).toMatchObject({ results: { unchanged: 2 } });
    expect((await replays.bench.types()).length).toBe(before + 2);
  });

  test("that is tried dry says what it would change, and adds nothing", async () => {
    let members = 1;
    const replays = await settled({ quota: () => testDone({ members }) }, 2);
    members = 2;
    const before = await replays.bench.types();
    const id = await replays.create("quota", { dryRun: true });
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ state: "completed", results: { changed: 2 } });
    expect(await replays.bench.types()).toEqual(before);
  });

  test("means the events of its filter, up to its end", async () => {
    const replays = await settled({ quota: () => testDone() }, 4);
    const [first] = await replays.bench.store.reader.read(replays.bench.tenantId, {});
    const filters = [
      [{ filter: { aggregateType: "organization", aggregateIds: ["org-1", "org-2"] } }, 2],
      [{ filter: { aggregateType: "organization", types: ["organization.create"], aggregateIds: ["org-3"] } }, 1],
      [{ filter: { aggregateType: "organization", correlationId: first?.correlationId ?? "" } }, 1],
      [{ filter: { aggregateType: "organization", types: ["organization.other"] } }, 0],
      [{ filter: { aggregateType: "organization", types: ["organization.other", "organization.another"] } }, 0],
      [{ filter: { aggregateType: "organization", after: 3, types: ["organization.create"] } }, 1],
      [{ filter: { aggregateType: "organization", recordedFrom: "2200-01-01T00:00:00Z" } }, 0],
      [{ filter: { aggregateType: "organization", recordedBefore: "2200-01-01T00:00:00Z" } }, 4],
      [{ until: 2 }, 2],
    ] as const;
    for (const [spec, looked] of filters) {
      const id = await replays.create("quota", spec);
      await replays.settle(replays.runner());
      const results = looked === 0 ? {} : { unchanged: looked };
      const told = expect.objectContaining({ state: "completed", results });
      expect([spec, await replays.told(id)]).toEqual([spec, told]);
    }
  });

  test("whose filter begins behind its end is completed there, and gives nothing", async () => {
    const replays = await settled({ quota: () => testDone() }, 1);
    const id = await replays.create("quota", { filter: { aggregateType: "organization", after: 9_999 }, until: 2 });
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toEqual({ state: "completed", position: 2, events: 0, results: {} });
  });

  test("looks neither at what is deleted nor at what has a dead letter, and goes on after what throws", async () => {
    let isBroken = true;
    const quota: TestReconcile = ({ resource }) => {
      if (resource.aggregateId === "stuck" && isBroken) throw new Error("secret");
      if (resource.aggregateId === "throws" && !isBroken) throw new TypeError("secret");
      return testDone();
    };
    const replays = new ReplayBench({ quota });
    for (const name of ["gone", "stuck", "throws", "well"]) await replays.bench.publish("create", name);
    await replays.bench.settleFailures();
    await replays.bench.publish("delete", "gone");
    await replays.bench.settleAll();
    isBroken = false;
    const id = await replays.create("quota");
    await replays.settle(replays.runner());
    const told = await replays.told(id);
    expect(told).toMatchObject({ results: { closed: 1, blocked: 1, failed: 1, unchanged: 1 } });
    expect(told).toMatchObject({
      firstFailure: expect.stringContaining("organization/throws: The controller threw TypeError"),
    });
    expect(JSON.stringify(told)).not.toContain("secret");
    expect(await replays.bench.work.deadLetters(replays.bench.tenantId)).toHaveLength(1);
    await replays.bench.decide("dead-letter.discarded", "stuck", "quota");
    await replays.bench.runtime.settle();
    const filter = { aggregateType: "organization", aggregateIds: ["stuck"] };
    const discarded = await replays.create("quota", { filter });
    await replays.settle(replays.runner());
    expect(await replays.told(discarded)).toMatchObject({ results: { changed: 1 } });
    expect((await replays.bench.resource("stuck")).phase).toBe("Ready");
  });
});

describe("outside effects of a replay", () => {
  const asking = (): { readonly replays: ReplayBench; readonly calls: string[]; readonly renew: () => void } => {
    const calls: string[] = [];
    let suffix = "";
    const worker = testCustomer(({ input }) => {
      calls.push(String(input["name"]));
      return { id: "cus" };
    });
    const billing: TestReconcile = ({ resource, effects }) => {
      const name = `${resource.aggregateId}${suffix}`;
      return testDecision(effects.get<object, object>(worker, { name }));
    };
    return { replays: new ReplayBench({ billing }, [worker.definition]), calls, renew: () => (suffix = "-new") };
  };

  test("are off: new asks are withheld, old ones have their results", async () => {
    const { replays, calls, renew } = asking();
    await replays.bench.publish("create", "acme");
    await replays.bench.settleAll();
    const before = await replays.bench.types();
    const id = await replays.create("billing");
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ results: { unchanged: 1 } });
    renew();
    const withheld = await replays.create("billing");
    await replays.settle(replays.runner());
    await replays.bench.settleAll();
    expect(await replays.told(withheld)).toMatchObject({ results: { withheld: 1 } });
    expect(calls).toEqual(["acme"]);
    expect(await replays.bench.types()).toEqual(before);
  });

  test("are off for the controllers too that would see what the one adds", async () => {
    const calls: string[] = [];
    let members = 1;
    const worker = testCustomer(({ input }) => {
      calls.push(String(input["name"]));
      return { id: "cus" };
    });
    const quota: TestReconcile = () => testDone({ members });
    const billing: TestReconcile = ({ resource, effects }) => {
      const seen = resource.status["quota"] as { readonly members?: number } | undefined; // as quota reports it
      if (seen?.members === undefined) return { outcome: "progressing" };
      return testDecision(effects.get<object, object>(worker, { name: `${seen.members} members` }));
    };
    const replays = new ReplayBench({ quota, billing }, [worker.definition]);
    await replays.bench.publish("create", "acme");
    await replays.bench.settleAll();
    members = 2;
    const before = await replays.bench.types();
    for (const dryRun of [true, false]) {
      const id = await replays.create("quota", { dryRun });
      await replays.settle(replays.runner());
      await replays.bench.settleAll();
      expect(await replays.told(id)).toMatchObject({ results: { withheld: 1 } });
    }
    expect([await replays.bench.types(), calls]).toEqual([before, ["1 members"]]);
    await replays.create("quota", { allowEffects: true });
    await replays.settle(replays.runner());
    await replays.bench.settleAll();
    expect(calls).toEqual(["1 members", "2 members"]);
  });

  test("are taken to follow where controllers do not come to rest on what the one adds", async () => {
    let members = 1;
    const quota: TestReconcile = () => testDone({ members });
    const restless: TestReconcile = ({ resource }) => {
      const seen = resource.status["restless"] as { readonly n?: number } | undefined; // as it reports it itself
      return testDone({ n: members === 1 ? 0 : (seen?.n ?? 0) + 1 });
    };
    const replays = await settled({ quota, restless }, 1);
    members = 2;
    const before = await replays.bench.types();
    const id = await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ results: { withheld: 1 } });
    expect(await replays.bench.types()).toEqual(before);
  });

  test("include what it wants of other resources", async () => {
    let emits = false;
    const quota: TestReconcile = () => {
      const emit = { type: "project.create", spec: {} };
      return emits ? { ...testDone(), emit } : testDone();
    };
    const replays = await settled({ quota }, 1);
    emits = true;
    const before = await replays.bench.types();
    const id = await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({ results: { withheld: 1 } });
    expect(await replays.bench.types()).toEqual(before);
    await replays.create("quota", { allowEffects: true });
    await replays.settle(replays.runner());
    expect((await replays.bench.types()).slice(before.length)).toEqual(expect.arrayContaining(["project.create"]));
  });

  test("that another resource refuses are a failure of that look alone", async () => {
    let emits = false;
    const quota: TestReconcile = () =>
      emits ? { ...testDone(), emit: { type: "project.rename", spec: {} } } : testDone();
    const replays = await settled({ quota }, 2);
    emits = true;
    const id = await replays.create("quota", { allowEffects: true });
    await replays.settle(replays.runner());
    expect(await replays.told(id)).toMatchObject({
      state: "completed",
      results: { failed: 2 },
      firstFailure: expect.stringContaining("project.rename"),
    });
  });

  test("are made when they are allowed", async () => {
    const { replays, calls, renew } = asking();
    await replays.bench.publish("create", "acme");
    await replays.bench.settleAll();
    renew();
    const id = await replays.create("billing", { allowEffects: true });
    await replays.settle(replays.runner());
    await replays.bench.settleAll();
    expect(await replays.told(id)).toMatchObject({ results: { changed: 1 } });
    expect(calls).toEqual(["acme", "acme-new"]);
  });

  test("include looks at a later time", async () => {
    let requeues = false;
    const quota: TestReconcile = () => (requeues ? { ...testDone(), requeueAfterMs: 1_000 } : testDone());
    const replays = await settled({ quota }, 1);
    requeues = true;
    const nextDue = (): Promise<number | null> => replays.bench.work.nextDueMs(["quota"]);
    await replays.create("quota");
    await replays.settle(replays.runner());
    expect(await nextDue()).toBe(null);
    await replays.create("quota", { allowEffects: true });
    await replays.settle(replays.runner());
    expect(await nextDue()).toBe(1_000);
  });
});

/** What becomes of attempts that fail, on memory and a virtual clock. */
import { expect, test } from "vitest";
import type { EventRow, Verifier } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";
import { type LogReader, ResourceLoader } from "../store/index.js";
import {
  createTestApp,
  createTestKeys,
  RuntimeBench,
  type TestReconcile,
  testDone,
  VirtualClock,
} from "../testing/index.js";

const quota: TestReconcile = () => testDone({ members: 3 });

test("a controller that throws five times becomes a dead letter that blocks only its stream and controller", async () => {
  const bench = new RuntimeBench({
    quota,
    billing: ({ resource }) => {
      if (resource.aggregateId === "bad") throw new TypeError("secret payload");
      return testDone();
    },
  });
  await bench.publish("create", "bad", { plan: "free" });
  await bench.publish("create", "good", { plan: "free" });
  await bench.settleFailures();
  expect((await bench.resource("good")).phase).toBe("Ready");
  const bad = await bench.resource("bad");
  expect(bad.phase).toBe("Failed");
  expect(bad.status).toMatchObject({ quota: { members: 3 } });
  const [letter, ...more] = await bench.work.deadLetters(bench.tenantId);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    component: "billing",
    aggregateId: "bad",
    attempts: 5,
    failure: { code: "TypeError" },
  });
  expect(JSON.stringify([letter, bench.logged])).not.toContain("secret payload");
  expect((await bench.types()).filter((type) => type === "organization.dead-lettered")).toHaveLength(1);
});

test("a failure whose record the store refuses once is recorded at once, and waits for no lease", async () => {
  const bench = new RuntimeBench({
    billing: () => {
      throw new TypeError("broken");
    },
  });
  const fail = bench.work.fail.bind(bench.work);
  const outages = [false, true, true, false, false, false, true];
  bench.work.fail = (...given) =>
    outages.shift() === true ? Promise.reject(new EventplaneError("unavailable", "no store")) : fail(...given);
  await bench.publish("create", "acme");
  await bench.settleFailures();
  expect(await bench.work.deadLetters(bench.tenantId)).toMatchObject([{ component: "billing", attempts: 5 }]);
  expect((await bench.types()).filter((type) => type === "organization.dead-lettered")).toHaveLength(1);
  expect(outages).toEqual([]);
});

test("a redriven dead letter runs again with fresh attempts and makes one ready fact", async () => {
  let isBroken = true;
  const bench = new RuntimeBench({
    billing: () => {
      if (isBroken) throw new Error("broken");
      return testDone();
    },
  });
  await bench.publish("create", "acme");
  await bench.settleFailures();
  expect(await bench.work.deadLetters(bench.tenantId)).toHaveLength(1);
  isBroken = false;
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Failed");
  await bench.decide("dead-letter.redriven", "acme", "billing");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
  expect((await bench.types()).filter((type) => type === "organization.ready")).toHaveLength(1);
});

test("a newer generation supersedes a dead letter", async () => {
  const bench = new RuntimeBench({
    billing: ({ resource }) => {
      if (resource.spec.plan === "free") throw new Error("broken");
      return testDone();
    },
  });
  await bench.publish("create", "acme", { plan: "free" });
  await bench.settleFailures();
  expect(await bench.work.deadLetters(bench.tenantId)).toHaveLength(1);
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Ready", generation: 2 });
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
});

test("a terminal error is a dead letter at the first attempt and shows its message", async () => {
  const bench = new RuntimeBench({
    billing: () => {
      const error = new Error("the contract has ended");
      error.name = "TerminalError";
      throw error;
    },
  });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  const [letter] = await bench.work.deadLetters(bench.tenantId);
  expect(letter).toMatchObject({ attempts: 1, failure: { code: "terminal_error" } });
  expect(letter?.failure.message).toContain("the contract has ended");
});

test("a controller that draws chance of its own is found by the determinism check", async () => {
  const bench = new RuntimeBench({ quota: () => testDone({ members: Math.random() }) });
  await bench.publish("create", "acme");
  await bench.settleFailures();
  const [letter] = await bench.work.deadLetters(bench.tenantId);
  expect(letter?.failure.code).toBe("decision_not_deterministic");
});

test("a promise from reconcile is refused as decision_invalid", async () => {
  const bench = new RuntimeBench({ quota: (() => Promise.reject(new Error("late"))) as unknown as TestReconcile });
  await bench.publish("create", "acme");
  await bench.settleFailures();
  expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe("decision_invalid");
});

test("a controller that has no thread to run in waits its turn, loses no attempt and says nothing", async () => {
  let turns = 0;
  const bench = new RuntimeBench(
    { quota },
    {
      reconciler: {
        run: async ({ controller }) => {
          if (++turns <= 8) throw new EventplaneError("busy", "others need the threads", { details: { controller } });
          return { decisions: testDone({ members: 3 }), asks: [], lookups: {} };
        },
      },
    },
  );
  await bench.publish("create", "acme");
  for (let turn = 0; turn < 12; turn++) {
    await bench.runtime.settle();
    await bench.clock.advance(10_000);
  }
  expect((await bench.resource("acme")).phase).toBe("Ready");
  expect(turns).toBeGreaterThan(8);
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
  expect(bench.logged).toEqual([]);
});

test("a reconcile that holds the thread longer than its time-out fails with reconcile_timeout, and is counted as one", async () => {
  let heldMs = 0;
  const counted: string[] = [];
  const clock = new VirtualClock();
  const slow = { nowUs: () => clock.nowUs(), monotonicMs: () => heldMs, sleep: clock.sleep.bind(clock) };
  const bench = new RuntimeBench(
    {
      quota: () => {
        heldMs += 10_001;
        return testDone();
      },
    },
    { clock: slow, attemptsMax: 3, metrics: { reconciled: ({ result }) => void counted.push(result) } },
  );
  await bench.publish("create", "acme");
  await bench.settleFailures();
  expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe("reconcile_timeout");
  expect(counted.filter((result) => result !== "success")).toEqual(["timeout", "timeout", "dead_letter"]);
});

test("two controllers that wake one another for ever come to rest: one of them becomes a dead letter", async () => {
  const counts =
    (name: string): TestReconcile =>
    ({ resource }) =>
      testDone({ [name]: resource.version });
  const bench = new RuntimeBench({ ping: counts("ping"), pong: counts("pong") }, { reconcilesPerGenerationMax: 10 });
  await bench.publish("create", "acme");
  await bench.settleFailures();
  const letters = await bench.work.deadLetters(bench.tenantId);
  expect(letters.map(({ failure }) => failure.code)).toEqual(["reconciles_exhausted"]);
  expect((await bench.types()).length).toBeLessThan(30);
});

test("a controller that wakes itself by a timer and decides something new each time becomes a dead letter of its own code", async () => {
  const restless: TestReconcile = ({ now }) => ({ outcome: "progressing", status: { at: now }, requeueAfterMs: 10 });
  const bench = new RuntimeBench({ restless, quota: () => testDone() }, { reconcilesPerGenerationMax: 10 });
  await bench.publish("create", "acme");
  for (let turn = 0; turn < 30; turn++) {
    await bench.runtime.settle();
    await bench.clock.advance(10);
  }
  const [letter, ...more] = await bench.work.deadLetters(bench.tenantId);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({ component: "restless", failure: { code: "reconciles_exhausted" } });
  expect((await bench.types()).filter((type) => type === "organization.create.restless")).toHaveLength(10);
  await bench.publish("change-plan", "acme");
  await bench.runtime.settle();
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
  expect((await bench.types()).filter((type) => type === "organization.change-plan.restless")).toHaveLength(1);
});

test("a controller that looks again and again and decides nothing new goes on for ever", async () => {
  let runs = 0;
  const patient: TestReconcile = () => {
    runs += 1;
    return { outcome: "progressing", requeueAfterMs: 10 };
  };
  const bench = new RuntimeBench({ patient }, { reconcilesPerGenerationMax: 10 });
  await bench.publish("create", "acme");
  for (let turn = 0; turn < 50; turn++) {
    await bench.runtime.settle();
    await bench.clock.advance(10);
  }
  expect(runs).toBeGreaterThan(50);
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
});

test("an event that does not verify is never folded: its controllers stop as dead letters and nothing is appended", async () => {
  const bench: RuntimeBench = new RuntimeBench(
    { quota },
    {
      loader: loaderOf(
        () => bench,
        (row) => ({ ...row, specText: '{"plan":"team"}' }),
      ),
    },
  );
  await bench.publish("create", "acme", { plan: "free" });
  await bench.settleFailures();
  expect(await bench.types()).toEqual(["organization.create"]);
  const [letter] = await bench.work.deadLetters(bench.tenantId);
  expect(letter?.failure.code).toBe("verification_failed");
  expect(bench.logged.some(({ message }) => message.includes("does not verify"))).toBe(true);
});

test("an event whose key is not known yet is tried again without end and counts no attempt", async () => {
  let directory = createTestKeys().verifier;
  const bench: RuntimeBench = new RuntimeBench(
    { quota },
    {
      loader: loaderOf(
        () => bench,
        (row) => row,
        { verify: (row) => directory.verify(row) },
      ),
    },
  );
  await bench.publish("create", "acme", { plan: "free" });
  for (let turn = 0; turn < 10; turn++) {
    await bench.runtime.settle();
    await bench.clock.advance(1_000);
  }
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
  directory = bench.keys.verifier;
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

/** A loader over the bench's log that sees each row through `see`. */
function loaderOf(bench: () => RuntimeBench, see: (row: EventRow) => EventRow, verifier?: Verifier): ResourceLoader {
  const verify: Verifier = verifier ?? { verify: (row) => bench().keys.verifier.verify(row) };
  const readStream: LogReader["readStream"] = async (...args) => {
    const rows = await bench().store.reader.readStream(...args);
    return rows.map(see);
  };
  const refuse = (): never => {
    throw new Error("only streams are loaded");
  };
  const reader = { readStream, read: refuse, readByIds: refuse, head: refuse };
  return new ResourceLoader({ reader, verifier: verify, app: createTestApp({}) });
}

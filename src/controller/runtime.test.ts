/** The runtime on the store and the work rows in memory, with a virtual clock. */
import { expect, test } from "vitest";
import { EventFactory, type Resource } from "../event/index.js";
import { isEventplaneError, type JsonObject, PLATFORM_TENANT_ID, systemIds } from "../kernel/index.js";
import { Coalescer, createMemoryStore, type Receipt, ResourceLoader } from "../store/index.js";
import {
  createTestApp,
  createTestKeys,
  newTenantId,
  testCausedBy,
  testDone,
  type TestReconcile,
  VirtualClock,
} from "../testing/index.js";
import { deadLetterId, MemoryWorkStore } from "../work/index.js";
import { ControllerRuntime, type ControllerRuntimeOptions } from "./index.js";

const keys = createTestKeys();
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

interface Entry {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

class Bench {
  readonly clock = new VirtualClock();
  readonly tenantId = newTenantId();
  readonly logged: Entry[] = [];
  readonly runtime: ControllerRuntime;
  readonly loader: ResourceLoader;
  readonly work: MemoryWorkStore;
  readonly store: ReturnType<typeof createMemoryStore>;
  readonly #factory: EventFactory;
  readonly #edge: Coalescer;

  constructor(controllers: Readonly<Record<string, TestReconcile>>, options: Partial<ControllerRuntimeOptions> = {}) {
    const { clock } = this;
    const app = createTestApp(controllers);
    this.work = new MemoryWorkStore({ clock, reader: () => this.store.reader, tenants: () => this.store.tenants() });
    this.store = createMemoryStore({ clock, settleLease: (tenantId, lease) => this.work.settle(tenantId, lease) });
    this.loader = new ResourceLoader({ reader: this.store.reader, verifier: keys.verifier, app });
    this.#factory = new EventFactory({ app, ids: systemIds });
    this.#edge = new Coalescer({ appender: this.store.edge, signer: keys.edge, clock });
    const coalescer = new Coalescer({ appender: this.store.runtime, signer: keys.runtime, clock });
    const note = (fields: Entry["fields"], message: string): void => void this.logged.push({ fields, message });
    const logger = { ...silent, warn: note, error: note, child: () => logger };
    this.runtime = new ControllerRuntime({
      app,
      work: this.work,
      coalescer,
      loader: this.loader,
      clock,
      random: () => 0.5,
      logger,
      checkDeterminism: true,
      ...options,
    });
  }

  async publish(type: string, aggregateId: string, spec: JsonObject = {}, tenantId = this.tenantId): Promise<Receipt> {
    const request = { tenantId, type: `organization.${type}`, aggregateId, spec, specText: JSON.stringify(spec) };
    return this.#append(this.#factory.intent(request, testCausedBy), tenantId);
  }

  async decide(type: "dead-letter.redriven" | "dead-letter.discarded", aggregateId: string, component: string): Promise<void> {
    const key = { aggregateType: "organization", aggregateId, component };
    const id = deadLetterId({ tenantId: this.tenantId, ...key });
    const fact = { tenantId: this.tenantId, type, aggregateId: id, spec: key };
    await this.#append(this.#factory.systemFact(fact, testCausedBy), this.tenantId);
  }

  async #append(item: ReturnType<EventFactory["intent"]>, tenantId: Bench["tenantId"]): Promise<Receipt> {
    const outcome = await this.#edge.append({ tenantId, items: [item] });
    expect(outcome.result).toBe("appended");
    if (outcome.result !== "appended" || outcome.receipts[0] === undefined) throw new Error("not appended");
    return outcome.receipts[0];
  }

  async resource(aggregateId: string): Promise<Resource> {
    const resource = await this.loader.load(this.tenantId, { aggregateType: "organization", aggregateId });
    if (resource === undefined) throw new Error("no such resource");
    return resource;
  }

  async types(): Promise<readonly string[]> {
    const rows = await this.store.reader.read(this.tenantId, { limit: 1000 });
    return rows.map(({ type }) => type);
  }
}

const limits: JsonObject = { free: 3, team: 25 };
const quota: TestReconcile = ({ resource }) => testDone({ members: limits[String(resource.spec.plan)] ?? 0 });

test("an intent becomes Ready through all controllers, with one ready fact", async () => {
  const bench = new Bench({ namespace: () => testDone({ name: "acme" }), quota, billing: () => testDone() });
  await bench.publish("create", "acme", { plan: "free" });
  await bench.runtime.settle();
  const resource = await bench.resource("acme");
  expect(resource.phase).toBe("Ready");
  expect(resource.status).toMatchObject({ namespace: { name: "acme" }, quota: { members: 3 } });
  expect((await bench.types()).filter((type) => type === "organization.ready")).toHaveLength(1);
});

test("a changed plan opens generation 2 and the status is computed again", async () => {
  const bench = new Bench({ quota });
  await bench.publish("create", "acme", { plan: "free", name: "Acme" });
  await bench.runtime.settle();
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  const resource = await bench.resource("acme");
  expect(resource).toMatchObject({ generation: 2, phase: "Ready", spec: { plan: "team", name: "Acme" }, status: { quota: { members: 25 } } });
  expect((await bench.types()).filter((type) => type === "organization.ready")).toHaveLength(2);
});

test("a deletion ends deleted once every controller has completed it, and nobody works on the resource after", async () => {
  const seen: string[] = [];
  const bench = new Bench({
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
  const bench = new Bench({
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
  const bench = new Bench(
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

test("a controller that throws five times becomes a dead letter that blocks only its stream and controller", async () => {
  const bench = new Bench({
    quota,
    billing: ({ resource }) => {
      if (resource.aggregateId === "bad") throw new TypeError("secret payload");
      return testDone();
    },
  });
  await bench.publish("create", "bad", { plan: "free" });
  await bench.publish("create", "good", { plan: "free" });
  await advanceUntilQuiet(bench);
  expect((await bench.resource("good")).phase).toBe("Ready");
  const bad = await bench.resource("bad");
  expect(bad.phase).toBe("Failed");
  expect(bad.status).toMatchObject({ quota: { members: 3 } });
  const [letter, ...more] = await bench.work.deadLetters(bench.tenantId);
  expect(more).toEqual([]);
  expect(letter).toMatchObject({ component: "billing", aggregateId: "bad", attempts: 5, failure: { code: "TypeError" } });
  expect(JSON.stringify([letter, bench.logged])).not.toContain("secret payload");
  expect((await bench.types()).filter((type) => type === "organization.dead-lettered")).toHaveLength(1);
});

test("the log names file and line of the controller that threw", async () => {
  const bench = new Bench({ billing: () => JSON.parse("{") as never });
  await bench.publish("create", "bad");
  await advanceUntilQuiet(bench);
  // The test lies inside the folder of our own code, so the place is that of the runtime's caller or none; never the text.
  expect(bench.logged.some(({ message }) => message.includes("gave up"))).toBe(true);
});

test("a redriven dead letter runs again with fresh attempts and makes one ready fact", async () => {
  let isBroken = true;
  const bench = new Bench({
    billing: () => {
      if (isBroken) throw new Error("broken");
      return testDone();
    },
  });
  await bench.publish("create", "acme");
  await advanceUntilQuiet(bench);
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
  const bench = new Bench({
    billing: ({ resource }) => {
      if (resource.spec.plan === "free") throw new Error("broken");
      return testDone();
    },
  });
  await bench.publish("create", "acme", { plan: "free" });
  await advanceUntilQuiet(bench);
  expect(await bench.work.deadLetters(bench.tenantId)).toHaveLength(1);
  await bench.publish("change-plan", "acme", { plan: "team" });
  await bench.runtime.settle();
  expect(await bench.resource("acme")).toMatchObject({ phase: "Ready", generation: 2 });
  expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
});

test("a terminal error is a dead letter at the first attempt and shows its message", async () => {
  const bench = new Bench({
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

test("a controller that rejected a generation is not run for it again", async () => {
  let runs = 0;
  const bench = new Bench(
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

test("a controller that draws chance of its own is found by the determinism check", async () => {
  const bench = new Bench({ quota: () => testDone({ members: Math.random() }) });
  await bench.publish("create", "acme");
  await advanceUntilQuiet(bench);
  const [letter] = await bench.work.deadLetters(bench.tenantId);
  expect(letter?.failure.code).toBe("decision_not_deterministic");
});

test("chance from the context is the same for the same basis", async () => {
  const bench = new Bench({ quota: ({ random }) => testDone({ members: random() }) });
  await bench.publish("create", "acme");
  await bench.runtime.settle();
  expect((await bench.resource("acme")).phase).toBe("Ready");
});

test("a promise from reconcile is refused as decision_invalid", async () => {
  const bench = new Bench({ quota: (() => Promise.reject(new Error("late"))) as unknown as TestReconcile });
  await bench.publish("create", "acme");
  await advanceUntilQuiet(bench);
  expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe("decision_invalid");
});

test("a reconcile that holds the thread longer than its time-out fails with reconcile_timeout", async () => {
  let heldMs = 0;
  const clock = new VirtualClock();
  const slow = { nowUs: () => clock.nowUs(), monotonicMs: () => heldMs, sleep: clock.sleep.bind(clock) };
  const bench = new Bench(
    {
      quota: () => {
        heldMs += 10_001;
        return testDone();
      },
    },
    { clock: slow },
  );
  await bench.publish("create", "acme");
  await advanceUntilQuiet(bench);
  expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe("reconcile_timeout");
});

test("controllers see neither who asked nor a resource that they could change", async () => {
  const seen: string[] = [];
  const bench = new Bench({
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
  const bench = new Bench({});
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

test("an event that does not verify is never folded; its row becomes a dead letter", async () => {
  const strangers = createTestKeys();
  const bench = new Bench({ quota });
  const foreign = new ResourceLoader({ reader: bench.store.reader, verifier: strangers.verifier, app: createTestApp({}) });
  await bench.publish("create", "acme");
  await expect(foreign.load(bench.tenantId, { aggregateType: "organization", aggregateId: "acme" })).rejects.toSatisfy(
    (error) => isEventplaneError(error, "key_unknown"),
  );
  const forged = { ...(await bench.store.reader.read(bench.tenantId, {}))[0], specText: '{"plan":"team"}' };
  const reader = { ...bench.store.reader, readStream: async () => [forged as never] };
  const loader = new ResourceLoader({ reader, verifier: keys.verifier, app: createTestApp({}) });
  await expect(loader.load(bench.tenantId, { aggregateType: "organization", aggregateId: "acme" })).rejects.toSatisfy(
    (error) => isEventplaneError(error, "verification_failed"),
  );
});

test("run works by the doorbell, and after an abort it hands back what it has not begun", async () => {
  const bench = new Bench({ quota });
  await bench.publish("create", "acme", { plan: "free" });
  const stop = new AbortController();
  const running = bench.runtime.run(stop.signal);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect((await bench.resource("acme")).phase).toBe("Ready");
  stop.abort();
  await running;
});

test("the platform's own aggregates become ready too", async () => {
  const bench = new Bench({});
  await bench.publish("create", "acme", {}, PLATFORM_TENANT_ID);
  await bench.runtime.settle();
  const rows = await bench.store.reader.read(PLATFORM_TENANT_ID, {});
  expect(rows.map(({ type }) => type)).toEqual(["organization.create", "organization.ready"]);
});

/** Lets the backoffs of failing controllers pass. */
async function advanceUntilQuiet(bench: Bench): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    await bench.runtime.settle();
    await bench.clock.advance(200);
  }
  await bench.runtime.settle();
}

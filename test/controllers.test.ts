/** Controllers on PostgreSQL: competing processes, crashes, timers, dead letters, and how long it takes. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ControllerRuntime, type ControllerRuntimeOptions } from "../src/controller/index.js";
import { EventFactory, type EventRow, type Resource } from "../src/event/index.js";
import {
  type Doorbell,
  type JsonObject,
  systemClock,
  systemIds,
  systemRandom,
  type TenantId,
} from "../src/kernel/index.js";
import { createDoorbell } from "../src/plane/doorbell/index.js";
import { Coalescer, type Receipt, ResourceLoader } from "../src/store/index.js";
import { createPool, PostgresAppender, PostgresReader } from "../src/store/postgres/index.js";
import {
  createTestApp,
  createTestKeys,
  newTenantId,
  type TestReconcile,
  testCausedBy,
  testDone,
} from "../src/testing/index.js";
import { deadLetterId, PostgresWorkStore } from "../src/work/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const keys = createTestKeys();
const silent: ControllerRuntimeOptions["logger"] = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};
const waitMsMax = 15_000;

let installation: Installation;
const running: Runner[] = [];

beforeAll(async () => {
  installation = await installEventplane();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((runner) => runner.stop()));
});
afterAll(() => installation.close());

/** One process: pools of its own, and a runtime that can be stopped or killed. */
class Runner {
  readonly #stop = new AbortController();
  readonly #pool = createPool(installation.url("runtime"), { connectionsMax: 4 });
  readonly #done: Promise<void>;
  #isKilled = false;

  constructor(
    controllers: Readonly<Record<string, TestReconcile>>,
    options: Partial<ControllerRuntimeOptions> & { readonly doorbell?: Doorbell } = {},
  ) {
    const app = createTestApp(controllers);
    const appender = new PostgresAppender(this.#pool, "runtime");
    const coalescer = new Coalescer({
      appender: { tier: "runtime", append: (call) => (this.#isKilled ? new Promise(() => {}) : appender.append(call)) },
      signer: keys.runtime,
      clock: systemClock,
      ...(options.doorbell === undefined ? {} : { doorbell: options.doorbell }),
    });
    const runtime = new ControllerRuntime({
      app,
      work: new PostgresWorkStore(this.#pool),
      coalescer,
      loader: new ResourceLoader({ reader: new PostgresReader(this.#pool), verifier: keys.verifier, app }),
      clock: systemClock,
      random: systemRandom,
      logger: silent,
      pollMs: 50,
      ...options,
    });
    this.#done = runtime.run(this.#stop.signal);
    running.push(this);
  }

  /** As `kill -9`: what it has leased stays leased, what it would append never comes. */
  kill(): void {
    this.#isKilled = true;
    this.#stop.abort();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (!this.#isKilled) await this.#done;
    await this.#pool.end();
  }
}

/** What tenants do. */
class Publisher {
  readonly tenantId: TenantId = newTenantId();
  readonly #edge: Coalescer;
  readonly #factory = new EventFactory({ app: createTestApp(names), ids: systemIds });
  readonly #loader: ResourceLoader;

  constructor(doorbell?: Doorbell) {
    const options = { appender: installation.edge, signer: keys.edge, clock: systemClock };
    this.#edge = new Coalescer(doorbell === undefined ? options : { ...options, doorbell });
    this.#loader = new ResourceLoader({ reader: installation.reader, verifier: keys.verifier, app: createTestApp({}) });
  }

  async publish(type: string, aggregateId: string, spec: JsonObject = {}): Promise<Receipt> {
    const { tenantId } = this;
    const request = { tenantId, type: `organization.${type}`, aggregateId, spec, specText: JSON.stringify(spec) };
    return this.#append(this.#factory.intent(request, testCausedBy));
  }

  async redrive(aggregateId: string, component: string): Promise<void> {
    const spec = { aggregateType: "organization", aggregateId, component };
    const id = deadLetterId({ tenantId: this.tenantId, ...spec });
    const fact = { tenantId: this.tenantId, type: "dead-letter.redriven", aggregateId: id, spec } as const;
    await this.#append(this.#factory.systemFact(fact, testCausedBy));
  }

  async #append(item: ReturnType<EventFactory["intent"]>): Promise<Receipt> {
    const outcome = await this.#edge.append({ tenantId: this.tenantId, items: [item] });
    if (outcome.result !== "appended" || outcome.receipts[0] === undefined) throw new Error(JSON.stringify(outcome));
    return outcome.receipts[0];
  }

  resource(aggregateId: string): Promise<Resource | undefined> {
    return this.#loader.load(this.tenantId, { aggregateType: "organization", aggregateId });
  }

  async log(): Promise<readonly EventRow[]> {
    const rows: EventRow[] = [];
    for (let page: readonly EventRow[] | undefined; page === undefined || page.length === 1000; ) {
      page = await installation.reader.read(this.tenantId, { after: rows.length, limit: 1000 });
      rows.push(...page);
    }
    return rows;
  }

  async count(type: string): Promise<number> {
    return (await this.log()).filter((row) => row.type === type).length;
  }
}

const done: TestReconcile = () => testDone();
/** Which controllers an intent waits for; the runners decide what they do. */
const names: Readonly<Record<string, TestReconcile>> = { namespace: done, quota: done, billing: done };
const members: JsonObject = { free: 3, team: 25 };
const quota: TestReconcile = ({ resource }) => testDone({ members: members[String(resource.spec.plan)] ?? 0 });
const billing: TestReconcile = ({ resource }) =>
  resource.status.billing === undefined
    ? { outcome: "progressing", status: { asked: true }, requeueAfterMs: 100 }
    : testDone({ customer: "c" });
const organization = { namespace: done, quota, billing };

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + waitMsMax;
  while (performance.now() < end) {
    if (await holds()) return;
    await systemClock.sleep(25);
  }
  throw new Error(`it did not come to be that ${what}`);
}

async function untilPhase(publisher: Publisher, aggregateId: string, phase: string): Promise<void> {
  await until(`${aggregateId} is ${phase}`, async () => (await publisher.resource(aggregateId))?.phase === phase);
}

describe("competing processes", () => {
  it("two decide everything exactly once, and nothing is left over", async () => {
    const publisher = new Publisher();
    new Runner(organization);
    new Runner(organization);
    const streams = Array.from({ length: 60 }, (_, n) => `acme-${n}`);
    await Promise.all(streams.map((stream) => publisher.publish("create", stream, { plan: "free" })));
    await until("all are ready", async () => (await publisher.count("organization.ready")) === streams.length);
    const rows = await publisher.log();
    for (const stream of streams) {
      const types = rows.filter(({ aggregateId }) => aggregateId === stream).map(({ type }) => type);
      expect(types.toSorted()).toEqual([
        "organization.create",
        "organization.create.billing",
        "organization.create.billing",
        "organization.create.namespace",
        "organization.create.quota",
        "organization.ready",
      ]);
    }
    await until("no row is left", async () => {
      const open = await installation.asSuperuser(
        "select 1 from eventplane.work where tenant_id = $1 and state <> 'idle'",
        [publisher.tenantId],
      );
      return open.length === 0;
    });
    expect(rows.map(({ position }) => position)).toEqual(rows.map((_, index) => index + 1));
  });

  it("what a killed process had leased is taken over when the lease ends", async () => {
    const publisher = new Publisher();
    let reached = (): void => {};
    const entered = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const victim: Runner = new Runner(
      {
        ...organization,
        quota: () => {
          victim.kill();
          reached();
          return testDone();
        },
      },
      { leaseMs: 400 },
    );
    await publisher.publish("create", "acme", { plan: "free" });
    await entered;
    new Runner(organization, { leaseMs: 400 });
    await untilPhase(publisher, "acme", "Ready");
    expect(await publisher.count("organization.create.quota")).toBe(1);
    expect(await publisher.count("organization.ready")).toBe(1);
  });

  it("a stopped process hands over at once what it had not begun", async () => {
    const publisher = new Publisher();
    const first = new Runner(organization);
    await Promise.all(Array.from({ length: 40 }, (_, n) => publisher.publish("create", `acme-${n}`, { plan: "free" })));
    await first.stop();
    running.splice(running.indexOf(first), 1);
    new Runner(organization);
    await until("all are ready", async () => (await publisher.count("organization.ready")) === 40);
    const attempts = await installation.asSuperuser<{ most: number }>(
      "select max(attempts) as most from eventplane.work where tenant_id = $1",
      [publisher.tenantId],
    );
    expect(attempts[0]?.most).toBeLessThanOrEqual(1);
  });
});

describe("timers", () => {
  it("a requeue survives the process that asked for it", async () => {
    const publisher = new Publisher();
    // Others' events wake it too, so it asks the time, not whether it has been here before.
    const slow: TestReconcile = ({ resource, now }) => {
      const asked = resource.status.billing as { readonly at: string } | undefined;
      if (asked === undefined) return { outcome: "progressing", status: { at: now }, requeueAfterMs: 1_000 };
      const waitedMs = Date.parse(now) - Date.parse(asked.at);
      return waitedMs < 1_000 ? { outcome: "progressing", requeueAfterMs: 1_001 - waitedMs } : testDone();
    };
    const first = new Runner({ ...organization, billing: slow });
    await publisher.publish("create", "acme", { plan: "free" });
    await until("billing has asked", async () => (await publisher.resource("acme"))?.status.billing !== undefined);
    await first.stop();
    running.splice(running.indexOf(first), 1);
    expect((await publisher.resource("acme"))?.phase).toBe("Progressing");
    new Runner({ ...organization, billing: slow });
    await untilPhase(publisher, "acme", "Ready");
  });
});

describe("failures", () => {
  it("a controller that throws for one organization blocks only that, names its line, and is redriven to one ready fact", async () => {
    const publisher = new Publisher();
    const logged: JsonObject[] = [];
    const note = (fields: unknown): void => void logged.push(fields as JsonObject);
    let isBroken = true;
    new Runner(
      {
        ...organization,
        quota: (context) => {
          if (isBroken && context.resource.aggregateId === "bad") throw new RangeError("no such plan: secret");
          return quota(context);
        },
      },
      { logger: { ...silent, error: note, warn: note } },
    );
    for (const stream of ["good-1", "bad", "good-2"]) await publisher.publish("create", stream, { plan: "team" });
    await untilPhase(publisher, "good-1", "Ready");
    await untilPhase(publisher, "good-2", "Ready");
    await untilPhase(publisher, "bad", "Failed");
    const letters = new PostgresWorkStore(installation.pool("edge"));
    await until("it is listed", async () => (await letters.deadLetters(publisher.tenantId)).length === 1);
    const [letter] = await letters.deadLetters(publisher.tenantId);
    expect(letter).toMatchObject({
      aggregateId: "bad",
      component: "quota",
      attempts: 5,
      failure: { code: "RangeError" },
    });
    expect(letter?.failure.message).toMatch(/controllers\.test\.ts:\d+:\d+/);
    expect(logged.some(({ at }) => /controllers\.test\.ts:\d+:\d+$/.test(String(at)))).toBe(true);
    expect(JSON.stringify([letter, logged])).not.toContain("secret");
    isBroken = false;
    await publisher.redrive("bad", "quota");
    await untilPhase(publisher, "bad", "Ready");
    const rows = (await publisher.log()).filter(({ aggregateId }) => aggregateId === "bad");
    expect(rows.filter(({ type }) => type === "organization.ready")).toHaveLength(1);
    expect(rows.filter(({ type }) => type === "organization.dead-lettered")).toHaveLength(1);
    expect(await letters.deadLetters(publisher.tenantId)).toEqual([]);
  });
});

describe("lives", () => {
  it("change of plan: generation 2, the status is computed again, one ready fact each", async () => {
    const publisher = new Publisher();
    new Runner(organization);
    await publisher.publish("create", "acme", { plan: "free", name: "Acme" });
    await untilPhase(publisher, "acme", "Ready");
    await publisher.publish("change-plan", "acme", { plan: "team" });
    await until("generation 2 is ready", async () => {
      const resource = await publisher.resource("acme");
      return resource?.generation === 2 && resource.phase === "Ready";
    });
    const resource = await publisher.resource("acme");
    expect(resource).toMatchObject({ spec: { plan: "team", name: "Acme" }, status: { quota: { members: 25 } } });
    expect(await publisher.count("organization.ready")).toBe(2);
  });

  it("deletion waits for the finalizers, ends deleted, and leaves no work", async () => {
    const publisher = new Publisher();
    new Runner(organization);
    await publisher.publish("create", "acme", { plan: "free" });
    await untilPhase(publisher, "acme", "Ready");
    await publisher.publish("delete", "acme");
    await untilPhase(publisher, "acme", "Deleted");
    expect(await publisher.count("organization.deleted")).toBe(1);
    await until("its rows are gone", async () => {
      const rows = await installation.asSuperuser("select 1 from eventplane.work where tenant_id = $1", [
        publisher.tenantId,
      ]);
      return rows.length === 0;
    });
  });

  it("many changes in a row end at the last generation with at most one ready fact each", async () => {
    const publisher = new Publisher();
    new Runner(organization);
    new Runner(organization);
    await publisher.publish("create", "acme", { plan: "free" });
    for (let n = 0; n < 20; n++)
      await publisher.publish("change-plan", "acme", { plan: n % 2 === 0 ? "team" : "free" });
    await until("the last is ready", async () => {
      const resource = await publisher.resource("acme");
      return resource?.generation === 21 && resource.phase === "Ready";
    });
    const ready = (await publisher.log()).filter(({ type }) => type === "organization.ready");
    expect(new Set(ready.map(({ causationId }) => causationId)).size).toBe(ready.length);
  });
});

describe("fairness and speed", () => {
  it("a tenant with a backlog does not keep another waiting", async () => {
    const busy = new Publisher();
    const other = new Publisher();
    await Promise.all(Array.from({ length: 120 }, (_, n) => busy.publish("create", `acme-${n}`, { plan: "free" })));
    new Runner(organization, { claimsMax: 16 });
    await other.publish("create", "acme", { plan: "free" });
    await untilPhase(other, "acme", "Ready");
    expect(await busy.count("organization.ready")).toBeLessThan(120);
    await until("the backlog is done", async () => (await busy.count("organization.ready")) === 120);
  });

  it("an idle plane brings an intent to Ready by the doorbell, not by polling", async () => {
    const doorbell = createDoorbell();
    const publisher = new Publisher(doorbell);
    new Runner({ namespace: done, quota, billing: done }, { doorbell, pollMs: 5_000 });
    const took: number[] = [];
    for (let n = 0; n < 30; n++) {
      const startMs = performance.now();
      await publisher.publish("create", `acme-${n}`, { plan: "free" });
      await new Promise<void>((resolve) => {
        const stop = doorbell.listen(() => {
          void publisher.resource(`acme-${n}`).then((resource) => {
            if (resource?.phase !== "Ready") return;
            stop();
            resolve();
          });
        }, publisher.tenantId);
        void publisher.resource(`acme-${n}`).then((resource) => {
          if (resource?.phase === "Ready") resolve();
        });
      });
      took.push(performance.now() - startMs);
      await systemClock.sleep(10);
    }
    const sorted = took.toSorted((a, b) => a - b);
    expect(sorted[15]).toBeLessThan(1_000);
  });
});

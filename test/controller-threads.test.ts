/** Controllers in threads: the same decisions as in one, and a watchdog that ends what does not return. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ControllerRuntime, type ReconcileCall, type Reconciler, reconcile } from "../src/controller/index.js";
import { type AppDefinition, EventFactory, emptyFold, type Resource } from "../src/event/index.js";
import { isEventplaneError, systemClock, type TenantId, TerminalError, uuid8 } from "../src/kernel/index.js";
import type { Logger } from "../src/observe/index.js";
import { type LostThread, ThreadPool, type ThreadPoolOptions } from "../src/plane/threads/thread-pool.js";
import { Coalescer, createMemoryStore, ResourceLoader } from "../src/store/index.js";
import { createTestKeys, testCausedBy, testPersonal, VirtualClock } from "../src/testing/index.js";
import { describeFailure, MemoryWorkStore } from "../src/work/index.js";
import { WorkerRuntime } from "../src/worker/index.js";
import { buildCommand, until } from "./support/evtctl-process.js";
import loaded from "./support/threads.config.js";

// Its types are those of the built package.
const app = loaded as unknown as AppDefinition;
const appFile = fileURLToPath(new URL("./support/threads.config.ts", import.meta.url));
const entry = new URL("../dist/plane/threads/controllers-thread.js", import.meta.url);
const tenantId = uuid8("threads", "tenant") as TenantId; // a UUID is all that a tenant id is
const otherTenantId = uuid8("threads", "other tenant") as TenantId; // as above

/** A logger and what it was told. */
function listening() {
  const lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];
  const at =
    (level: string): Logger["info"] =>
    (fields, message) =>
      void lines.push({ level, fields, message });
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return { lines, logger };
}

async function openPool(options: Partial<ThreadPoolOptions> = {}) {
  const lost: LostThread[] = [];
  const { lines, logger } = listening();
  const pool = await ThreadPool.open({
    app,
    threads: 2,
    entry,
    entryData: { appFile, cacheDir: fileURLToPath(new URL("../.cache/threads-test", import.meta.url)) },
    clock: systemClock,
    random: () => 0.5,
    logger,
    onLost: (why) => void lost.push(why),
    ...options,
  });
  return { pool, lost, lines };
}

/** A resource of generation 1 in this mode. */
function resourceIn(mode: string, parts: Partial<Resource> = {}): Resource {
  const stream = { tenantId, aggregateType: "job", aggregateId: `a-${mode}` };
  const origin = {
    id: uuid8("threads", mode),
    type: "job.create",
    spec: { mode },
    correlationId: uuid8("threads", mode),
    version: 1,
    recordedAt: "2026-01-01T00:00:00.000000Z",
    traceparent: null,
    causedByText: JSON.stringify(testCausedBy),
  };
  return Object.freeze({
    ...emptyFold(stream),
    version: 1,
    generation: 1,
    lifecycle: "live",
    spec: Object.freeze({ mode }),
    origin,
    ...parts,
  });
}

function callOf(mode: string, parts: Partial<ReconcileCall> = {}): ReconcileCall {
  const now = "2026-01-01T00:00:00.000000Z";
  return { controller: "worker", resource: resourceIn(mode), now, checkDeterminism: false, ...parts };
}

/** The same of another tenant. */
function ofOther(mode: string): ReconcileCall {
  return callOf(mode, { resource: resourceIn(mode, { tenantId: otherTenantId }) });
}

const here: Reconciler = {
  run: async ({ controller: name, resource, ...call }, logger) => {
    const controller = app.controllers.get(name);
    if (controller === undefined) throw new Error("no such controller");
    return reconcile(controller, resource, { app, clock: systemClock, logger, ...call });
  },
};

beforeAll(() => buildCommand());

describe("decisions in threads", () => {
  let pool: ThreadPool;
  beforeAll(async () => {
    pool = (await openPool()).pool;
  });
  afterAll(() => pool.close());

  const modes = [
    "chance",
    "timer",
    "blocked",
    "rejected",
    "several",
    "effect",
    "looks-up",
    "says",
    "undefined",
    "plain",
  ];
  for (const mode of modes) {
    it(`are those of this thread: ${mode}`, async () => {
      const [mine, theirs] = [listening(), listening()];
      const expected = await here.run(callOf(mode), mine.logger);
      const answered = await pool.run(callOf(mode), theirs.logger);
      expect(JSON.stringify(answered)).toBe(JSON.stringify(expected));
      expect(theirs.lines).toEqual(mine.lines);
    });
  }

  it("see what was looked up", async () => {
    const plain = resourceIn("plain", { version: 7, status: { calm: { seen: 1 } } });
    const call = callOf("looks-up", { loaded: { "job/plain": { ...plain, origin: null } } });
    const [expected, answered] = [await here.run(call, listening().logger), await pool.run(call, listening().logger)];
    expect(answered).toEqual(expected);
    expect(answered).toMatchObject({
      decisions: { status: { other: { seen: 1 }, version: 7 } },
      lookups: { "job/plain": 7 },
    });
    const missing = await pool.run(callOf("looks-up"), listening().logger);
    expect(missing.missing).toEqual({ aggregateType: "job", aggregateId: "plain" });
  });

  const failures = ["throws", "terminal", "promise", "mutates", "unknown-worker"];
  for (const mode of failures) {
    it(`fail as in this thread: ${mode}`, async () => {
      const expected = await here.run(callOf(mode), listening().logger).catch((error: unknown) => error);
      const thrown = await pool.run(callOf(mode), listening().logger).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(Error);
      // The thread runs the built package, whose frames are not those of the sources.
      const isOurs = isEventplaneError(expected) && !(expected instanceof TerminalError);
      const [one, other] = [thrown, expected].map((error) => {
        const { at = "", message, ...rest } = describeFailure(error);
        const line = (text: string): string => text.replaceAll(/:(\d+):\d+/g, ":$1");
        return isOurs
          ? { ...rest, message: message.replace(/ at \/.*/, "") }
          : { ...rest, message: line(message), at: line(at) };
      });
      expect(one).toEqual(other);
    });
  }

  for (const mode of ["no-json", "no-decision"]) {
    it(`that are none are told so, before they could cross: ${mode}`, async () => {
      await expect(pool.run(callOf(mode), listening().logger)).rejects.toSatisfy((error) =>
        isEventplaneError(error, "decision_invalid"),
      );
    });
  }

  it("that are not the same twice are found", async () => {
    const counts = callOf("counts", { checkDeterminism: true });
    await expect(pool.run(counts, listening().logger)).rejects.toSatisfy((error) =>
      isEventplaneError(error, "decision_not_deterministic"),
    );
  });
});

describe("one history, in this thread and in others", () => {
  /** The whole log that follows from the same intents on the same clock. */
  async function history(reconciler: Reconciler): Promise<readonly object[]> {
    const clock = new VirtualClock();
    const keys = createTestKeys();
    const { logger } = listening();
    const work: MemoryWorkStore = new MemoryWorkStore({
      clock,
      reader: () => store.reader,
      tenants: () => store.tenants(),
    });
    const store = createMemoryStore({ clock, settleLease: (tenant, lease) => work.settle(tenant, lease) });
    const coalescer = new Coalescer({ appender: store.runtime, signer: keys.runtime, clock });
    const edge = new Coalescer({ appender: store.edge, signer: keys.edge, clock });
    const shared = { app, work, coalescer, clock, random: () => 0.5, logger };
    const loader = new ResourceLoader({ reader: store.reader, verifier: keys.verifier, app });
    const runtime = new ControllerRuntime({ ...shared, loader, reconciler });
    const { personal } = testPersonal(app, store.reader, clock);
    const workers = new WorkerRuntime({ ...shared, reader: store.reader, verifier: keys.verifier, personal });
    let ids = 0;
    const nextId = (): string => `0190a000-0000-7000-8000-${String(++ids).padStart(12, "0")}`;
    const factory = new EventFactory({ app, ids: { uuid7: nextId, uuid4: nextId } });
    const publish = async (type: string, aggregateId: string, mode?: string): Promise<void> => {
      const spec = mode === undefined ? {} : { mode };
      const request = { tenantId, type: `job.${type}`, aggregateId, spec, specText: JSON.stringify(spec) };
      const outcome = await edge.append({ tenantId, items: [factory.intent(request, testCausedBy)] });
      expect(outcome.result).toBe("appended");
    };
    const settle = async (): Promise<void> => {
      await runtime.settle();
      await workers.settle();
      await runtime.settle();
    };
    // One stream after the other: between streams the order of appends is nobody's promise.
    for (const mode of [
      "chance",
      "timer",
      "blocked",
      "rejected",
      "several",
      "effect",
      "undefined",
      "plain",
      "looks-up",
      "terminal",
    ]) {
      await publish("create", mode, mode);
      await settle();
      await publish("change", mode, "several");
      await settle();
      await clock.advance(60_000);
      await settle();
      await publish("delete", mode);
      await settle();
    }
    const rows = await store.reader.read(tenantId, { limit: 1_000 });
    return rows.map(
      ({ id, type, specText, statusText, finalizersText, decision, version, position, recordedAtUs }) => ({
        id,
        type,
        specText,
        statusText,
        finalizersText,
        decision,
        version,
        position,
        recordedAtUs,
      }),
    );
  }

  it("gives the same events with the same ids, in the same order", async () => {
    const { pool } = await openPool();
    try {
      const mine = await history(here);
      const theirs = await history(pool);
      expect(theirs).toEqual(mine);
      expect(mine.length).toBeGreaterThan(60);
    } finally {
      await pool.close();
    }
  });
});

describe("the watchdog", () => {
  it("ends a thread that does not answer, names controller, file and line, and lets the others go on", async () => {
    const { pool, lost } = await openPool();
    try {
      const hanging = pool.run(callOf("hangs"), listening().logger).catch((error: unknown) => error);
      const startMs = performance.now();
      const others = Array.from({ length: 100 }, () => pool.run(callOf("chance"), listening().logger));
      await Promise.all(others);
      expect(performance.now() - startMs).toBeLessThan(400);
      const error = await hanging;
      expect(isEventplaneError(error, "reconcile_timeout")).toBe(true);
      const failure = describeFailure(error);
      expect(failure.message).toContain("Controller worker did not return within 400 ms on job/a-hangs");
      expect(failure.at).toMatch(/test\/support\/threads\.config\.ts:\d+:\d+$/);
      expect(failure.isTerminal).toBe(false);
      expect(lost).toEqual(["timeout"]);
      await until(
        async () => pool.threads.ready === 2,
        10_000,
        () => "both threads are there again",
      );
      await pool.run(callOf("chance"), listening().logger);
    } finally {
      await pool.close();
    }
  });

  it("a controller that hangs for one tenant never gets the last thread again, and others do not wait for it", async () => {
    const { pool } = await openPool();
    try {
      const hang = (): Promise<unknown> =>
        pool.run(callOf("hangs"), listening().logger).catch((error: unknown) => error);
      expect(isEventplaneError(await hang(), "reconcile_timeout")).toBe(true);
      await until(
        async () => pool.threads.ready === 2,
        10_000,
        () => "both threads are there again",
      );
      const hanging = Array.from({ length: 20 }, hang);
      const startMs = performance.now();
      await Promise.all(Array.from({ length: 100 }, () => pool.run(ofOther("chance"), listening().logger)));
      expect(performance.now() - startMs).toBeLessThan(400);
      const ends = await Promise.all(hanging);
      expect(ends.filter((error) => isEventplaneError(error, "reconcile_timeout"))).toHaveLength(1);
      const handedBack = ends.filter(
        (error) => isEventplaneError(error, "busy") && error.details.controller === "worker",
      );
      expect(handedBack).toHaveLength(19);
    } finally {
      await pool.close();
    }
  });

  it("with every thread hanging, what waits runs on the threads that come after them, with nothing lost", async () => {
    const { pool, lost } = await openPool();
    try {
      const hanging = [1, 2].map(() => pool.run(callOf("hangs"), listening().logger).catch((error: unknown) => error));
      const waiting = Array.from({ length: 20 }, () => pool.run(ofOther("chance"), listening().logger));
      expect(await Promise.all(waiting)).toHaveLength(20);
      for (const error of await Promise.all(hanging)) expect(isEventplaneError(error, "reconcile_timeout")).toBe(true);
      expect(lost).toEqual(["timeout", "timeout"]);
    } finally {
      await pool.close();
    }
  });

  it("a thread that needs too much memory, or ends itself, fails its reconcile and no other", async () => {
    const { pool, lost } = await openPool({ heapMbMax: 48 });
    try {
      const hoards = pool.run(callOf("hoards", { controller: "hoarder" }), listening().logger);
      const [first, second] = await Promise.allSettled([hoards, pool.run(callOf("exits"), listening().logger)]);
      const messages = [first, second].map((end) =>
        end?.status === "rejected" ? String(end.reason.message) : "answered",
      );
      expect(messages[0]).toContain("Controller hoarder needed more than the 48 MiB of a thread, on job/a-hoards");
      expect(messages[1]).toContain("Controller worker ended its thread without an answer, on job/a-exits");
      for (const end of [first, second])
        expect(isEventplaneError(end?.status === "rejected" && end.reason, "reconcile_failed")).toBe(true);
      expect([...lost].sort()).toEqual(["crash", "memory"]);
      expect(await pool.run(ofOther("chance"), listening().logger)).toBeDefined();
    } finally {
      await pool.close();
    }
  });

  it("a rejection that nobody waits for is told and ends no thread", async () => {
    const { pool, lost, lines } = await openPool({ threads: 1 });
    try {
      await pool.run(callOf("leaves-a-rejection"), listening().logger);
      await until(
        async () => lines.length > 0,
        5_000,
        () => "the rejection is logged",
      );
      expect(lines[0]?.message).toContain("thrown in a controllers' thread after the reconcile");
      expect(await pool.run(callOf("chance"), listening().logger)).toBeDefined();
      expect(lost).toEqual([]);
    } finally {
      await pool.close();
    }
  });
});

describe("a pool", () => {
  it("does not open on an application that does not load in a thread, and says why", async () => {
    const opening = openPool({ entryData: { appFile: "/nowhere/eventplane.config.ts", cacheDir: "/nowhere" } });
    await expect(opening).rejects.toSatisfy(
      (error) =>
        isEventplaneError(error, "config_invalid") &&
        error.message.includes("There is no /nowhere/eventplane.config.ts"),
    );
  });

  it("does not open on an application that is another one in the thread", async () => {
    const other = { ...app, controllers: new Map([...app.controllers].slice(1)) };
    await expect(openPool({ app: other })).rejects.toSatisfy(
      (error) => isEventplaneError(error, "config_invalid") && error.message.includes("another application"),
    );
  });

  it("that is closed hands back what was not answered, and takes nothing more", async () => {
    const { pool } = await openPool({ threads: 1 });
    const calls = [callOf("hangs"), callOf("chance")].map((call) => pool.run(call, listening().logger));
    const ends = Promise.allSettled(calls);
    await pool.close();
    await pool.close();
    for (const end of await ends)
      expect(isEventplaneError(end.status === "rejected" && end.reason, "aborted")).toBe(true);
    await expect(pool.run(callOf("chance"), listening().logger)).rejects.toSatisfy((error) =>
      isEventplaneError(error, "aborted"),
    );
  });
});

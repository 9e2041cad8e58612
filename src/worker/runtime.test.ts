/** Workers on the store and the work rows in memory, on a virtual clock. */
import { describe, expect, test } from "vitest";
import { effectResultId, type ReconcileContext } from "../event/index.js";
import { TerminalError } from "../kernel/index.js";
import {
  createWorkerBench,
  firstEffect,
  RuntimeBench,
  scriptedRun,
  type TestReconcile,
  type TestRun,
  testCustomer,
  testDecision,
  testDone,
} from "../testing/index.js";
import { defineWorker } from "./index.js";

const ok: TestRun = ({ input }) => ({ id: `cus_${input.name}` });
const hang: TestRun = () => new Promise(() => undefined);
const boom: TestRun = () => {
  throw new Error("secret");
};
const output = { type: "object", properties: { id: { type: "string" } }, required: ["id"] } as const;

/** What a worker does whose answer or error cannot be looked at: the code, and how often it is called. */
const unreadable: readonly (readonly [string, TestRun, string, number])[] = [
  [
    "returns",
    () => ({
      get id(): string {
        throw new Error("secret");
      },
    }),
    "effect_output_invalid",
    1,
  ],
  [
    "throws",
    () => {
      throw Object.assign(new TerminalError("refused"), { message: 5 });
    },
    "Error",
    5,
  ],
];

describe("asking", () => {
  test("the first get asks once, with the decision; the answer wakes the controller", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    expect(await bench.types()).toEqual([
      "organization.create",
      "organization.effect-asked",
      "organization.create.billing",
      "organization.effect-succeeded",
      "organization.create.billing",
      "organization.ready",
    ]);
    const resource = await bench.resource("acme");
    expect(resource).toMatchObject({ phase: "Ready", status: { billing: { customer: { id: "cus_Acme" } } } });
    expect(calls).toHaveLength(1);
    const ask = firstEffect(resource).id ?? "";
    expect(calls[0]).toMatchObject({
      input: { name: "Acme" },
      idempotencyKey: effectResultId(bench.tenantId, ask, "customer"),
    });
  });

  test("ask and result say who they are of, which ask they answer, and on whose behalf", async () => {
    const bench = createWorkerBench(testCustomer(ok));
    const origin = await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    const rows = await bench.store.reader.read(bench.tenantId, {});
    const [create, ask, , result] = rows;
    expect(ask).toMatchObject({
      kind: "internal",
      causationId: origin.id,
      specText: '{"controller":"billing","worker":"customer","input":{"name":"Acme"}}',
      decision: { component: "ask:customer", basisVersion: 1, step: 0 },
    });
    expect(result).toMatchObject({
      id: effectResultId(bench.tenantId, ask?.id ?? "", "customer"),
      kind: "fact",
      causationId: ask?.id,
      correlationId: origin.correlationId,
      causedByText: create?.causedByText,
      finalizersText: "{}",
      statusText: '{"ok":{"id":"cus_Acme"}}',
      decision: { component: "effect:customer" },
    });
  });

  test("the same input is the same effect in every generation; another input is another", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    await bench.publish("change-plan", "acme", { plan: "team" });
    await bench.settleAll();
    expect(calls).toHaveLength(1);
    await bench.publish("change-plan", "acme", { name: "Acme AG" });
    await bench.settleAll();
    expect(calls.map(({ input }) => input)).toEqual([{ name: "Acme" }, { name: "Acme AG" }]);
    expect((await bench.resource("acme")).phase).toBe("Ready");
  });

  test("the order of an input's members makes no other effect", async () => {
    const { calls, run } = scriptedRun(() => ({ id: "x" }));
    const worker = defineWorker({
      name: "customer",
      input: { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } } } as const,
      output,
      run: run as never,
    });
    const reconcile: TestReconcile = ({ resource, effects }) =>
      testDecision(effects.get(worker, resource.generation === 1 ? { a: 1, b: 2 } : { b: 2, a: 1 }));
    const bench = new RuntimeBench({ billing: reconcile }, {}, { workers: [worker.definition] });
    await bench.publish("create", "acme", {});
    await bench.settleAll();
    await bench.publish("change-plan", "acme", {});
    await bench.settleAll();
    expect(calls).toHaveLength(1);
  });

  test("a controller that asks by chance of its own is found by the determinism check", async () => {
    const worker = testCustomer(ok);
    const billing: TestReconcile = ({ effects }) =>
      testDecision(effects.get(worker as never, { name: String(Math.random()) } as never));
    const bench = new RuntimeBench({ billing }, {}, { workers: [worker.definition] });
    await bench.publish("create", "acme", {});
    await bench.settleFailures();
    expect((await bench.work.deadLetters(bench.tenantId))[0]?.failure.code).toBe("decision_not_deterministic");
    expect(await bench.types()).not.toContain("organization.effect-asked");
  });

  test("a new life asks anew", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    for (const type of ["create", "delete", "create"]) {
      await bench.publish(type, "acme", type === "create" ? { name: "Acme" } : {});
      await bench.settleAll();
    }
    expect(calls).toHaveLength(2);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });

  test("a result after the deletion is recorded and wakes nobody", async () => {
    const runs: unknown[] = [];
    const worker = testCustomer(ok);
    const reconcile: TestReconcile = (context: ReconcileContext) => {
      runs.push(context.resource.version);
      context.effects.get(worker as never, { name: "Acme" } as never);
      return testDone();
    };
    const bench = new RuntimeBench(
      { billing: reconcile },
      { checkDeterminism: false },
      { workers: [worker.definition] },
    );
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    await bench.publish("delete", "acme");
    await bench.runtime.settle();
    expect((await bench.resource("acme")).lifecycle).toBe("deleted");
    const before = runs.length;
    await bench.settleAll();
    expect((await bench.types()).at(-1)).toBe("organization.effect-succeeded");
    expect(firstEffect(await bench.resource("acme"))).toMatchObject({ state: "ok", result: { id: "cus_Acme" } });
    expect(runs).toHaveLength(before);
  });

  const misfits: readonly (readonly [string, TestReconcile, RegExp])[] = [
    [
      "an input that does not fit",
      ({ effects }) => testDecision(effects.get(testCustomer(ok) as never, { name: 5 } as never)),
      /does not fit: \/name/,
    ],
    [
      "a function",
      ({ effects }) => testDecision(effects.get(testCustomer(ok) as never, { name: () => 1 } as never)),
      /JSON does not have/,
    ],
    [
      "a worker that the app does not have",
      ({ effects }) => testDecision(effects.get({ definition: { name: "other" } } as never, {} as never)),
      /not among the workers of defineApp/,
    ],
    [
      "too many effects at once",
      ({ effects }) => {
        for (let n = 0; n < 17; n++) effects.get(testCustomer(ok) as never, { name: `n${n}` } as never);
        return testDone();
      },
      /more than 16 effects at once/,
    ],
    [
      "too much",
      ({ effects }) => testDecision(effects.get(testCustomer(ok) as never, { name: "x".repeat(70_000) } as never)),
      /more than 65536 bytes/,
    ],
  ];
  test.each(misfits)("%s is an error of the controller, and nothing is asked", async (_what, reconcile, says) => {
    const bench = new RuntimeBench({ billing: reconcile }, {}, { workers: [testCustomer(ok).definition] });
    await bench.publish("create", "acme", {});
    await bench.settleFailures();
    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter?.failure.code).toBe("decision_invalid");
    expect(letter?.failure.message).toMatch(says);
    expect(await bench.types()).not.toContain("organization.effect-asked");
  });
});

describe("answers", () => {
  test("a TerminalError is the answer no: its reason and text are the result, and no retry follows", async () => {
    const { calls, run } = scriptedRun(() => {
      throw new TerminalError("No customers in this country.", { reason: "country_refused" });
    });
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    expect(calls).toHaveLength(1);
    expect(await bench.types()).toContain("organization.effect-failed");
    expect((await bench.resource("acme")).conditions).toContainEqual(
      expect.objectContaining({ type: "Refused", message: "country_refused" }),
    );
  });

  test("an error is tried again with the same key, five attempts in all; then a dead letter, and redriving calls again", async () => {
    const { calls, run } = scriptedRun(boom, boom, boom, boom, boom, ok);
    const bench = createWorkerBench(testCustomer(run, { breaker: { failures: 100 } }));
    await bench.publish("create", "acme", { name: "Acme" });
    for (let turn = 0; turn < 12; turn++) {
      await bench.settleAll();
      await bench.clock.advance(20_000);
    }
    expect(calls).toHaveLength(5);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    const stalled = await bench.resource("acme");
    expect(stalled).toMatchObject({
      phase: "Failed",
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: "Stalled", component: "dead-letter:effect:customer" }),
      ]),
    });
    expect(firstEffect(stalled).state).toBe("dead");
    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter).toMatchObject({
      aggregateType: "effect",
      component: "effect:customer",
      attempts: 5,
      failure: { code: "Error" },
    });
    expect(JSON.stringify([letter, bench.logged, stalled.conditions])).not.toContain("secret");

    await bench.decideEffect("effect.retried", letter?.aggregateId ?? "", { worker: "customer" });
    await bench.settleAll();
    const ready = await bench.resource("acme");
    expect(ready.phase).toBe("Ready");
    expect(ready.conditions.map(({ type }) => type)).toEqual(["Ready"]);
    expect(calls).toHaveLength(6);
  });

  test("what stands in an effect's way stays visible in a newer generation", async () => {
    const bench = createWorkerBench(testCustomer(() => ({ id: 5 }) as never));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    await bench.publish("change-plan", "acme", { plan: "team" });
    await bench.settleAll();
    expect(await bench.resource("acme")).toMatchObject({ phase: "Failed", generation: 2 });
  });

  test("an output that does not fit is a dead letter at once, that a corrected worker answers", async () => {
    const { calls, run } = scriptedRun(() => ({ id: 5 }) as never, ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter).toMatchObject({ attempts: 1, failure: { code: "effect_output_invalid" } });
    expect(letter?.failure.message).toContain("/id");
    await bench.decide("dead-letter.redriven", letter?.aggregateId ?? "", "effect:customer", "effect");
    await bench.settleAll();
    expect(calls).toHaveLength(2);
    expect((await bench.resource("acme")).phase).toBe("Ready");
  });

  test.each(unreadable)(
    "what a worker %s that cannot be read is a dead letter after the attempts that it has",
    async (_, run, code, count) => {
      const { calls, run: counted } = scriptedRun(run);
      const bench = createWorkerBench(testCustomer(counted));
      await bench.publish("create", "acme", { name: "Acme" });
      for (let round = 0; round < 12; round++) {
        await bench.settleAll();
        await bench.clock.advance(60_000);
      }
      const [letter] = await bench.work.deadLetters(bench.tenantId);
      expect(letter).toMatchObject({ attempts: count, failure: { code } });
      expect(calls).toHaveLength(count);
      expect(JSON.stringify([letter, bench.logged])).not.toContain("secret");
    },
  );

  test("a worker whose input schema became stricter than an ask gives a dead letter, not a call", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    const strict = defineWorker({
      name: "customer",
      input: { type: "object", properties: { name: { type: "string", maxLength: 2 } }, required: ["name"] } as const,
      output,
      run,
    });
    const workers = bench.workersOf([strict.definition]);
    await workers.settle();
    expect(calls).toEqual([]);
    expect(await bench.work.deadLetters(bench.tenantId)).toMatchObject([{ failure: { code: "effect_input_invalid" } }]);
  });

  test("behind a dead letter waits what the resource asks of the worker later, and after a redrive they run in order", async () => {
    const { calls, run } = scriptedRun(boom, ok);
    const worker = testCustomer(run, { retry: { attempts: 1 } });
    const billing: TestReconcile = ({ resource, effects, now }) => {
      const isLater = Date.parse(now) > Date.parse(resource.createdAt) + 1_000;
      const names = isLater ? ["first", "second", "third"] : ["first"];
      const outcomes = names.map((name) => effects.get<object, object>(worker, { name }));
      if (outcomes.every(({ ok: answer }) => answer !== undefined)) return testDone();
      return { outcome: "progressing", requeueAfterMs: 2_000 };
    };
    const bench = new RuntimeBench({ billing }, {}, { workers: [worker.definition] });
    await bench.publish("create", "acme");
    await bench.settleAll();
    await bench.clock.advance(2_500);
    await bench.settleAll();
    const states = async (): Promise<readonly string[]> =>
      (await bench.work.effects(bench.tenantId)).map(({ state }) => state);
    expect(await states()).toEqual(["dead", "blocked", "blocked"]);
    expect(calls.map(({ input }) => input["name"])).toEqual(["first"]);

    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter).toMatchObject({ waiting: 2, resource: { aggregateType: "organization", aggregateId: "acme" } });
    await bench.decide("dead-letter.redriven", letter?.aggregateId ?? "", "effect:customer", "effect");
    await bench.settleAll();
    expect(calls.map(({ input }) => input["name"])).toEqual(["first", "first", "second", "third"]);
    expect(await states()).toEqual([]);
  });

  test("what became of an effect is looked at by its controller alone", async () => {
    let looks = 0;
    const worker = testCustomer(ok);
    const billing: TestReconcile = ({ effects }) => testDecision(effects.get<object, object>(worker, { name: "A" }));
    const quota: TestReconcile = () => {
      looks += 1;
      return testDone();
    };
    const options = { checkDeterminism: false, leaseMs: 30_000 };
    const bench = new RuntimeBench({ billing, quota }, options, { workers: [worker.definition] });
    await bench.publish("create", "acme");
    await bench.runtime.settle();
    const before = looks;
    await bench.workers.settle();
    await bench.work.dispatch([{ aggregateType: "organization", component: "quota" }], bench.tenantId);
    expect(await bench.work.claim({ components: ["quota"], limit: 1, leaseMs: 1_000 })).toEqual([]);
    await bench.settleAll();
    expect((await bench.resource("acme")).phase).toBe("Ready");
    expect(looks - before).toBe(1); // billing's decision on the result wakes it, the result does not
  });

  test("a call that hangs is aborted at its time-out, its slot is free, and it is made again", async () => {
    const signals: AbortSignal[] = [];
    const { calls, run } = scriptedRun(({ signal }) => (signals.push(signal), hang({} as never)), ok);
    const bench = createWorkerBench(testCustomer(run, { timeoutMs: 1_000, concurrency: 1 }));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    const settled = bench.workers.settle();
    await bench.clock.advance(999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await bench.clock.advance(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await settled;
    expect(await bench.work.effects(bench.tenantId)).toMatchObject([
      { state: "waiting", failure: { code: "effect_timeout" } },
    ]);
    await bench.clock.advance(1_000);
    await bench.settleAll();
    expect(calls).toHaveLength(2);
    expect((await bench.resource("acme")).phase).toBe("Ready");
  });
});

/** Workers on the store and the work rows in memory, on a virtual clock. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type EffectOutcome,
  effectResultId,
  type ReconcileContext,
  type Resource,
  type WorkerCall,
  type WorkerDefinition,
} from "../event/index.js";
import { type EventId, type JsonObject, TerminalError } from "../kernel/index.js";
import { RuntimeBench, type TestReconcile, testDone } from "../testing/index.js";
import { defineWorker, TryAgainError, type WorkerConfig } from "./index.js";

type Run = (call: WorkerCall<{ name: string }>) => Promise<{ id: string }> | { id: string };

/** A worker `customer` that makes these calls, one after another; the last again and again. */
function scripted(...script: readonly Run[]): { readonly calls: WorkerCall[]; readonly run: Run } {
  const calls: WorkerCall[] = [];
  const run: Run = (call) => {
    calls.push(call);
    const step = script[Math.min(calls.length, script.length) - 1];
    if (step === undefined) throw new Error("the script has a step");
    return step(call);
  };
  return { calls, run };
}

function customerOf(
  run: Run,
  config: Partial<WorkerConfig<"customer", typeof Input, typeof Output>> = {},
): { readonly definition: WorkerDefinition } {
  return defineWorker({ name: "customer", input: Input, output: Output, run, ...config });
}
const Input = z.object({ name: z.string() });
const Output = z.object({ id: z.string() });

/** A bench whose controller `billing` asks for a customer of the resource's name. */
function benchOf(
  worker: { readonly definition: WorkerDefinition },
  options: JsonObject & { leaseMs?: number } = {},
): RuntimeBench {
  const billing: TestReconcile = ({ resource, effects }) =>
    decided(effects.get<JsonObject, JsonObject>(worker, { name: resource.spec.name ?? "" }));
  return new RuntimeBench({ billing }, {}, { workers: [worker.definition], ...options });
}

function decided(outcome: EffectOutcome<JsonObject>): ReturnType<TestReconcile> {
  if (outcome.ok !== undefined) return testDone({ customer: outcome.ok });
  const told = outcome.failed ?? outcome.unknown;
  if (told === undefined) return { outcome: "progressing" };
  const type = outcome.failed === undefined ? "Unknown" : "Refused";
  return { outcome: "progressing", conditions: [{ type, status: "True", reason: "Billing", message: told.code }] };
}

const ok: Run = ({ input }) => ({ id: `cus_${input.name}` });
const hang: Run = () => new Promise(() => undefined);
const boom: Run = () => {
  throw new Error("secret");
};

function effectOf({ effects }: Resource): Resource["effects"][string] | undefined {
  return Object.values(effects)[0];
}

describe("asking", () => {
  test("the first get asks once, with the decision; the answer wakes the controller", async () => {
    const { calls, run } = scripted(ok);
    const bench = benchOf(customerOf(run));
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
    const ask = effectOf(resource)?.id ?? "";
    expect(calls[0]).toMatchObject({
      input: { name: "Acme" },
      idempotencyKey: effectResultId(bench.tenantId, ask, "customer"),
    });
  });

  test("ask and result say who they are of, which ask they answer, and on whose behalf", async () => {
    const bench = benchOf(customerOf(ok));
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
    const { calls, run } = scripted(ok);
    const bench = benchOf(customerOf(run));
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
    const { calls, run } = scripted(() => ({ id: "x" }));
    const worker = defineWorker({
      name: "customer",
      input: z.object({ a: z.int(), b: z.int() }),
      output: Output,
      run: run as never,
    });
    const reconcile: TestReconcile = ({ resource, effects }) =>
      decided(effects.get(worker, resource.generation === 1 ? { a: 1, b: 2 } : { b: 2, a: 1 }));
    const bench = new RuntimeBench({ billing: reconcile }, {}, { workers: [worker.definition] });
    await bench.publish("create", "acme", {});
    await bench.settleAll();
    await bench.publish("change-plan", "acme", {});
    await bench.settleAll();
    expect(calls).toHaveLength(1);
  });

  test("a new life asks anew", async () => {
    const { calls, run } = scripted(ok);
    const bench = benchOf(customerOf(run));
    for (const type of ["create", "delete", "create"]) {
      await bench.publish(type, "acme", type === "create" ? { name: "Acme" } : {});
      await bench.settleAll();
    }
    expect(calls).toHaveLength(2);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });

  test("a result after the deletion is recorded and wakes nobody", async () => {
    const runs: unknown[] = [];
    const worker = customerOf(ok);
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
    expect(effectOf(await bench.resource("acme"))).toMatchObject({ state: "ok", result: { id: "cus_Acme" } });
    expect(runs).toHaveLength(before);
  });

  const misfits: readonly (readonly [string, TestReconcile, RegExp])[] = [
    [
      "an input that does not fit",
      ({ effects }) => decided(effects.get(customerOf(ok) as never, { name: 5 } as never)),
      /does not fit: \/name/,
    ],
    [
      "a function",
      ({ effects }) => decided(effects.get(customerOf(ok) as never, { name: () => 1 } as never)),
      /JSON does not have/,
    ],
    [
      "a worker that the app does not have",
      ({ effects }) => decided(effects.get({ definition: { name: "other" } } as never, {} as never)),
      /not among the workers of defineApp/,
    ],
    [
      "too many effects at once",
      ({ effects }) => {
        for (let n = 0; n < 17; n++) effects.get(customerOf(ok) as never, { name: `n${n}` } as never);
        return testDone();
      },
      /more than 16 effects at once/,
    ],
    [
      "too much",
      ({ effects }) => decided(effects.get(customerOf(ok) as never, { name: "x".repeat(70_000) } as never)),
      /more than 65536 bytes/,
    ],
  ];
  test.each(misfits)("%s is an error of the controller, and nothing is asked", async (_what, reconcile, says) => {
    const bench = new RuntimeBench({ billing: reconcile }, {}, { workers: [customerOf(ok).definition] });
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
    const { calls, run } = scripted(() => {
      throw new TerminalError("No customers in this country.", { reason: "country_refused" });
    });
    const bench = benchOf(customerOf(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    expect(calls).toHaveLength(1);
    expect(await bench.types()).toContain("organization.effect-failed");
    expect((await bench.resource("acme")).conditions).toContainEqual(
      expect.objectContaining({ type: "Refused", message: "country_refused" }),
    );
  });

  test("an error is tried again with the same key, five attempts in all; then a dead letter, and redriving calls again", async () => {
    const { calls, run } = scripted(boom, boom, boom, boom, boom, ok);
    const bench = benchOf(customerOf(run, { breaker: { failures: 100 } }));
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
    expect(effectOf(stalled)?.state).toBe("dead");
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
    const bench = benchOf(customerOf(() => ({ id: 5 }) as never));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    await bench.publish("change-plan", "acme", { plan: "team" });
    await bench.settleAll();
    expect(await bench.resource("acme")).toMatchObject({ phase: "Failed", generation: 2 });
  });

  test("an output that does not fit is a dead letter at once, that a corrected worker answers", async () => {
    const { calls, run } = scripted(() => ({ id: 5 }) as never, ok);
    const bench = benchOf(customerOf(run));
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

  test("a worker whose input schema became stricter than an ask gives a dead letter, not a call", async () => {
    const { calls, run } = scripted(ok);
    const bench = benchOf(customerOf(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    const strict = defineWorker({
      name: "customer",
      input: z.object({ name: z.string().max(2) }),
      output: Output,
      run,
    });
    const workers = bench.workersOf([strict.definition]);
    await workers.settle();
    expect(calls).toEqual([]);
    expect(await bench.work.deadLetters(bench.tenantId)).toMatchObject([{ failure: { code: "effect_input_invalid" } }]);
  });

  test("a call that hangs is aborted at its time-out, its slot is free, and it is made again", async () => {
    const signals: AbortSignal[] = [];
    const { calls, run } = scripted(({ signal }) => (signals.push(signal), hang({} as never)), ok);
    const bench = benchOf(customerOf(run, { timeoutMs: 1_000, concurrency: 1 }));
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

describe("unknown outcomes", () => {
  const hold = { onUnknown: "hold" } as const;

  test.each([
    ["an error of the worker's own", boom],
    [
      "a connection that was lost after sending",
      () =>
        Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNRESET" }) })),
    ],
  ] as readonly (readonly [string, Run])[])(
    "%s is held, shown as unknown, and not called again",
    async (_what, run) => {
      const script = scripted(run);
      const bench = benchOf(customerOf(script.run, hold));
      await bench.publish("create", "acme", { name: "Acme" });
      await bench.settleAll();
      await bench.clock.advance(3_600_000);
      await bench.settleAll();
      expect(script.calls).toHaveLength(1);
      const resource = await bench.resource("acme");
      expect(effectOf(resource)?.state).toBe("unknown");
      expect(resource.conditions.map(({ type }) => type)).toEqual(
        expect.arrayContaining(["OutcomeUnknown", "Unknown"]),
      );
      expect(await bench.work.effects(bench.tenantId)).toMatchObject([
        { state: "held", failure: { code: "effect_held" } },
      ]);
      expect(await bench.work.standingEffects()).toEqual([{ component: "effect:customer", state: "held", count: 1 }]);
    },
  );

  test.each([
    ["a TryAgainError", () => Promise.reject(new TryAgainError("busy"))],
    [
      "a connection that was refused",
      () =>
        Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) })),
    ],
  ] as readonly (readonly [string, Run])[])(
    "%s says that nothing was done, so it is tried again also where unknowns are held",
    async (_what, run) => {
      const script = scripted(run, ok);
      const bench = benchOf(customerOf(script.run, hold));
      await bench.publish("create", "acme", { name: "Acme" });
      await bench.settleAll();
      await bench.clock.advance(2_000);
      await bench.settleAll();
      expect(script.calls).toHaveLength(2);
      expect((await bench.resource("acme")).phase).toBe("Ready");
    },
  );

  async function heldBench(run: Run): Promise<{ readonly bench: RuntimeBench; readonly ask: EventId }> {
    const bench = benchOf(customerOf(run, hold));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    const ask = effectOf(await bench.resource("acme"))?.id;
    if (ask === undefined) throw new Error("there is an effect");
    return { bench, ask };
  }

  test.each([
    [{ ok: { id: "cus_9" } }, "effect-succeeded", "Ready"],
    [{ failed: { code: "never_happened", message: "Checked with the bank." } }, "effect-failed", "Progressing"],
  ])("held and resolved by hand: the result is written without a call", async (result, tail, phase) => {
    const { calls, run } = scripted(boom);
    const { bench, ask } = await heldBench(run);
    await bench.decideEffect("effect.resolved", ask, { worker: "customer", ...result });
    await bench.settleAll();
    expect(calls).toHaveLength(1);
    expect(await bench.types()).toContain(`organization.${tail}`);
    expect((await bench.resource("acme")).phase).toBe(phase);
    expect(await bench.work.effects(bench.tenantId)).toEqual([]);
  });

  test("held and retried by hand: the call is made again with the same key, and may be held again", async () => {
    const { calls, run } = scripted(boom, boom, ok);
    const { bench, ask } = await heldBench(run);
    await bench.decideEffect("effect.retried", ask, { worker: "customer" });
    await bench.settleAll();
    expect(calls).toHaveLength(2);
    expect((await bench.types()).filter((type) => type.endsWith("effect-unknown"))).toHaveLength(2);
    expect(await bench.work.effects(bench.tenantId)).toMatchObject([{ state: "held" }]);
    await bench.decideEffect("effect.retried", ask, { worker: "customer" });
    await bench.settleAll();
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    expect((await bench.resource("acme")).phase).toBe("Ready");
  });

  test("a decision that comes while the call runs is not lost when the call is held", async () => {
    let answer = (): void => undefined;
    const { calls, run } = scripted(boom, () => new Promise((_, reject) => (answer = () => reject(new Error("lost")))));
    const { bench, ask } = await heldBench(run);
    await bench.decideEffect("effect.retried", ask, { worker: "customer" });
    const settled = bench.workers.settle();
    await bench.clock.advance(1);
    await bench.decideEffect("effect.resolved", ask, { worker: "customer", ok: { id: "cus_9" } });
    const other = bench.workersOf([]);
    await other.settle();
    answer();
    await settled;
    await bench.settleAll();
    expect(calls).toHaveLength(2);
    expect((await bench.resource("acme")).status).toMatchObject({ billing: { customer: { id: "cus_9" } } });
  });

  test("a process that died in its call leaves an unknown outcome: held, or called again with the same key", async () => {
    for (const onUnknown of ["hold", "retry"] as const) {
      const { calls, run } = scripted(ok);
      const worker = customerOf(run, { onUnknown });
      const bench = benchOf(worker, { leaseMs: 1_000 });
      await bench.publish("create", "acme", { name: "Acme" });
      await bench.runtime.settle();
      await bench.workersOf([]).settle();
      const dead = await bench.work.claim({ components: ["effect:customer"], limit: 1, leaseMs: 1_000 });
      expect(dead).toMatchObject([{ attempt: 1, isAbandoned: false }]);
      await bench.settleAll();
      expect(calls).toEqual([]);
      await bench.clock.advance(1_001);
      await bench.settleAll();
      expect(calls).toHaveLength(onUnknown === "hold" ? 0 : 1);
      expect(effectOf(await bench.resource("acme"))?.state).toBe(onUnknown === "hold" ? "unknown" : "ok");
    }
  });
});

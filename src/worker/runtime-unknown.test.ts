/** What nobody knows: held until somebody decides, or called again with the same key. */
import { describe, expect, test } from "vitest";
import { type EventId, EventplaneError } from "../kernel/index.js";
import {
  createTestKeys,
  createWorkerBench,
  firstEffect,
  type RuntimeBench,
  scriptedRun,
  type TestRun,
  testCustomer,
} from "../testing/index.js";
import { TryAgainError } from "./index.js";

const ok: TestRun = ({ input }) => ({ id: `cus_${input.name}` });
const boom: TestRun = () => {
  throw new Error("secret");
};

describe("unknown outcomes", () => {
  const hold = { onUnknown: "hold" } as const;

  test.each([
    ["an error of the worker's own", boom],
    [
      "a connection that was lost after sending",
      () =>
        Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNRESET" }) })),
    ],
  ] as readonly (readonly [string, TestRun])[])(
    "%s is held, shown as unknown, and not called again",
    async (_what, run) => {
      const script = scriptedRun(run);
      const bench = createWorkerBench(testCustomer(script.run, hold));
      await bench.publish("create", "acme", { name: "Acme" });
      await bench.settleAll();
      await bench.clock.advance(3_600_000);
      await bench.settleAll();
      expect(script.calls).toHaveLength(1);
      const resource = await bench.resource("acme");
      expect(firstEffect(resource)).toMatchObject({ state: "unknown", failure: { code: expect.any(String) } });
      expect(JSON.stringify(resource)).not.toMatch(/secret|\.ts:/);
      expect(resource.conditions.map(({ type }) => type)).toEqual(
        expect.arrayContaining(["OutcomeUnknown", "Unknown"]),
      );
      expect(await bench.work.effects(bench.tenantId)).toMatchObject([
        { state: "held", failure: { code: "effect_held" } },
      ]);
      expect(await bench.work.standing()).toEqual([{ component: "effect:customer", state: "held", count: 1 }]);
    },
  );

  test.each([
    ["a TryAgainError", () => Promise.reject(new TryAgainError("busy")), "try_again"],
    [
      "a connection that was refused",
      () =>
        Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) })),
      "TypeError",
    ],
  ] as readonly (readonly [string, TestRun, string])[])(
    "%s says that nothing was done, so it is tried again also where unknowns are held",
    async (_what, run, code) => {
      const script = scriptedRun(run, ok);
      const bench = createWorkerBench(testCustomer(script.run, hold));
      await bench.publish("create", "acme", { name: "Acme" });
      await bench.settleAll();
      expect((await bench.work.effects(bench.tenantId))[0]?.failure?.code).toBe(code);
      await bench.clock.advance(2_000);
      await bench.settleAll();
      expect(script.calls).toHaveLength(2);
      expect((await bench.resource("acme")).phase).toBe("Ready");
    },
  );

  async function heldBench(run: TestRun): Promise<{ readonly bench: RuntimeBench; readonly ask: EventId }> {
    const bench = createWorkerBench(testCustomer(run, hold));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.settleAll();
    const ask = firstEffect(await bench.resource("acme")).id;
    if (ask === undefined) throw new Error("there is an effect");
    return { bench, ask };
  }

  test.each([
    [{ ok: { id: "cus_9" } }, "effect-succeeded", "Ready"],
    [{ failed: { code: "never_happened", message: "Checked with the bank." } }, "effect-failed", "Progressing"],
  ])("held and resolved by hand: the result is written without a call", async (result, tail, phase) => {
    const { calls, run } = scriptedRun(boom);
    const { bench, ask } = await heldBench(run);
    await bench.decideEffect("effect.resolved", ask, { worker: "customer", ...result });
    await bench.settleAll();
    expect(calls).toHaveLength(1);
    expect(await bench.types()).toContain(`organization.${tail}`);
    expect((await bench.resource("acme")).phase).toBe(phase);
    expect(await bench.work.effects(bench.tenantId)).toEqual([]);
  });

  test("held and retried by hand: the call is made again with the same key, and may be held again", async () => {
    const { calls, run } = scriptedRun(boom, boom, ok);
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
    const { calls, run } = scriptedRun(
      boom,
      () => new Promise((_, reject) => (answer = () => reject(new Error("lost")))),
    );
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
      const { calls, run } = scriptedRun(ok);
      const worker = testCustomer(run, { onUnknown });
      const bench = createWorkerBench(worker, { leaseMs: 1_000 });
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
      expect(firstEffect(await bench.resource("acme")).state).toBe(onUnknown === "hold" ? "unknown" : "ok");
    }
  });

  test("a process that dies of every attempt makes a dead letter after the last, not a sixth call", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    await bench.workersOf([]).settle();
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(await bench.work.claim({ components: ["effect:customer"], limit: 1, leaseMs: 10 })).toMatchObject([
        { attempt },
      ]);
      await bench.clock.advance(11);
    }
    await bench.settleAll();
    expect(calls).toEqual([]);
    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter).toMatchObject({ failure: { code: "effect_unknown" } });
    expect(firstEffect(await bench.resource("acme")).state).toBe("dead");
  });

  test("an ask that does not verify is never called", async () => {
    const { calls, run } = scriptedRun(ok);
    const bench = createWorkerBench(testCustomer(run));
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    const distrusting = bench.workersOf([testCustomer(run).definition], { verifier: createTestKeys().verifier });
    const forged = bench.workersOf([testCustomer(run).definition], {
      verifier: {
        verify: () => {
          throw new EventplaneError("verification_failed", "It does not carry the signature.");
        },
      },
    });
    await distrusting.settle();
    expect(await bench.work.effects(bench.tenantId)).toMatchObject([{ state: "waiting", attempts: 0 }]);
    await bench.clock.advance(1_000);
    await forged.settle();
    expect(calls).toEqual([]);
    const [letter] = await bench.work.deadLetters(bench.tenantId);
    expect(letter).toMatchObject({ failure: { code: "verification_failed" } });
  });
});

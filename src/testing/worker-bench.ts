/** A bench with one controller `billing` that asks one worker `customer`: what the unit tests of workers run on. */
import { strict as check } from "node:assert";
import type { EffectOutcome, EffectState, Resource, WorkerCall, WorkerDefinition } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";
import { defineWorker, type WorkerConfig, type WorkerRuntimeOptions } from "../worker/index.js";
import { RuntimeBench } from "./runtime-bench.js";
import { type TestReconcile, testDone } from "./test-app.js";

/** What the worker of a test does. */
export type TestRun = (call: WorkerCall<{ readonly name: string }>) => Promise<{ id: string }> | { id: string };

const input = {
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
} as const;
const output = { type: "object", properties: { id: { type: "string" } }, required: ["id"] } as const;

/** A worker whose calls are these, one after another, the last again and again; and what it was called with. */
export function scriptedRun(...script: readonly TestRun[]): { readonly calls: WorkerCall[]; readonly run: TestRun } {
  const calls: WorkerCall[] = [];
  const run: TestRun = (call) => {
    calls.push(call);
    const step = script[Math.min(calls.length, script.length) - 1];
    check.ok(step !== undefined, "a script has a step");
    return step(call);
  };
  return { calls, run };
}

/** A worker `customer` that takes a name and gives an id. */
export function testCustomer(
  run: TestRun,
  config: Partial<WorkerConfig<"customer", typeof input, typeof output>> = {},
): { readonly definition: WorkerDefinition } {
  return defineWorker({ name: "customer", input, output, run, ...config });
}

/** What a controller decides on what it knows of an effect. */
export function testDecision(outcome: EffectOutcome<object>): ReturnType<TestReconcile> {
  if (outcome.ok !== undefined) return testDone({ customer: outcome.ok as JsonObject }); // results are JSON
  const told = outcome.failed ?? outcome.unknown;
  if (told === undefined) return { outcome: "progressing" };
  const type = outcome.failed === undefined ? "Unknown" : "Refused";
  return { outcome: "progressing", conditions: [{ type, status: "True", reason: "Billing", message: told.code }] };
}

/** `billing` asks for a customer of the resource's name. */
export function createWorkerBench(
  worker: { readonly definition: WorkerDefinition },
  options: Partial<WorkerRuntimeOptions> = {},
): RuntimeBench {
  const billing: TestReconcile = ({ resource, effects }) =>
    testDecision(effects.get<JsonObject, JsonObject>(worker, { name: resource.spec.name ?? "" }));
  return new RuntimeBench({ billing }, {}, { workers: [worker.definition], ...options });
}

/** The first effect of a resource. */
export function firstEffect({ effects }: Pick<Resource, "effects">): EffectState {
  const [effect] = Object.values(effects);
  check.ok(effect !== undefined, "there is an effect");
  return effect;
}

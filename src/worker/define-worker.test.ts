import { Type } from "typebox";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { blocked, defineAggregate, defineApp, defineController, done, pending } from "../controller/index.js";
import type { EffectFailure, EffectOutcome, ReconcileContext } from "../event/index.js";
import { defineWorker, type WorkerConfig } from "./index.js";

const organization = defineAggregate("organization", {
  spec: z.object({ name: z.string() }),
  status: { billing: z.object({ customerId: z.string() }) },
  intents: { create: { creates: true } },
});
const customer = defineWorker({
  name: "billing-customer",
  input: z.object({ name: z.string(), vat: z.string().optional() }),
  output: z.object({ id: z.string() }),
  run: async ({ input, idempotencyKey, signal }) => {
    expectTypeOf(input).toEqualTypeOf<{ name: string; vat?: string | undefined }>();
    expectTypeOf(idempotencyKey).toEqualTypeOf<string>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    return { id: `${input.name} ${idempotencyKey}` };
  },
});
const boxed = defineWorker({
  name: "boxed",
  input: Type.Object({ plan: Type.Union([Type.Literal("free"), Type.Literal("team")]) }),
  output: { type: "object", properties: { seats: { type: "integer" } }, required: ["seats"] } as const,
  run: ({ input }) => ({ seats: input.plan === "free" ? 1 : 2 }),
});

/** Compiled, never run: each line marked must be an error of tsc, and that very line. */
export function mistakes({ effects }: ReconcileContext): void {
  expectTypeOf(effects.get(customer, { name: "Acme" })).toEqualTypeOf<EffectOutcome<{ id: string }>>();
  expectTypeOf(effects.get(boxed, { plan: "team" }).ok).toEqualTypeOf<{ readonly seats: number } | undefined>();
  expectTypeOf(effects.get(boxed, { plan: "team" }).failed).toEqualTypeOf<EffectFailure | undefined>();
  // @ts-expect-error a member that is missing
  effects.get(customer, {});
  // @ts-expect-error a member of the wrong type
  effects.get(customer, { name: 5 });
  // @ts-expect-error a plan that does not exist
  effects.get(boxed, { plan: "gold" });
  // @ts-expect-error no worker
  effects.get({ definition: {} }, {});
  const input = z.object({});
  // @ts-expect-error an output that its schema does not have
  defineWorker({ name: "w", input, output: z.object({ id: z.string() }), run: () => ({ id: 5 }) });
  // @ts-expect-error an input that its schema does not have
  defineWorker({ name: "w", input, output: z.object({}), run: ({ input: { name } }) => ({ name }) });
  // @ts-expect-error a policy that does not exist
  defineWorker({ name: "w", input, output: z.object({}), onUnknown: "ignore", run: () => ({}) });
  // @ts-expect-error an output that is no object
  defineWorker({ name: "w", input, output: z.string(), run: () => "" });
  // @ts-expect-error no worker
  defineApp({ aggregates: [organization], workers: [{}] });
}

test("a controller reads as the design says, and its status follows from the worker's output", () => {
  const billing = defineController({
    name: "billing",
    watches: organization,
    reconcile({ resource, effects }) {
      const r = effects.get(customer, { name: resource.spec.name });
      return r.ok
        ? done({ customerId: r.ok.id })
        : r.failed
          ? blocked("BillingRefused", r.failed.code)
          : r.unknown
            ? blocked("BillingUnknown", r.unknown.message)
            : pending();
    },
  });
  const app = defineApp({ aggregates: [organization], controllers: [billing], workers: [customer, boxed] });
  expect([...app.workers.keys()]).toEqual(["billing-customer", "boxed"]);
  expect(app.workers.get("billing-customer")).toMatchObject({
    timeoutMs: 10_000,
    retry: { attempts: 5 },
    concurrency: 8,
    onUnknown: "retry",
    inputSchema: { type: "object", required: ["name"], additionalProperties: false },
  });
});

describe("a worker that cannot be used is an error at load that says why", () => {
  const good = { name: "w", input: z.object({}), output: z.object({}), run: () => ({}) };
  const bad: readonly (readonly [
    string,
    Partial<Record<keyof typeof good | keyof WorkerConfig<"w", object, object>, unknown>>,
    RegExp,
  ])[] = [
    ["a name with capitals", { name: "Billing" }, /cannot name a worker/],
    ["no function", { run: undefined }, /needs a function run/],
    ["a policy that does not exist", { onUnknown: "ignore" }, /onUnknown of worker w is retry or hold/],
    ["a time-out of 0", { timeoutMs: 0 }, /timeoutMs of worker w must be a whole number from 1/],
    ["half an attempt", { retry: { attempts: 0.5 } }, /retry\.attempts of worker w/],
    ["a breaker that never opens", { breaker: { failures: 0 } }, /breaker\.failures of worker w/],
    ["too many calls at once", { concurrency: 1_000 }, /concurrency of worker w must be a whole number from 1 to 256/],
    ["an output that is no object", { output: { type: "string" } }, /the output of worker w must be an object/],
    ["an input that is a list", { input: z.array(z.string()) }, /the input of worker w must be an object/],
    [
      "a transform",
      { output: z.object({ id: z.string().trim() }) },
      /The schema of the output of worker w cannot be used/,
    ],
  ];
  test.each(bad)("%s", (_what, part, says) => {
    const config = { ...good, ...part } as Parameters<typeof defineWorker>[0]; // wrong on purpose
    expect(() => defineWorker(config)).toThrow(says);
    expect(() => defineWorker(config)).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });

  test("two of one name, and an aggregate called effect", () => {
    expect(() => defineApp({ aggregates: [], workers: [customer, customer] })).toThrow(/Two workers are called/);
    const effect = defineAggregate("effect", { spec: z.object({}), intents: { create: { creates: true } } });
    expect(() => defineApp({ aggregates: [effect] })).toThrow(/No aggregate may be called effect/);
  });
});

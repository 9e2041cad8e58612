/** Workers' processes side by side on one PostgreSQL, against a real service. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { systemClock } from "../src/kernel/index.js";
import { EffectsFixture } from "./support/effects-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

let effects: EffectsFixture;

beforeAll(async () => {
  buildCommand();
  effects = await EffectsFixture.open();
});
afterEach(() => effects.reset());
afterAll(() => effects.close());

async function createAll(prefix: string, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
  await Promise.all(ids.map((id) => effects.create(id)));
  return ids;
}

test("two processes share the effects: each is called once, by one of them", async () => {
  effects.service.mood = 20;
  effects.startWorker({ leaseMs: 30_000 });
  effects.startWorker({ leaseMs: 30_000 });
  const ids = await createAll("shared", 40);
  await Promise.all(ids.map((id) => effects.ready(id)));
  expect(effects.service.calls).toHaveLength(ids.length);
  expect(new Set(effects.service.calls).size).toBe(ids.length);
});

test("a call that lasts longer than its lease keeps it: no other process calls meanwhile", async () => {
  effects.service.mood = 2_000;
  effects.startWorker({ leaseMs: 600 });
  effects.startWorker({ leaseMs: 600 });
  await effects.create("long");
  await effects.ready("long");
  expect(effects.service.calls).toHaveLength(1);
});

test("processes that are killed again and again never call an effect twice at once while a lease lives", async () => {
  effects.service.mood = 150;
  const ids = await createAll("shaken", 60);
  for (let round = 0; round < 4; round++) {
    const before = effects.service.calls.length;
    const victim = effects.startWorker({ concurrency: 6 });
    await effects.until("calls", async () => (effects.service.calls.length > before + 3 ? true : undefined));
    if (round === 2) effects.startWorker({ concurrency: 2 });
    await victim.end("SIGKILL");
  }
  await Promise.all(ids.map((id) => effects.ready(id)));
  // A killed process takes its connection with it, so the service knows when a call is over.
  expect(effects.service.overlapMax).toBe(1);
  expect(effects.service.calls.length).toBeGreaterThan(ids.length);
  expect(effects.service.customers.size).toBe(ids.length);
  for (const id of ids) expect(await effects.count(id, "effect-succeeded")).toBe(1);
});

test("a call that hangs is aborted at its time-out, and its slot goes to the next effect", async () => {
  effects.service.mood = "silent";
  effects.startWorker({ timeoutMs: 300, concurrency: 1, leaseMs: 30_000 });
  await effects.create("hanging");
  await effects.until("the call", async () => (effects.service.calls.length > 0 ? true : undefined));
  effects.service.mood = "prompt";
  await effects.create("next");
  await Promise.all([effects.ready("hanging"), effects.ready("next")]);
  expect(effects.service.calls).toHaveLength(3);
});

test("a service that is down is left alone until a try succeeds; then everything is called", async () => {
  effects.service.mood = "hangup";
  effects.startWorker({ concurrency: 1, leaseMs: 30_000, breaker: { failures: 3, openMs: 1_500 } });
  const ids = await createAll("down", 4);
  await effects.until("three calls", async () => (effects.service.calls.length >= 3 ? true : undefined));
  await systemClock.sleep(700);
  expect(effects.service.calls).toHaveLength(3);
  effects.service.mood = "prompt";
  await Promise.all(ids.map((id) => effects.ready(id)));
  expect(effects.service.calls).toHaveLength(3 + ids.length);
});

test("an effect is called soon after it was asked for, found by polling alone", async () => {
  effects.startWorker();
  await effects.create("warm");
  await effects.ready("warm");
  const tookMs: number[] = [];
  for (let n = 0; n < 10; n++) {
    const startMs = performance.now();
    await effects.create(`quick-${n}`);
    await effects.ready(`quick-${n}`);
    tookMs.push(performance.now() - startMs);
  }
  const [median = Number.NaN] = tookMs.toSorted((a, b) => a - b).slice(5);
  expect(median).toBeLessThan(1_000);
});

/** P9 of docs/guarantees.md with real processes that are killed, and a real service that counts its calls. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { effectResultId } from "../src/event/index.js";
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

/** The calls that the service saw for a resource's effect, and whether all had the effect's own key. */
async function callsOf(aggregateId: string): Promise<number> {
  const ask = Object.values((await effects.resource(aggregateId))?.effects ?? {})[0];
  const key = effectResultId(effects.tenantId, ask?.id ?? "", "customer");
  expect(effects.service.calls.every((called) => called === key)).toBe(true);
  return effects.service.calls.length;
}

/** However often it was called: one result, one change of state for it, one ready fact. */
async function expectOnce(aggregateId: string): Promise<void> {
  expect(await effects.count(aggregateId, "effect-asked")).toBe(1);
  expect(await effects.count(aggregateId, "effect-succeeded")).toBe(1);
  expect(await effects.count(aggregateId, "ready")).toBe(1);
  const completed = (await effects.stream(aggregateId)).filter(({ finalizersText }) => finalizersText.includes("true"));
  expect(completed).toHaveLength(1);
  expect(effects.service.customers.size).toBeLessThanOrEqual(1);
}

describe("P9", () => {
  test("without a crash there is one call, with the effect's key", async () => {
    effects.startWorker();
    await effects.create("calm");
    await effects.ready("calm");
    expect(await callsOf("calm")).toBe(1);
    await expectOnce("calm");
  });

  const kills = [
    { when: "before the call", stopAt: "before", point: "before", retried: 1, held: 0 },
    { when: "during the call", mood: "silent", retried: 2, held: 1 },
    { when: "after the answer came, before it is written", stopAt: "after", point: "after", retried: 2, held: 1 },
  ] as const;

  /** Starts a worker and kills it there. */
  async function killAt(kill: (typeof kills)[number], id: string, onUnknown: "retry" | "hold"): Promise<void> {
    if ("mood" in kill) effects.service.mood = kill.mood;
    const victim = effects.startWorker({ onUnknown, ...("stopAt" in kill ? { stopAt: kill.stopAt } : {}) });
    await effects.create(id);
    if ("point" in kill) await effects.at(kill.point);
    else await effects.until("the call", async () => (effects.service.calls.length > 0 ? true : undefined));
    await victim.end("SIGKILL");
    effects.service.mood = "prompt";
  }

  test.each(kills)("killed $when: retry calls again with the same key, and the state changes once", async (kill) => {
    const id = `retry-${kill.when.replaceAll(/\W/g, "-")}`;
    await killAt(kill, id, "retry");
    effects.startWorker();
    await effects.ready(id);
    expect(await callsOf(id)).toBe(kill.retried);
    await expectOnce(id);
  });

  test.each(kills)(
    "killed $when: hold calls nobody again, shows that the outcome is unknown, and waits",
    async (kill) => {
      const id = `hold-${kill.when.replaceAll(/\W/g, "-")}`;
      await killAt(kill, id, "hold");
      effects.startWorker({ onUnknown: "hold" });
      const { id: ask } = await effects.effect(id, "unknown");
      await systemClock.sleep(300);
      expect(await callsOf(id)).toBe(kill.held);
      expect(await effects.count(id, "effect-unknown")).toBe(1);
      expect((await effects.resource(id))?.phase).toBe("Progressing");

      await effects.decide("effect.resolved", ask, { worker: "customer", ok: { id: "cus_by_hand" } });
      const resource = await effects.ready(id);
      expect(resource.status).toMatchObject({ billing: { customer: { id: "cus_by_hand" } } });
      expect(await callsOf(id)).toBe(kill.held);
      await expectOnce(id);
    },
  );

  test("killed after the result is written: nothing is called again", async () => {
    const victim = effects.startWorker();
    await effects.create("written");
    await effects.effect("written", "ok");
    await victim.end("SIGKILL");
    effects.startWorker();
    await effects.ready("written");
    await systemClock.sleep(1_500);
    expect(await callsOf("written")).toBe(1);
    await expectOnce("written");
  });

  test("a connection that is lost after sending is unknown: held, and called again only when somebody says so", async () => {
    effects.service.mood = "hangup";
    effects.startWorker({ onUnknown: "hold" });
    await effects.create("cut");
    const { id: ask } = await effects.effect("cut", "unknown");
    expect(await callsOf("cut")).toBe(1);
    effects.service.mood = "prompt";
    await effects.decide("effect.retried", ask, { worker: "customer" });
    await effects.ready("cut");
    expect(await callsOf("cut")).toBe(2);
    await expectOnce("cut");
  });

  test("a stop in the middle of a call waits its grace, then hands the effect over; hold holds it", async () => {
    for (const onUnknown of ["retry", "hold"] as const) {
      await effects.reset();
      effects.service.mood = "silent";
      const id = `stopped-${onUnknown}`;
      const stopped = effects.startWorker({ onUnknown, leaseMs: 30_000, stopGraceMs: 200 });
      await effects.create(id);
      await effects.until("the call", async () => (effects.service.calls.length > 0 ? true : undefined));
      const { status, ms } = await stopped.end("SIGTERM");
      expect([status, stopped.errors.includes("Error")]).toEqual([0, false]);
      expect(ms).toBeGreaterThan(190);
      expect(ms).toBeLessThan(5_000);
      effects.service.mood = "prompt";
      effects.startWorker({ onUnknown });
      if (onUnknown === "hold") await effects.effect(id, "unknown");
      else await effects.ready(id);
      expect(effects.service.calls).toHaveLength(onUnknown === "hold" ? 1 : 2);
    }
  });
});

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { blocked, defineAggregate, defineApp, defineController, done, pending } from "../controller/index.js";
import { TerminalError } from "../kernel/index.js";
import { defineWorker } from "../worker/index.js";
import { type TestPlane, testPlane } from "./index.js";

const Plan = z.enum(["free", "team"]);
const organization = defineAggregate("organization", {
  spec: z.object({ name: z.string().max(80), plan: Plan }),
  status: {
    quota: z.object({ members: z.int() }),
    billing: z.object({ customerId: z.string() }),
    trial: z.object({ ended: z.boolean() }),
  },
  intents: {
    create: { creates: true },
    "change-plan": { schema: z.object({ plan: Plan }) },
    delete: { deletes: true },
  },
  guard: (resource, intent) =>
    resource?.spec.plan === "team" && intent.spec.plan === "free" ? "Nobody leaves the team plan." : undefined,
});
const customer = defineWorker({
  name: "billing-customer",
  input: z.object({ name: z.string() }),
  output: z.object({ id: z.string() }),
  timeoutMs: 10_000,
  retry: { attempts: 4, baseMs: 1_000, capMs: 1_000 },
  run: () => Promise.reject(new Error("the real one is never called")),
});
const members = { free: 3, team: 25 };
const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: members[resource.spec.plan] }),
});
const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile({ resource, effects }) {
    if (resource.lifecycle === "deleting") return done();
    const asked = effects.get(customer, { name: resource.spec.name });
    if (asked.failed) return blocked("BillingRefused", asked.failed.code);
    return asked.ok ? done({ customerId: asked.ok.id }) : pending();
  },
});
const monthMs = 30 * 24 * 3_600_000;
const trial = defineController({
  name: "trial",
  watches: organization,
  reconcile({ resource, event, now }) {
    const leftMs = Date.parse(event.recordedAt) + monthMs - Date.parse(now);
    const ended = resource.status.trial?.ended === true || leftMs <= 0;
    return done({ ended }, ended ? {} : { requeueAfterMs: leftMs });
  },
});
const app = defineApp({ aggregates: [organization], controllers: [quota, billing, trial], workers: [customer] });

const made = { id: "cus_1" };
const open = (fake = (): { id: string } | Promise<{ id: string }> => made): Promise<TestPlane<Message>> =>
  testPlane(app, { workers: { "billing-customer": fake } });
type Message = typeof app extends { readonly "~types"?: { readonly message: infer M } } ? M : never;

/** Compiled, never run: each line marked must be an error of tsc, and that very line. */
export async function mistakes(): Promise<void> {
  // @ts-expect-error a worker that the app does not have
  await testPlane(app, { workers: { nobody: () => made } });
  // @ts-expect-error a fake whose output is of the wrong type
  await testPlane(app, { workers: { "billing-customer": () => ({ id: 1 }) } });
  const p = await testPlane(app);
  // @ts-expect-error a plan that does not exist
  await p.publish({ type: "organization.change-plan", aggregateId: "o", spec: { plan: "gold" } });
  // @ts-expect-error a member that the spec does not have
  (await p.resource(organization, "o")).spec.colour;
}

describe("a test plane", () => {
  test("brings an intent to Ready with a fake in the worker's place, in milliseconds", async () => {
    const p = await open();
    const startMs = performance.now();
    const published = await p.publish(organization.create({ name: "Acme", plan: "team" }));
    await p.settle();
    expect(performance.now() - startMs).toBeLessThan(1_000);
    const resource = await p.resource(organization, published.aggregateId);
    expect(resource).toMatchObject({
      phase: "Ready",
      status: { quota: { members: 25 }, billing: { customerId: "cus_1" }, trial: { ended: false } },
    });
    expect(await p.resources(organization)).toEqual([resource]);
    expect(p.calls("billing-customer")).toEqual([{ input: { name: "Acme" }, idempotencyKey: expect.any(String) }]);
    const types = (await p.trace(published)).map(({ type }) => type);
    expect(types).toContain("organization.ready");
    expect(types[0]).toBe("organization.create");
    expect((await p.events()).map(({ position }) => position)).toEqual(types.map((_, index) => index + 1));
  });

  test("publishes as an edge does: schema, guard, stamp and refusals in the log", async () => {
    const p = await open();
    const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "team" }));
    const misfit = { type: "organization.create", spec: { name: 1 } } as never;
    await expect(p.publish(misfit)).rejects.toMatchObject({ code: "schema_violation" });
    await expect(p.publish(organization.changePlan(aggregateId, { plan: "free" }))).rejects.toMatchObject({
      code: "guard_refused",
      message: "Nobody leaves the team plan.",
    });
    await p.settle();
    const [event] = await p.events();
    expect(event?.causedBy).toMatchObject({ principal: { type: "user", id: "test" }, via: "embedded" });
    const refused = (await p.events({ filter: { type: "refusal.recorded" } })).map(({ spec }) => spec.code);
    expect(refused).toEqual(["schema_violation", "guard_refused"]);
  });

  test("tenants have logs of their own, and there are only those that were named", async () => {
    const p = await testPlane(app, { tenants: ["acme", "globex"], workers: { "billing-customer": () => made } });
    await p.publish(organization.create({ name: "Globex", plan: "free" }, { aggregateId: "g" }), { tenant: "globex" });
    await p.settle();
    expect(await p.events()).toEqual([]);
    expect((await p.resource(organization, "g", { tenant: "globex" })).phase).toBe("Ready");
    await expect(p.resource(organization, "g")).rejects.toMatchObject({ code: "not_found" });
    await expect(p.events({ tenant: "initech" })).rejects.toMatchObject({ code: "forbidden" });
    expect(() => p.as({ tenant: "initech", principal: { id: "u" } })).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
  });

  test("time passes only when it is told to, and fires what is due on its way", async () => {
    const p = await open();
    const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await p.settle();
    await p.advance(monthMs - 1);
    expect((await p.resource(organization, aggregateId)).status.trial?.ended).toBe(false);
    await p.advance(1);
    expect((await p.resource(organization, aggregateId)).status.trial?.ended).toBe(true);
    expect(p.now).toBe("2026-01-31T00:00:00.000000Z");
  });

  test("deletes", async () => {
    const p = await open();
    const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await p.settle();
    await p.publish(organization.delete(aggregateId));
    await p.settle();
    expect((await p.resource(organization, aggregateId)).phase).toBe("Deleted");
  });

  test("fakes that take their time are waited for; their refusals become results; outputs are checked", async () => {
    const slow = await open(() => new Promise((resolve) => setTimeout(() => resolve(made), 30)));
    const { aggregateId } = await slow.publish(organization.create({ name: "Acme", plan: "free" }));
    await slow.settle();
    expect((await slow.resource(organization, aggregateId)).phase).toBe("Ready");

    const refusing = await open(() => Promise.reject(new TerminalError("No.", { reason: "card_declined" })));
    const refused = await refusing.publish(organization.create({ name: "Acme", plan: "free" }));
    await refusing.settle();
    expect((await refusing.resource(organization, refused.aggregateId)).conditions).toContainEqual(
      expect.objectContaining({ type: "Blocked", message: "card_declined" }),
    );

    const wrong = await open(() => ({ id: 1 }) as never);
    await wrong.publish(organization.create({ name: "Acme", plan: "free" }));
    await wrong.settle();
    expect(await wrong.deadLetters()).toMatchObject([{ failure: { code: "effect_output_invalid" } }]);
  });

  test("a worker without a fake must not be asked, and a fake of no worker is refused", async () => {
    const p = await testPlane(app);
    await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await expect(p.settle()).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining('workers: { "billing-customer": … }'),
    });
    await expect(testPlane(app, { workers: { nobody: () => made } as object })).rejects.toMatchObject({
      code: "config_invalid",
    });
    await expect(testPlane(app, { now: "today" })).rejects.toMatchObject({ code: "usage" });
  });

  test("a reconcile that reads a clock is a dead letter that says so", async () => {
    const unpure = defineController({
      name: "unpure",
      watches: organization,
      reconcile: () => done({ at: Date.now() }),
    });
    const p = await testPlane(defineApp({ aggregates: [organization], controllers: [unpure] }));
    const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await p.advance(60_000);
    expect((await p.resource(organization, aggregateId)).phase).toBe("Failed");
    const [letter] = await p.deadLetters();
    expect(letter?.failure.code).toBe("decision_not_deterministic");
    expect(p.logged).toContainEqual(
      expect.objectContaining({ level: "error", message: expect.stringContaining("gave up") }),
    );
  });

  test("a controller that fails is tried again when its backoff is over, not at the next look at the log", async () => {
    let calls = 0;
    const fails = defineController({
      name: "fails",
      watches: organization,
      reconcile() {
        calls += 1;
        throw new Error("of the team");
      },
    });
    const p = await testPlane(defineApp({ aggregates: [organization], controllers: [fails] }));
    await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await p.advance(1_000);
    expect(calls).toBe(5);
  });

  test("controllers that wake one another for ever end as dead letters, and the plane comes to rest", async () => {
    const restless = (name: string): ReturnType<typeof defineController> =>
      defineController({
        name,
        watches: organization,
        reconcile: ({ resource }) => pending({ status: { version: resource.version } }),
      });
    const p = await testPlane(defineApp({ aggregates: [organization], controllers: [restless("a"), restless("b")] }));
    await p.publish(organization.create({ name: "Acme", plan: "free" }));
    await p.settle();
    expect((await p.deadLetters()).map(({ failure }) => failure.code)).toContain("reconciles_exhausted");
  });
});

describe("planted faults", () => {
  const create = (p: TestPlane<Message>): Promise<{ aggregateId: string }> =>
    p.publish(organization.create({ name: "Acme", plan: "free" }));
  const phase = async (p: TestPlane<Message>, id: string): Promise<string> =>
    (await p.resource(organization, id)).phase;

  test("a worker that fails is tried again, with nothing done before", async () => {
    const p = await open();
    p.plant({ worker: "billing-customer", fault: "fails", times: 2 });
    const { aggregateId } = await create(p);
    await p.settle();
    expect([await phase(p, aggregateId), p.calls("billing-customer").length]).toEqual(["Progressing", 0]);
    await p.advance(3_000);
    expect([await phase(p, aggregateId), p.calls("billing-customer").length]).toEqual(["Ready", 1]);
    expect(p.standingFaults).toEqual([]);
  });

  test("an outcome that is unknown was a call: it is made again with the same key", async () => {
    const p = await open();
    p.plant({ worker: "billing-customer", fault: "unknown" });
    const { aggregateId } = await create(p);
    await p.advance(2_000);
    expect(await phase(p, aggregateId)).toBe("Ready");
    const keys = p.calls("billing-customer").map(({ idempotencyKey }) => idempotencyKey);
    expect([keys.length, new Set(keys).size]).toEqual([2, 1]);
  });

  test("a call that hangs ends at the worker's time-out, and holds up nobody else", async () => {
    const p = await open();
    p.plant({ worker: "billing-customer", fault: "hangs" });
    const { aggregateId } = await create(p);
    await p.settle();
    const other = await p.publish(organization.create({ name: "Other", plan: "free" }));
    await p.settle();
    expect([await phase(p, aggregateId), await phase(p, other.aggregateId)]).toEqual(["Progressing", "Ready"]);
    await p.advance(9_999);
    expect(await phase(p, aggregateId)).toBe("Progressing");
    await p.advance(1_001);
    expect(await phase(p, aggregateId)).toBe("Ready");
  });

  test("a fake that never answers is taken to hang", async () => {
    const p = await open(() => new Promise(() => undefined));
    const { aggregateId } = await create(p);
    await p.settle();
    expect(await phase(p, aggregateId)).toBe("Progressing");
  });

  test("a service that brings no answers opens the breaker, and a try closes it", async () => {
    const p = await open();
    p.plant({ worker: "billing-customer", fault: "fails", times: 5 });
    for (let n = 0; n < 7; n++) await p.publish(organization.create({ name: `o-${n}`, plan: "free" }));
    await p.settle();
    expect(p.logged.map(({ message }) => message).join()).toContain("its breaker is open");
    await p.advance(60_000);
    expect((await p.resources(organization)).map((each) => each.phase)).toEqual(Array(7).fill("Ready"));
  });

  test.each(["diesBeforeCommit", "diesAfterCommit"] as const)(
    "a process that %s loses nothing and does nothing twice",
    async (fault) => {
      const p = await open();
      p.plant({ process: fault, times: 3 });
      const { aggregateId } = await create(p);
      await p.advance(120_000);
      expect(p.standingFaults).toEqual([]);
      expect(await phase(p, aggregateId)).toBe("Ready");
      const events = await p.events();
      expect(events.filter(({ type }) => type === "organization.ready").length).toBe(1);
      expect(new Set(p.calls("billing-customer").map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    },
  );

  test("an append that loses its lease adds nothing, and the row is taken again when the lease ends", async () => {
    const p = await open();
    p.plant({ append: "losesLease" });
    const { aggregateId } = await create(p);
    await p.settle();
    await p.advance(31_000);
    expect([await phase(p, aggregateId), p.standingFaults.length]).toEqual(["Ready", 0]);
  });

  test("a process that is killed hands nothing back: its work waits for the end of its lease", async () => {
    const p = await open();
    p.plant({ worker: "billing-customer", fault: "hangs" });
    const { aggregateId } = await create(p);
    await p.settle();
    p.kill();
    await p.advance(29_000);
    expect(await phase(p, aggregateId)).toBe("Progressing");
    await p.advance(2_000);
    expect(await phase(p, aggregateId)).toBe("Ready");
  });
});

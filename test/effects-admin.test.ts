/** What people see of effects and decide on them: over HTTP, with evtctl's client, on a whole plane. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EffectInfo, type EventplaneClient } from "../src/client/index.js";
import type { WorkerDefinition } from "../src/event/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import { scriptedRun, type TestReconcile, type TestRun, testCustomer, testDecision } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

/** What the service does with each name. */
const answer: TestRun = ({ input: { name } }) => {
  if (name.startsWith("ok")) return { id: `cus_${name}` };
  if (name.startsWith("wait")) return new Promise(() => undefined);
  throw new Error("nobody knows");
};
const { calls, run } = scriptedRun(answer);
const customer = testCustomer(run, { onUnknown: "hold", concurrency: 32, breaker: { failures: 1_000 } });
const billing: TestReconcile = ({ resource, effects }) =>
  testDecision(effects.get<object, object>(customer, { name: String(resource.spec["name"]) }));

let plane: PlaneFixture;
let acme: PlaneTenant;
let admin: EventplaneClient["admin"];

beforeAll(async () => {
  const workers: readonly WorkerDefinition[] = [customer.definition];
  plane = await PlaneFixture.open({ billing }, { workers });
  acme = await plane.tenant("acme");
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
});
afterAll(() => plane.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

/** The effect of a resource whose call nobody knows the outcome of. */
async function heldOf(aggregateId: string): Promise<EffectInfo> {
  await create(acme, aggregateId, { name: `bad-${aggregateId}` });
  return until("the held effect", async () =>
    (await admin.effects({ tenant: "acme", state: "held" })).find((effect) => effect.aggregateId === aggregateId),
  );
}

describe("an effect that is held", () => {
  it("is listed and shown with its key and reason, without what was asked", async () => {
    const effect = await heldOf("shown");
    expect(effect).toMatchObject({
      tenantId: acme.id,
      worker: "customer",
      controller: "billing",
      aggregateType: "organization",
      attempts: 1,
      failure: { code: "effect_held" },
    });
    expect(effect.idempotencyKey).toBe(calls.find(({ input }) => input["name"] === "bad-shown")?.idempotencyKey);
    expect(await admin.effect(effect.id, { tenant: "acme" })).toEqual(effect);
    expect(JSON.stringify(effect)).not.toContain("bad-shown");
    const resource = await acme.client.resource("organization", "shown");
    expect(resource.effects).toMatchObject([{ id: effect.id, state: "unknown", worker: "customer" }]);
  });

  it("ends with the result that somebody gives, in the log with who decided, and without a call", async () => {
    const effect = await heldOf("resolved");
    const before = calls.length;
    await admin.resolveEffect(effect.id, { ok: { id: "cus_9" } }, { tenant: "acme" });
    const resource = await inPhase(acme, "resolved", "Ready");
    expect(resource.status).toMatchObject({ billing: { customer: { id: "cus_9" } } });
    expect(calls).toHaveLength(before);
    const [fact] = await plane.installation.reader.readStream(acme.id, {
      aggregateType: "effect",
      aggregateId: effect.id,
    });
    expect(fact).toMatchObject({
      type: "effect.resolved",
      kind: "fact",
      causationId: effect.id,
      correlationId: effect.correlationId,
    });
    expect(JSON.parse(fact?.causedByText ?? "")).toMatchObject({ via: "http", principal: { type: "service" } });
    expect(await codeOf(admin.effect(effect.id, { tenant: "acme" }))).toBe("not_found");
  });

  it("ends as failed when somebody says so, and the controller sees it", async () => {
    const effect = await heldOf("refused");
    await admin.resolveEffect(
      effect.id,
      { failed: { code: "never_came", message: "Asked them." } },
      { tenant: "acme" },
    );
    const refusal = await until("the refusal", async () => {
      const { conditions } = await acme.client.resource("organization", "refused");
      return conditions.find(({ type }) => type === "Refused");
    });
    expect(refusal.message).toBe("never_came");
  });

  it("is called again with the same key when somebody says so", async () => {
    const effect = await heldOf("retried");
    await admin.retryEffect(effect.id, { tenant: "acme" });
    await until("the second call", async () =>
      calls.filter(({ idempotencyKey }) => idempotencyKey === effect.idempotencyKey).length === 2 ? true : undefined,
    );
    const holds = await until("it to be held again", async () => {
      const types = (await acme.client.readPage({ aggregateId: "retried", limit: 100 })).events.map(({ type }) => type);
      const found = types.filter((type) => type === "organization.effect-unknown").length;
      return found < 2 ? undefined : found;
    });
    expect(holds).toBe(2);
  });

  it("makes /readyz say that something stands, and the metrics count it", async () => {
    await heldOf("standing");
    await until("the metric", async () => {
      const text = await (await fetch(`${plane.url}/metrics`)).text();
      return /eventplane_effect_standing\{worker="customer",state="held"\} [1-9]/.exec(text) ?? undefined;
    });
    const ready = await fetch(`${plane.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(JSON.stringify(await ready.json())).toMatch(/effects_held: [1-9]/);
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    expect(text).toMatch(/eventplane_effect_total\{worker="customer",result="held"\} [1-9]/);
    expect(text).toMatch(/eventplane_effect_time_seconds_count\{worker="customer"\} [1-9]/);
    expect(text).not.toContain(acme.id);
  });
});

describe("a decision is refused", () => {
  let judged: Promise<EffectInfo> | undefined;

  it("when nobody has to decide: effect_not_standing", async () => {
    await create(acme, "waiting", { name: "wait" });
    const effect = await until("the call", async () =>
      (await admin.effects({ tenant: "acme", state: "running" })).find(({ aggregateId }) => aggregateId === "waiting"),
    );
    const decided = [
      admin.retryEffect(effect.id, { tenant: "acme" }),
      admin.resolveEffect(effect.id, { ok: { id: "x" } }, { tenant: "acme" }),
    ];
    expect(await Promise.all(decided.map(codeOf))).toEqual(["effect_not_standing", "effect_not_standing"]);
  });

  it.each([
    ["a result that the worker could not have given", { ok: { id: 5 } }, "schema_violation"],
    ["a result with more members than it has", { ok: { id: "x", more: 1 } }, "schema_violation"],
    ["a secret in the result", { ok: { id: `ghp_${"aB3".repeat(12)}` } }, "secret_found"],
    ["a secret in the message", { failed: { code: "a", message: `at https://a:${"pw".repeat(4)}@b` } }, "secret_found"],
    ["a code that is no word", { failed: { code: "a b", message: "" } }, "schema_violation"],
    ["no message", { failed: { code: "a" } }, "schema_violation"],
    ["both", { ok: { id: "x" }, failed: { code: "a", message: "" } }, "request_invalid"],
    ["neither", {}, "request_invalid"],
    ["a member that is not known", { result: {} }, "forbidden_field"],
  ])("with %s", async (_what, body, code) => {
    judged ??= heldOf("judged");
    const { id } = await judged;
    expect(await codeOf(admin.resolveEffect(id, body as never, { tenant: "acme" }))).toBe(code);
  });

  it("the second time, with another result: the first one counts", async () => {
    const effect = await heldOf("twice");
    const resolve = (id: string): Promise<string | undefined> =>
      codeOf(admin.resolveEffect(effect.id, { ok: { id } }, { tenant: "acme" }));
    const codes = await Promise.all([resolve("first"), resolve("second")]);
    expect(codes.filter((code) => code === undefined).length).toBeLessThanOrEqual(1);
    const { status } = await inPhase(acme, "twice", "Ready");
    const facts = await plane.installation.reader.readStream(acme.id, {
      aggregateType: "effect",
      aggregateId: effect.id,
    });
    expect(facts).toHaveLength(1);
    expect(status).toMatchObject({
      billing: { customer: (JSON.parse(facts[0]?.specText ?? "") as { ok: object }).ok },
    });
  });

  it("to others: strangers see nothing of them, and publishers may not look", async () => {
    const effect = await heldOf("foreign");
    await admin.createTenant({ slug: "stranger" });
    const { key } = await admin.createKey("stranger", { name: "own", grants: ["admin"] });
    const stranger = createClient({ baseUrl: plane.url, apiKey: key }).admin;
    expect(await stranger.effects()).toEqual([]);
    expect(await codeOf(stranger.effects({ tenant: "acme" }))).toBe("forbidden");
    expect(await codeOf(stranger.effect(effect.id))).toBe("not_found");
    expect(await codeOf(stranger.retryEffect(effect.id))).toBe("not_found");
    expect(await codeOf(stranger.resolveEffect(effect.id, { ok: { id: "x" } }, { tenant: "acme" }))).toBe("forbidden");
    expect(await codeOf(acme.client.admin.effects())).toBe("forbidden");
  });

  it("for a state that does not exist", async () => {
    expect(await codeOf(admin.effects({ tenant: "acme", state: "lost" as never }))).toBe("request_invalid");
  });
});

/** `plane.as(…)`: the pipeline of HTTP for code of the same process. */
import { Type } from "typebox";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { defineAggregate, done, isRetryable, pending, reject } from "../src/index.js";
import { NotSettledError } from "../src/plane/embedded/index.js";
import type { Plane } from "../src/plane/open-plane.js";
import { PlaneFixture } from "./support/plane-fixture.js";

let fixture: PlaneFixture;
let plane: Plane;
const create = (name: string): { type: string; spec: { name: string } } => ({
  type: "organization.create",
  spec: { name },
});
/** As the fixture's app has it, for the types. */
const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String(), plan: Type.Optional(Type.String()) }),
  status: { quota: Type.Object({ members: Type.Integer() }) },
  intents: { create: { creates: true }, "change-plan": {}, delete: { deletes: true } },
});

beforeAll(async () => {
  fixture = await PlaneFixture.open({
    quota: ({ resource: { spec } }) =>
      spec.name === "never" ? pending() : spec.name === "wrong" ? reject("Wrong", "No.") : done({ members: 3 }),
  });
  plane = await fixture.start();
});
afterAll(() => fixture?.close());

/** The tenant is made through another edge, so this one learns of it a moment later. */
const callerIn = (tenant: string, id: string): Promise<ReturnType<Plane["as"]>> =>
  vi.waitFor(() => plane.as({ tenant, principal: { id } }), { timeout: 5_000 });

describe("plane.as", () => {
  test("publishes with the stamp of its principal, via embedded, once for one idempotency key", async () => {
    const tenant = await fixture.tenant("acme");
    const caller = await callerIn("acme", "user-7");
    const [first] = await caller.publish([create("Acme")], { idempotencyKey: "sign-up-7" });
    const [again] = await caller.publish([create("Acme")], { idempotencyKey: "sign-up-7" });
    expect([first?.result, again?.result]).toEqual(["created", "repeated"]);
    const [event] = await caller.events({ filter: { kind: "intent" } });
    expect(event).toMatchObject({
      tenantId: tenant.id,
      causedBy: { principal: { type: "user", id: "user-7" }, via: "embedded" },
    });
    expect(JSON.parse(JSON.stringify(event))).toMatchObject({ spec: { name: "Acme" }, position: 1 });
  });

  test("refuses what HTTP refuses, and notes it in the tenant's log", async () => {
    await fixture.tenant("strict");
    const caller = await callerIn("strict", "user-8");
    const forged = { ...create("Forged"), causedBy: { principal: { type: "user", id: "somebody" } } };
    expect(await caller.publish([forged])).toMatchObject([{ result: "refused", error: { code: "forbidden_field" } }]);
    await expect(caller.publish([{ type: "organization.nothing", spec: {} }], { atomic: true })).rejects.toMatchObject({
      code: "unknown_type",
    });
    await expect.poll(async () => (await caller.events()).map(({ type }) => type)).toContain("refusal.recorded");
    expect((await caller.events({ filter: { kind: "intent" } })).length).toBe(0);
  });

  test.each(["nobody", "platform"])("acts in no tenant called %s", (tenant) => {
    expect(() => plane.as({ tenant, principal: { id: "user-9" } })).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
  });

  test("one intent gives its receipt or throws, and is one for one idempotency key, as over HTTP", async () => {
    await fixture.tenant("single");
    const caller = await callerIn("single", "user-1");
    const options = { idempotencyKey: "sign-up-1" };
    const first = await caller.publish(create("Acme"), options);
    const again = await caller.publish(create("Acme"), options);
    expect([first.result, again.result, again.receipt]).toEqual(["created", "repeated", first.receipt]);
    await expect(caller.publish(create("Other"), options)).rejects.toMatchObject({ code: "content_mismatch" });
    await expect(caller.publish({ type: "organization.nothing", spec: {} })).rejects.toMatchObject({
      code: "unknown_type",
    });
  });

  test("counts what was appended in the metrics", async () => {
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    expect(text).toMatch(/eventplane_events_appended_total\{kind="intent",result="appended"\} [1-9]/);
    expect(text).toMatch(/eventplane_events_appended_total\{kind="intent",result="repeated"\} [1-9]/);
    expect(text).toMatch(/eventplane_append_duration_seconds_count [1-9]/);
  });
});

describe('publish with wait: "settled"', () => {
  test("comes back when the generation has ended: ready, rejected, deleted or superseded", async () => {
    await fixture.tenant("settling");
    const caller = await callerIn("settling", "user-1");
    const settled = { wait: "settled" } as const;
    const { receipt, settled: ready } = await caller.publish(create("Acme"), settled);
    const { aggregateId } = receipt;
    expect(ready).toBe("ready");
    expect(await caller.resource(organization, aggregateId)).toMatchObject({
      phase: "Ready",
      status: { quota: { members: 3 } },
      origin: { causedByText: "{}" },
    });
    expect((await caller.publish(create("wrong"), settled)).settled).toBe("rejected");

    const never = await caller.publish(create("never"));
    const waiting = caller.settled(never.receipt);
    await caller.publish({
      type: "organization.change-plan",
      aggregateId: never.receipt.aggregateId,
      spec: { plan: "team" },
    });
    expect(await waiting).toBe("superseded");

    const deletion = { type: "organization.delete", aggregateId, spec: {} };
    expect((await caller.publish(deletion, settled)).settled).toBe("deleted");
    expect(await caller.publish(deletion, settled)).toMatchObject({ result: "unchanged", settled: "deleted" });
    expect(await caller.resource(organization, "nobody")).toBeUndefined();
    const page = await vi.waitFor(async () => {
      const found = await caller.resources(organization, { limit: 2 });
      expect(found.resources.length).toBe(2);
      return found;
    });
    const rest = await caller.resources(organization, { after: page.next ?? "" });
    expect(rest.resources.length).toBe(1);
  });

  test("a time-out and an abort leave the intent accepted, say so with the receipt, and are not for trying again", async () => {
    await fixture.tenant("waiting");
    const caller = await callerIn("waiting", "user-1");
    const late = await caller
      .publish(create("never"), { wait: "settled", timeoutMs: 150 })
      .catch((error: unknown) => error);
    expect(late).toBeInstanceOf(NotSettledError);
    expect(late).toMatchObject({ code: "not_settled", reason: "timeout", receipt: { aggregateType: "organization" } });
    expect(isRetryable(late)).toBe(false);

    const impatient = new AbortController();
    const aborted = caller.publish(create("never"), { wait: "settled", signal: impatient.signal });
    setTimeout(() => impatient.abort(), 150);
    const error = await aborted.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "not_settled", reason: "aborted" });

    const kept = await caller.events({ filter: { kind: "intent" } });
    expect(kept.map(({ id }) => id)).toEqual([late, error].map((each) => (each as NotSettledError).receipt.id));
    await expect(caller.settled((error as NotSettledError).receipt, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "usage",
    });
  });

  test("a plane that closes meanwhile says that it cannot be followed any more", async () => {
    await fixture.tenant("closing");
    const own = await fixture.start();
    const caller = await vi.waitFor(() => own.as({ tenant: "closing", principal: { id: "user-1" } }), {
      timeout: 5_000,
    });
    const { receipt } = await caller.publish(create("never"));
    const waiting = caller.settled(receipt).catch((error: unknown) => error);
    const startedMs = performance.now();
    await own.close();
    expect(await waiting).toMatchObject({ code: "not_settled", reason: "unreadable" });
    // Not by the time-out of a connection that nobody gives any more.
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

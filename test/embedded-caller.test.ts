/** `plane.as(…)`: the pipeline of HTTP for code of the same process. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { done } from "../src/index.js";
import type { Plane } from "../src/plane/open-plane.js";
import { PlaneFixture } from "./support/plane-fixture.js";

let fixture: PlaneFixture;
let plane: Plane;
const create = (name: string): { type: string; spec: { name: string } } => ({
  type: "organization.create",
  spec: { name },
});

beforeAll(async () => {
  fixture = await PlaneFixture.open({ quota: () => done() });
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

  test("counts what was appended in the metrics", async () => {
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    expect(text).toMatch(/eventplane_events_appended_total\{kind="intent",result="appended"\} [1-9]/);
    expect(text).toMatch(/eventplane_events_appended_total\{kind="intent",result="repeated"\} [1-9]/);
    expect(text).toMatch(/eventplane_append_duration_seconds_count [1-9]/);
  });
});

/** P10 for projections of one's own, end to end: planes on one PostgreSQL, HTTP in front. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TenantId } from "../src/kernel/index.js";
import { testDone, testProjection } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, until } from "./support/plane-fixture.js";

let plane: PlaneFixture;

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota: () => testDone() }, { projections: [testProjection("plans").definition] });
});
afterAll(() => plane.close());

async function degraded(): Promise<readonly [status: number, degraded: unknown]> {
  const response = await fetch(`${plane.url}/readyz`);
  const { degraded: found } = (await response.json()) as { readonly degraded: unknown }; // /readyz has it always
  return [response.status, found];
}

/** The count of a type as the view shows it to a role of the tenant. */
async function counted(tenantId: TenantId, type = "organization.create"): Promise<number> {
  const sql = "select value from projection_plans.types where tenant_id = $1 and key = $2";
  const [row] = await plane.installation.asSuperuser<{ value: string }>(sql, [tenantId, type]);
  return Number(row?.value ?? 0);
}

describe("P10", () => {
  test("a projection follows the log of each tenant, and counts each event once though two planes run it", async () => {
    await plane.start();
    const acme = await plane.tenant("acme");
    await Promise.all(Array.from({ length: 40 }, (_, index) => create(acme, `o-${index}`, { plan: "free" })));
    await until("all are counted", async () => ((await counted(acme.id)) >= 40 ? true : undefined));
    expect(await counted(acme.id)).toBe(40);
  });

  test("an event that cannot be applied stops its tenant, with position, alarm and reason in /readyz; others go on", async () => {
    const [still, other] = [await plane.tenant("still"), await plane.tenant("other")];
    await create(still, "good", { plan: "free" });
    await inPhase(still, "good", "Ready");
    const { position } = await create(still, "bad", { plan: "poison" });
    await until("it is told", async () => (JSON.stringify(await degraded()).includes("plans") ? true : undefined));
    expect(await degraded()).toEqual([200, ["projection_stopped: plans RangeError tenants 1"]]);
    const [alarm] = plane.logged.split("\n").filter((line) => line.includes("A projection of a tenant stands still"));
    expect(JSON.parse(alarm ?? "{}")).toMatchObject({
      projection: "plans",
      tenantId: still.id,
      position,
      level: "error",
    });
    await create(still, "later", { plan: "free" });
    await create(other, "one", { plan: "free" });
    await until("the other tenant goes on", async () => ((await counted(other.id)) === 1 ? true : undefined));
    expect(await counted(still.id)).toBe(1);
  });
});

/** Questions to projections: over HTTP, by the client, and by `plane.as(…).query`. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import type { Plane } from "../src/plane/open-plane.js";
import { testDone, testProjection } from "../src/testing/index.js";
import { create, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const plans = testProjection("plans");
let fixture: PlaneFixture;
let plane: Plane;
let acme: PlaneTenant;

beforeAll(async () => {
  fixture = await PlaneFixture.open({ quota: () => testDone() }, { projections: [plans.definition] });
  plane = await fixture.start();
  acme = await fixture.tenant("acme");
});
afterAll(() => fixture.close());

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isEventplaneError(error) ? error.code : undefined;
}

async function status(path: string, key = acme.key): Promise<number> {
  return (await fetch(`${fixture.url}${path}`, { headers: { authorization: `Bearer ${key}` } })).status;
}

describe("a question", () => {
  test("reads one's own write: with the position of a receipt it is answered when that event is in the rows", async () => {
    for (let n = 0; n < 20; n++) {
      const { position } = await create(acme, `own-${n}`, { plan: "free", seats: 1 });
      const page = await acme.client.query(
        "plans",
        { table: "plans", where: { plan: "free" } },
        { minPosition: position },
      );
      expect(page.position).toBeGreaterThanOrEqual(position);
      expect(page.rows).toEqual([{ group: { plan: "free" }, count: n + 1, sums: { seats: n + 1 } }]);
    }
  });

  test("has the same answer for code of the plane's own process, typed by the projection", async () => {
    const me = await vi.waitFor(() => plane.as({ tenant: "acme", principal: { id: "user-1" } }), { timeout: 5_000 });
    const { receipt } = await me.publish({
      type: "organization.create",
      aggregateId: "mine",
      spec: { plan: "team", seats: 7 },
    });
    const minPosition = receipt.position;
    const groups = await me.query(plans, { table: "plans", where: { plan: "team" } }, { minPosition });
    expect(groups.rows[0]?.sums.seats).toBe(7);
    const [last] = (await me.query(plans, { table: "last", key: "mine" }, { minPosition })).rows;
    expect(last?.value).toEqual({ plan: "team", position: receipt.position });
    expect(await acme.client.query("plans", { table: "last", key: "mine" })).toMatchObject({ rows: [last] });
  });

  test("comes in pages", async () => {
    const first = await acme.client.query("plans", { table: "history", limit: 2 });
    const second = await acme.client.query("plans", { table: "history", limit: 2, after: first.next ?? "" });
    expect([first, second].flatMap(({ rows }) => rows.map(({ key }) => key))).toEqual([
      "mine",
      "own-0",
      "own-1",
      "own-10",
    ]);
  });

  test("waits at most 5 s for a position that does not come", async () => {
    const once = createClient({ baseUrl: fixture.url, tenant: "acme", apiKey: acme.key, attemptsMax: 1 });
    const waiting = once.query("plans", { table: "types" }, { minPosition: 1_000_000 });
    expect(await codeOf(waiting)).toBe("timeout");
  });

  test("to a table, a group or a projection that is not there is refused, and names what there is", async () => {
    const path = "/v1/tenants/acme/projections/plans";
    expect(await status(`${path}?table=types`)).toBe(200);
    for (const query of [
      "",
      "table=nothing",
      "table=types&plan=free",
      "table=plans&plam=free",
      "table=plans&key=free",
      "table=types&limit=0",
      "table=types&table=plans",
    ]) {
      expect([query, await status(`${path}?${query}`)]).toEqual([query, 400]);
    }
    expect(await status("/v1/tenants/acme/projections/others?table=types")).toBe(404);
    await expect(acme.client.query("plans", { table: "nothing" })).rejects.toThrow("types, plans, last, history");
  });

  test("of another tenant is forbidden, and a key that may not read cannot ask", async () => {
    const rival = await fixture.tenant("rival");
    await create(rival, "secret", { plan: "secret-plan" });
    const asked = async (): Promise<string> => JSON.stringify(await acme.client.query("plans", { table: "plans" }));
    await until("the rival's is folded", async () =>
      JSON.stringify(await rival.client.query("plans", { table: "plans" })).includes("secret-plan") ? true : undefined,
    );
    expect(await asked()).not.toContain("secret");
    const path = "/v1/tenants/rival/projections/plans?table=plans";
    expect([await status(path), await status("/v1/tenants/nobody/projections/plans?table=plans")]).toEqual([403, 403]);
    expect([await status(path, fixture.adminKey), await status(path, rival.key)]).toEqual([403, 200]);
  });
});

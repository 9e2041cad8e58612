/** Tables that are added up over all tenants: over HTTP, by the client, and by code of the plane's own process. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { testDone, testProjection } from "../src/testing/index.js";
import { eventually, refusalsIn } from "./support/edge-fixture.js";
import { create, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const plans = testProjection("plans");
let fixture: PlaneFixture;
let operator: EventplaneClient["admin"]["projections"];
let tenants: readonly PlaneTenant[];

beforeAll(async () => {
  fixture = await PlaneFixture.open({ quota: () => testDone() }, { projections: [plans.definition] });
  operator = createClient({ baseUrl: fixture.url, apiKey: fixture.adminKey }).admin.projections;
  tenants = await Promise.all(["acme", "rival", "third"].map((slug) => fixture.tenant(slug)));
  for (const [index, tenant] of tenants.entries()) {
    for (let n = 0; n <= index; n++) await create(tenant, `team-${n}`, { plan: "team", seats: 10 });
    const { position } = await create(tenant, "own", { plan: `only-${tenant.slug}`, seats: 1 });
    await tenant.client.query("plans", { table: "plans" }, { minPosition: position });
  }
});
afterAll(() => fixture.close());

const path = "/v1/admin/projections/plans/across-tenants";

async function answer(query: string, key = fixture.adminKey): Promise<{ status: number; text: string }> {
  const response = await fetch(`${fixture.url}${path}?${query}`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, text: await response.text() };
}

describe("a table across tenants", () => {
  test("has for each key the sum of what every tenant is told, and in how many tenants there is one", async () => {
    const { rows } = await operator.acrossTenants<{ group: { plan: string }; count: number; sums: { seats: number } }>(
      "plans",
      { table: "plans" },
    );
    const pages = await Promise.all(
      tenants.map(({ client }) => client.query<(typeof rows)[number]>("plans", { table: "plans" })),
    );
    const told = pages.flatMap((page) => page.rows);
    for (const { group, count, sums, tenants: of } of rows) {
      const own = told.filter((row) => row.group.plan === group.plan);
      const added = own.reduce((sum, row) => ({ count: sum.count + row.count, seats: sum.seats + row.sums.seats }), {
        count: 0,
        seats: 0,
      });
      expect({ count, seats: sums.seats, tenants: of }).toEqual({ ...added, tenants: own.length });
    }
    expect(rows.find(({ group }) => group.plan === "team")).toEqual({
      group: { plan: "team" },
      count: 6,
      sums: { seats: 60 },
      tenants: 3,
    });
    expect(rows).toHaveLength(4);
    const types = await operator.acrossTenants("plans", { table: "types", key: "organization.create" });
    expect(types).toEqual({ rows: [{ key: "organization.create", value: 9, tenants: 3 }], next: null });
  });

  test("comes in pages, by values of a group, and follows what happens", async () => {
    const first = await operator.acrossTenants("plans", { table: "plans", limit: 2 });
    const second = await operator.acrossTenants("plans", { table: "plans", limit: 2, after: first.next ?? "" });
    expect([...first.rows, ...second.rows].map(({ group }) => group)).toEqual(
      ["only-acme", "only-rival", "only-third", "team"].map((plan) => ({ plan })),
    );
    const asked = { table: "plans", where: { plan: "only-acme" } };
    expect((await operator.acrossTenants("plans", asked)).rows).toMatchObject([{ count: 1, tenants: 1 }]);
    await create(tenants[1] as PlaneTenant, "joins", { plan: "only-acme", seats: 4 });
    const both = await until("both to be added up", async () => {
      const [row] = (await operator.acrossTenants("plans", asked)).rows;
      return row?.tenants === 2 ? row : undefined;
    });
    expect(both).toMatchObject({ count: 2, sums: { seats: 5 } });
  });

  test("names no tenant", async () => {
    const { text } = await answer("table=types");
    for (const { id, slug } of tenants) for (const name of [id, slug]) expect(text).not.toContain(name);
  });

  test("is refused to every key of a tenant, its admin's too, and the refusal is an event of that tenant", async () => {
    const [acme] = tenants as [PlaneTenant];
    const { admin } = createClient({ baseUrl: fixture.url, apiKey: fixture.adminKey });
    const { key, id } = await admin.createKey("acme", { name: "own admin", grants: ["admin"] });
    const own = createClient({ baseUrl: fixture.url, apiKey: key }).admin.projections;
    await expect(own.acrossTenants("plans", { table: "plans" })).rejects.toMatchObject({ code: "forbidden" });
    expect((await answer("table=plans", key)).status).toBe(403);
    expect((await answer("table=plans", acme.key)).status).toBe(403);
    expect((await answer("table=nothing", acme.key)).status).toBe(403);
    // The first refusal of a minute is written at once, the sum of the others when the minute is over.
    const keys = await admin.keys("acme");
    for (const { principalId } of keys) {
      const refusal = await eventually(
        async () =>
          (await refusalsIn(fixture.installation.reader, acme.id)).find((each) => each.principal === principalId),
        "the refusal in the tenant's log",
      );
      expect(refusal).toMatchObject({ code: "forbidden", count: 1 });
    }
    expect(keys.map((each) => each.id)).toContain(id);
    expect(await refusalsIn(fixture.installation.reader, PLATFORM_TENANT_ID)).toEqual([]);
  });

  test("with a sum that a JSON number cannot hold is refused, and the view in SQL is named", async () => {
    const sql = "update projection_plans.types_totals set value = array[9007199254740991] where key = $1";
    await fixture.installation.asSuperuser(sql, ["organization.create"]);
    const { status, text } = await answer("table=types");
    expect([status, JSON.parse(text)]).toEqual([422, expect.objectContaining({ code: "projection_invalid" })]);
    expect(text).toContain("the view in SQL");
  });

  test("that is not declared so, and what is no question, are refused, and name what there is", async () => {
    expect((await answer("table=plans")).status).toBe(200);
    for (const [query, says] of [
      ["", "The parameter table must be given"],
      ["table=nothing", "must be one of types, plans, last, history"],
      ["table=last", "declared with acrossTenants, here types, plans"],
      ["table=history", "declared with acrossTenants, here types, plans"],
      ["table=plans&key=free", "does not go with plans"],
      ["table=types&plan=free", "is no value of a group of types"],
      ["table=types&minPosition=3", "The parameter minPosition"],
      ["table=types&tenant=acme", "The parameter tenant"],
      ["table=types&limit=1001", "from 1 to 1000"],
    ] as const) {
      const { status, text } = await answer(query);
      expect([query, status, text]).toEqual([query, 400, expect.stringContaining(says)]);
    }
    await expect(operator.acrossTenants("others", { table: "plans" })).rejects.toMatchObject({ code: "not_found" });
  });
});

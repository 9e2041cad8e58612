/** What operators see of projections and ask of them: over HTTP, with evtctl's client, on planes that serve. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createClient,
  type EventplaneClient,
  type ProjectionInfo,
  type ProjectionTotals,
} from "../src/client/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID, systemClock, type TenantId } from "../src/kernel/index.js";
import { testDone, testProjection } from "../src/testing/index.js";
import { create, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

let plane: PlaneFixture;
let acme: PlaneTenant;
let admin: EventplaneClient["admin"];

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota: () => testDone() }, { projections: [testProjection("plans").definition] });
  await plane.start();
  acme = await plane.tenant("acme");
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
});
afterAll(() => plane.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

async function standing(tenant: string): Promise<ProjectionInfo> {
  return (await admin.projections.get("plans", { tenant })) as ProjectionInfo; // a tenant was named
}
async function totals(): Promise<ProjectionTotals> {
  return (await admin.projections.get("plans")) as ProjectionTotals; // of all tenants
}

/** Asks, and waits until it is carried out. */
async function asked(
  request: "pause" | "resume" | "reset" | "rebuild" | "verify",
  tenant: string,
): Promise<ProjectionInfo> {
  const wanted = await admin.projections.ask(request, "plans", { tenant });
  return until(`${request} to be carried out`, async () => {
    const now = await standing(tenant);
    return now.requests >= wanted && now.fresh === null ? now : undefined;
  });
}

/** Everything is folded. */
async function folded(tenant: PlaneTenant): Promise<ProjectionInfo> {
  await plane.idle(tenant.id);
  return until("everything to be folded", async () => {
    const now = await standing(tenant.slug);
    return now.lagEvents === 0 ? now : undefined;
  });
}

describe("a projection", () => {
  test("P10: is rebuilt during 100 reads a second without an error, to the same digest, while events come", async () => {
    for (let n = 0; n < 60; n++) await create(acme, `r-${n}`, { plan: n % 2 === 0 ? "free" : "team", seats: n });
    await folded(acme);
    const answers: unknown[] = [];
    const failures: unknown[] = [];
    const stop = new AbortController();
    const reads: Promise<void>[] = [];
    const reading = (async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const read = acme.client.query("plans", { table: "last", limit: 1_000 }).then(
          (page) => void answers.push(page.rows.length),
          (error: unknown) => void failures.push(error),
        );
        reads.push(read);
        await systemClock.sleep(10);
      }
    })();
    const checks: ProjectionInfo["check"][] = [];
    // A rebuild of so few events is over within some reads, so there are as many as a hundred reads take.
    for (let round = 0; round < 5 || (answers.length < 100 && round < 50); round++) {
      const { check } = await asked("rebuild", "acme");
      checks.push(check);
      await create(acme, `during-${round}`, { plan: "free" });
    }
    stop.abort();
    await reading;
    await Promise.all(reads);
    expect(failures).toEqual([]);
    expect(answers.length).toBeGreaterThanOrEqual(100);
    expect(Math.min(...answers.map(Number))).toBeGreaterThanOrEqual(60);
    for (const check of checks) expect(check).toMatchObject({ isSame: true, live: check?.fresh });
  });

  test("that somebody changed by hand is found by verify, named in /readyz, and put right by a rebuild", async () => {
    const changed = await plane.tenant("changed");
    await create(changed, "a", { plan: "free", seats: 3 });
    await folded(changed);
    expect((await asked("verify", "changed")).check).toMatchObject({ isSame: true });
    const sql = "update projection_plans.plans_totals set value = '{2,3}' where tenant_id = $1";
    await plane.installation.asSuperuser(sql, [changed.id]);
    const { check } = await asked("verify", "changed");
    expect(check).toMatchObject({ isSame: false });
    expect((await changed.client.query("plans", { table: "plans" })).rows).toMatchObject([{ count: 2 }]);
    await until("/readyz names it", async () =>
      (await (await fetch(`${plane.url}/readyz`)).text()).includes("projection_differs: plans tenants 1")
        ? true
        : undefined,
    );
    await asked("rebuild", "changed");
    expect((await changed.client.query("plans", { table: "plans" })).rows).toMatchObject([{ count: 1 }]);
    expect((await asked("verify", "changed")).check).toMatchObject({ isSame: true });
  });

  test("pauses and resumes, for one tenant and for all; its lag is told in events and seconds", async () => {
    const paused = await plane.tenant("paused");
    await create(paused, "a", { plan: "free" });
    await folded(paused);
    expect(await asked("pause", "paused")).toMatchObject({ state: "paused" });
    await create(paused, "b", { plan: "free" });
    await systemClock.sleep(300);
    const behind = await standing("paused");
    expect(behind.lagEvents).toBeGreaterThanOrEqual(1);
    expect(behind.lagSeconds).toBeGreaterThan(0.2);
    await asked("resume", "paused");
    expect(await folded(paused)).toMatchObject({ state: "running", lagSeconds: 0 });
    await admin.projections.ask("pause", "plans");
    expect(await totals()).toMatchObject({ isPaused: true });
    expect(await standing("paused")).toMatchObject({ state: "paused" });
    await admin.projections.ask("resume", "plans");
    expect(await folded(paused)).toMatchObject({ state: "running" });
  });

  test("reset begins at the beginning, and resume tries again what stopped", async () => {
    const stopped = await plane.tenant("stopped");
    await create(stopped, "good", { plan: "free" });
    await create(stopped, "bad", { plan: "poison" });
    const failure = await until("it to stop", async () => (await standing("stopped")).failure ?? undefined);
    expect(failure).toMatchObject({ code: "RangeError" });
    const all = (await admin.projections.get("plans")) as ProjectionTotals; // of all tenants
    expect(all.stoppedTenants).toContainEqual({ tenantId: stopped.id, ...failure });
    await admin.projections.ask("resume", "plans", { tenant: "stopped" });
    await until("it to stop again", async () => ((await standing("stopped")).requests === 1 ? true : undefined));
    await until("it to stop again", async () => (await standing("stopped")).failure ?? undefined);
    await admin.projections.ask("reset", "plans", { tenant: "stopped" });
    await until("it to stop once more", async () => {
      const now = await standing("stopped");
      return now.requests === 2 && now.failure !== null ? true : undefined;
    });
    expect((await stopped.client.query("plans", { table: "types" })).rows).toEqual([
      { key: "organization.create", value: 1 },
    ]);
  });

  test("is rebuilt for all tenants, with a count of those that are not done", async () => {
    await admin.projections.ask("rebuild", "plans");
    const done = await until("all to be rebuilt", async () => {
      const now = await totals();
      return now.waiting === 0 && now.fresh.tenants <= 1 ? now : undefined; // the one that stands still stays
    });
    expect(done.tenants).toBeGreaterThanOrEqual(3);
    expect(done.differing).toBe(0);
  });
});

describe("P8: what is asked of a projection", () => {
  const requestsIn = async (tenantId: TenantId): Promise<readonly unknown[]> => {
    const stream = { aggregateType: "projection", aggregateId: "plans" };
    const rows = await plane.installation.reader.readStream(tenantId, stream);
    return rows.map(({ type, kind, causedByText }) => [
      type,
      kind,
      Object.keys(JSON.parse(causedByText)).includes("principal"),
    ]);
  };

  test("is an event that says who: in the tenant's log, or in the platform's for all", async () => {
    const noted = await plane.tenant("noted");
    await create(noted, "a", { plan: "free" });
    for (const request of ["pause", "resume", "reset", "rebuild", "verify"] as const)
      await asked(request, "noted").catch(() => {});
    expect(await requestsIn(noted.id)).toEqual([
      ["projection.paused", "fact", true],
      ["projection.resumed", "fact", true],
      ["projection.reset", "fact", true],
      ["projection.rebuild-requested", "fact", true],
      ["projection.verify-requested", "fact", true],
    ]);
    expect(await requestsIn(PLATFORM_TENANT_ID)).toContainEqual(["projection.rebuild-requested", "fact", true]);
  });

  test("may be asked by an admin of the tenant for that tenant, and by nobody else", async () => {
    const { key } = await admin.createKey("acme", { name: "own admin", grants: ["admin"] });
    const own = createClient({ baseUrl: plane.url, apiKey: key }).admin.projections;
    expect(await own.list()).toMatchObject([{ name: "plans", tenantId: acme.id }]);
    expect(await codeOf(own.ask("verify", "plans"))).toBeUndefined();
    expect(await codeOf(own.ask("verify", "plans", { tenant: "paused" }))).toBe("forbidden");
    expect(await codeOf(own.ask("pause", "plans", { tenant: "platform" }))).toBe("forbidden");
    expect(await codeOf(own.get("nothing"))).toBe("not_found");
    const reader = createClient({ baseUrl: plane.url, apiKey: acme.key }).admin.projections;
    expect([await codeOf(reader.list()), await codeOf(reader.ask("reset", "plans"))]).toEqual([
      "forbidden",
      "forbidden",
    ]);
  });
});

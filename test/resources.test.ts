/** The resources projection and its reader on PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../src/event/index.js";
import { systemClock, type TenantId } from "../src/kernel/index.js";
import { createDoorbell } from "../src/plane/doorbell/index.js";
import { PostgresResourceReader, PostgresResourceTable, ResourcesProjector } from "../src/projection/index.js";
import { PostgresReader } from "../src/store/postgres/index.js";
import {
  appending,
  appendOf,
  createTestApp,
  createTestSigner,
  creating,
  draftIntent,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const signer = createTestSigner("edge");
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

let installation: Installation;
beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());

function projector(doorbell?: ReturnType<typeof createDoorbell>): ResourcesProjector {
  return new ResourcesProjector({
    table: new PostgresResourceTable(installation.pool("projector")),
    reader: new PostgresReader(installation.pool("projector")),
    app: createTestApp({}),
    clock: systemClock,
    logger: silent,
    ...(doorbell === undefined ? {} : { doorbell, pollMs: 10_000 }),
  });
}

async function create(tenantId: TenantId, aggregateId: string, plan = "free"): Promise<number> {
  const event = draftIntent({ tenantId, aggregateId, specText: JSON.stringify({ plan }) });
  const [outcome] = await installation.edge.append([signAppend(signer, appendOf(creating(event)))]);
  return outcome?.result === "appended" ? (outcome.receipts[0]?.position ?? 0) : 0;
}

async function change(tenantId: TenantId, aggregateId: string, plan: string): Promise<void> {
  const event = draftIntent({
    tenantId,
    aggregateId,
    type: "organization.change-plan",
    specText: JSON.stringify({ plan }),
  });
  await installation.edge.append([signAppend(signer, appendOf(appending(event)))]);
}

const reader = (): PostgresResourceReader => new PostgresResourceReader(installation.pool("edge"));
const organization = (aggregateId: string) => ({ aggregateType: "organization", aggregateId });

describe("resources", () => {
  it("are counted, those of the tenant alone, until there are enough", async () => {
    const tenantId = newTenantId();
    for (const id of ["acme", "globex", "initech"]) await create(tenantId, id);
    await create(newTenantId(), "acme");
    await projector().catchUp();
    expect([await reader().count(tenantId, 1_000), await reader().count(tenantId, 2)]).toEqual([3, 2]);
    expect(await reader().count(newTenantId(), 1_000)).toBe(0);
  });

  it("are read one by one, without who asked", async () => {
    const tenantId = newTenantId();
    const position = await create(tenantId, "acme", "team");
    await projector().catchUp();
    const resource = await reader().get(tenantId, organization("acme"));
    expect(resource).toMatchObject({ generation: 1, lifecycle: "live", spec: { plan: "team" }, version: 1 });
    expect(JSON.stringify(resource)).not.toContain("principal");
    expect(await reader().position(tenantId)).toBe(position);
    expect(await reader().get(tenantId, organization("nobody"))).toBeUndefined();
  });

  it("are listed in pages by id, and by phase", async () => {
    const tenantId = newTenantId();
    for (const id of ["b", "a", "c", "B"]) await create(tenantId, id);
    await projector().catchUp();
    const first = await reader().list(tenantId, { aggregateType: "organization", limit: 3 });
    expect(first.resources.map(({ aggregateId }) => aggregateId)).toEqual(["B", "a", "b"]);
    expect(first.next).toBe("b");
    const rest = await reader().list(tenantId, { aggregateType: "organization", limit: 3, after: "b" });
    expect(rest.resources.map(({ aggregateId }) => aggregateId)).toEqual(["c"]);
    expect(rest.next).toBeNull();
    const pending = await reader().list(tenantId, { aggregateType: "organization", limit: 10, phase: "Pending" });
    const ready = await reader().list(tenantId, { aggregateType: "organization", limit: 10, phase: "Ready" });
    expect([pending.resources.length, ready.resources.length]).toEqual([4, 0]);
  });

  it("of another tenant are not seen, neither through the reader nor in SQL", async () => {
    const [mine, other] = [newTenantId(), newTenantId()];
    await create(other, "acme");
    await projector().catchUp();
    expect(await reader().get(mine, organization("acme"))).toBeUndefined();
    for (const role of ["edge", "reader", "projector"] as const) {
      expect((await installation.pool(role).query("select 1 from eventplane.resources")).rows).toEqual([]);
    }
    await expect(installation.pool("edge").query("delete from eventplane.resources")).rejects.toThrow(
      /permission denied/,
    );
    await expect(installation.pool("runtime").query("select 1 from eventplane.resources")).rejects.toThrow(
      /permission denied/,
    );
  });

  it("are the same when two processes keep them and when they are made anew", async () => {
    const tenantId = newTenantId();
    const stop = new AbortController();
    const loops = [projector(), projector()].map((one) => one.run(stop.signal));
    for (let n = 0; n < 40; n++) await create(tenantId, `acme-${n}`);
    await Promise.all(Array.from({ length: 40 }, (_, n) => change(tenantId, `acme-${n}`, `plan-${n}`)));
    await until(async () => (await reader().position(tenantId)) === 80);
    stop.abort();
    await Promise.all(loops);
    const live = await all(tenantId);
    expect(live.map(({ spec }) => String(spec.plan)).toSorted()).toEqual(
      Array.from({ length: 40 }, (_, n) => `plan-${n}`).toSorted(),
    );
    await installation.asSuperuser("delete from eventplane.resources where tenant_id = $1", [tenantId]);
    await installation.asSuperuser("delete from eventplane.cursors where tenant_id = $1", [tenantId]);
    await projector().catchUp();
    expect(await all(tenantId)).toEqual(live);
  });

  it("follow the doorbell without waiting for a poll", async () => {
    const tenantId = newTenantId();
    const doorbell = createDoorbell();
    const stop = new AbortController();
    const loop = projector(doorbell).run(stop.signal);
    await systemClock.sleep(200);
    const position = await create(tenantId, "acme");
    const startMs = performance.now();
    doorbell.ring(tenantId, position);
    await until(async () => (await reader().position(tenantId)) === position);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    stop.abort();
    await loop;
  });

  it("of a tenant whose log was changed stand still; its neighbours' go on", async () => {
    const [bad, good] = [newTenantId(), newTenantId()];
    await create(bad, "acme");
    const one = projector();
    await one.catchUp();
    await installation.asSuperuser(
      "update eventplane.cursors set hash = decode(repeat('00', 32), 'hex') where tenant_id = $1",
      [bad],
    );
    await create(bad, "other");
    await create(good, "acme");
    const fresh = projector();
    await fresh.catchUp();
    expect(fresh.stopped()).toMatchObject([{ tenantId: bad, position: 1, code: "verification_failed" }]);
    expect(await reader().position(good)).toBe(1);
  });
});

async function all(tenantId: TenantId): Promise<readonly Resource[]> {
  const { resources } = await reader().list(tenantId, { aggregateType: "organization", limit: 1000 });
  return resources;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    if (await holds()) return;
    await systemClock.sleep(5);
  }
  throw new Error("it did not come to be in time");
}

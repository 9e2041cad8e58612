/** P1 to P5 of docs/guarantees.md, each end to end on one plane: HTTP in front, PostgreSQL behind. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventFactory } from "../src/event/index.js";
import { systemClock, systemIds, type TenantId } from "../src/kernel/index.js";
import { createDoorbell } from "../src/plane/doorbell/index.js";
import { subscribe } from "../src/store/index.js";
import { PostgresReader } from "../src/store/postgres/index.js";
import { createTestApp, testCausedBy, testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";
import { startPostgres } from "./support/postgres-server.js";

const controllers = { quota: () => testDone({ members: 3 }), namespace: () => testDone() };
let plane: PlaneFixture;
let acme: PlaneTenant;

beforeAll(async () => {
  plane = await PlaneFixture.open(controllers);
  acme = await plane.tenant("acme");
});
afterAll(() => plane.close());

/** Tries one statement as a role, which may be set to read only, and gives PostgreSQL's code of the refusal. */
async function refusal(
  role: "edge" | "runtime" | "reader" | "projector" | "auditor",
  sql: string,
): Promise<string | undefined> {
  const client = await plane.installation.pool(role).connect();
  try {
    await client.query("begin read write");
    await client.query(sql);
    return undefined;
  } catch (error) {
    return error instanceof pg.DatabaseError ? error.code : String(error);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

describe("P1", () => {
  test("every event has a tenant id; nothing without one is made, stored or delivered", async () => {
    await create(acme, "p1");
    await inPhase(acme, "p1", "Ready");
    for await (const item of acme.client.subscribe({ after: 0 })) {
      if (item.type === "event") expect(item.event.tenantId).toBe(acme.id);
      if (item.type === "event" && item.event.type === "organization.ready") break;
    }
    const factory = new EventFactory({ app: createTestApp(controllers), ids: systemIds });
    const request = {
      tenantId: "" as TenantId,
      type: "organization.create",
      aggregateId: "x",
      spec: {},
      specText: "{}",
    }; // what a caller without a tenant would pass
    expect(() => factory.intent(request, testCausedBy)).toThrow(/tenant/i);
    const columns = await plane.installation.asSuperuser<{ nullable: string }>(
      "select is_nullable as nullable from information_schema.columns where table_schema = 'eventplane' and column_name = 'tenant_id'",
    );
    expect(columns.length).toBeGreaterThanOrEqual(5);
    expect(columns.every(({ nullable }) => nullable === "NO")).toBe(true);
  });
});

describe("P2", () => {
  test("no role that logs in may change the log, and the triggers stop the owner and a superuser", async () => {
    await create(acme, "p2");
    const before = await plane.log(acme.id);
    const changes = [
      "update eventplane.events set spec = '{}'",
      "delete from eventplane.events",
      "truncate eventplane.events",
      "update eventplane.heads set position = 0",
    ];
    for (const role of ["edge", "runtime", "reader", "projector", "auditor"] as const) {
      for (const sql of [...changes, "insert into eventplane.events select * from eventplane.events"])
        expect([role, sql, await refusal(role, sql)]).toEqual([role, sql, "42501"]);
    }
    for (const sql of changes.slice(0, 3))
      await expect(plane.installation.asSuperuser(sql)).rejects.toThrow(/the log never changes/);
    expect((await plane.log(acme.id)).slice(0, before.length).map(({ hash }) => hash)).toEqual(
      before.map(({ hash }) => hash),
    );
  });
});

describe("P3", () => {
  test("positions and versions are 1, 2, 3 … under concurrent writers, also as a subscriber counts them", async () => {
    const busy = await plane.tenant("busy");
    const names = Array.from({ length: 16 }, (_, n) => `org-${n}`);
    const counted: number[] = [];
    const stop = new AbortController();
    const counting = (async () => {
      for await (const item of busy.client.subscribe({ after: 0 }, { signal: stop.signal })) {
        if (item.type === "event") counted.push(item.event.position);
      }
    })();
    await Promise.all(
      names.map(async (aggregateId) => {
        await create(busy, aggregateId);
        for (let n = 0; n < 3; n++)
          await busy.client.publish({ type: "organization.change-plan", aggregateId, spec: { n } });
      }),
    );
    await Promise.all(names.map((name) => inPhase(busy, name, "Ready")));
    const log = await plane.log(busy.id);
    expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1));
    for (const name of names) {
      const versions = log.filter(({ aggregateId }) => aggregateId === name).map(({ version }) => version);
      expect(versions).toEqual(versions.map((_, index) => index + 1));
    }
    expect(log.length).toBeGreaterThanOrEqual(16 * 7);
    await until("the subscriber to be told of all", async () => (counted.length >= log.length ? true : undefined));
    stop.abort();
    await counting;
    expect(counted).toEqual(counted.map((_, index) => index + 1));
  });

  test("a reader notices a position that is missing", async () => {
    const cut = await plane.tenant("cut");
    for (const name of ["a", "b", "c"]) await create(cut, name);
    const remove = `alter table eventplane.events disable trigger events_unchanging; delete from eventplane.events where tenant_id = '${cut.id}' and position = 2;
      alter table eventplane.events enable always trigger events_unchanging`;
    await plane.installation.asSuperuser(remove);
    const reader = new PostgresReader(plane.installation.pool("reader"));
    const items = subscribe({ reader, doorbell: createDoorbell(), clock: systemClock }, cut.id, {
      after: 0,
      pollMs: 20,
    });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of items) if (item.type === "event") seen.push(item.event.position);
    })();
    await expect(reading).rejects.toMatchObject({ code: "event_corrupt" });
    expect(seen.every((position) => position === 1)).toBe(true);
  });
});

describe("P4", () => {
  test("what was acknowledged survives kill -9 of the database under load, and the plane goes on by itself", async () => {
    const cluster = await startPostgres();
    const own = await PlaneFixture.open(controllers, { serverUrl: cluster.superuserUrl });
    try {
      const tenant = await own.tenant("acme");
      const acknowledged: string[] = [];
      const publishing = Promise.all(
        Array.from({ length: 150 }, async (_, n) => {
          await systemClock.sleep(n * 4);
          acknowledged.push((await create(tenant, `org-${n}`)).id);
        }),
      );
      await until("some acknowledged", async () => (acknowledged.length > 20 ? true : undefined));
      await cluster.kill9();
      const before = [...acknowledged];
      await cluster.start();
      await publishing; // the client sends again, with the same ids
      const log = await own.log(tenant.id);
      const intents = log.filter(({ kind }) => kind === "intent").map(({ id }) => id);
      expect(before.filter((id) => !intents.includes(id as (typeof intents)[number]))).toEqual([]); // ids of receipts
      expect(new Set(intents).size).toBe(150);
      expect(intents).toHaveLength(150);
      expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1));
    } finally {
      await own.close();
      await cluster.close();
    }
  });
});

describe("P5", () => {
  test("the same id gives the first receipt or content_mismatch, also after a restart", async () => {
    const intent = { id: systemIds.uuid7(), type: "organization.create", aggregateId: "p5", spec: { plan: "free" } };
    const first = await acme.client.publish(intent);
    await acme.client.publish({ type: "organization.change-plan", aggregateId: "p5", spec: { plan: "team" } });
    const answers = async (): Promise<unknown[]> => {
      const client = plane.client("acme", acme.key);
      const other = client.publish({ ...intent, spec: { plan: "team" } }).catch((error: unknown) => error);
      return Promise.all([client.publish(intent), other]);
    };
    const expected = [{ ...first, repeated: true }, expect.objectContaining({ code: "content_mismatch" })];
    expect(await answers()).toEqual(expected);
    await plane.stop();
    await plane.start();
    expect(await answers()).toEqual(expected);
    expect((await plane.log(acme.id)).filter(({ id }) => id === intent.id)).toHaveLength(1);
  });
});

/** `openPlane(app, …)` in the process of an application, on a real PostgreSQL. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { Type } from "typebox";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type App,
  counter,
  defineAggregate,
  defineApp,
  defineController,
  defineProjection,
  done,
  type MessageOf,
} from "../src/index.js";
import { type EmbeddedPlane, type OpenPlaneOptions, openPlane } from "../src/plane/embedded/index.js";
import type { TestDatabase } from "./support/postgres-database.js";
import { runAs } from "./support/postgres-installation.js";
import { createTestDatabase } from "./support/postgres-server.js";

const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String() }),
  status: { quota: Type.Object({ members: Type.Integer() }) },
  intents: { create: { creates: true }, rename: {} },
});
type Message = MessageOf<typeof organization>;

const creations = defineProjection({
  name: "creations",
  tables: { created: counter({ acrossTenants: true }) },
  apply: { "organization.create": (_event, { created }) => created.add("all") },
});

/** As a reload of the application's module makes it: new objects, perhaps other code. */
function loadApp(members: number): App<Message> {
  const quota = defineController({ name: "quota", watches: organization, reconcile: () => done({ members }) });
  return defineApp({ aggregates: [organization], controllers: [quota], projections: [creations] });
}

let database: TestDatabase;
let dataDir: string;
let options: OpenPlaneOptions;
const opened: EmbeddedPlane[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(join(tmpdir(), "eventplane-app-"));
  options = { databaseUrl: database.ownerUrl, dataDir, rolePrefix: database.rolePrefix, connectionsMax: 2 };
});
afterAll(async () => {
  await Promise.all(opened.map((plane) => plane.close()));
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function open(app: App<Message>, more: OpenPlaneOptions = {}): Promise<EmbeddedPlane<Message>> {
  const plane = await openPlane(app, { ...options, ...more });
  opened.push(plane);
  return plane;
}

/** Connections of Eventplane's roles to the database. */
async function connections(): Promise<number> {
  const sql =
    "select count(*)::int as count from pg_stat_activity where datname = current_database() and usename like $1";
  const [row] = await runAs<{ count: number }>(database.superuserUrl, sql, [`${database.rolePrefix}\\_%`]);
  return (row?.count ?? 0) - (await ownerConnections());
}

async function ownerConnections(): Promise<number> {
  const sql = "select count(*)::int as count from pg_stat_activity where datname = current_database() and usename = $1";
  const [row] = await runAs<{ count: number }>(database.superuserUrl, sql, [new URL(database.ownerUrl).username]);
  return row?.count ?? 0;
}

const members = async (plane: EmbeddedPlane<Message>, aggregateId: string): Promise<unknown> => {
  const me = plane.as({ tenant: "acme", principal: { id: "user-1" } });
  return (await me.resource(organization, aggregateId))?.status.quota?.members;
};

describe("openPlane", () => {
  test("refuses a database that nobody migrated, and options that contradict one another", async () => {
    await expect(open(loadApp(1))).rejects.toMatchObject({ code: "migration_needed" });
    const both = { ...options, pool: { options: {} } };
    await expect(openPlane(loadApp(1), both)).rejects.toMatchObject({ code: "config_invalid" });
    await expect(open(loadApp(1), { connectionsMax: 1 })).rejects.toMatchObject({ code: "config_invalid" });
    expect(await connections()).toBe(0);
  });

  test("runs the app on the database of the application's own pool, and nobody listens", async () => {
    const pool = new pg.Pool({ connectionString: database.ownerUrl });
    const { databaseUrl: _, ...withoutUrl } = options;
    const plane = await openPlane(loadApp(3), { ...withoutUrl, pool, migrate: true });
    expect(plane.url).toBeUndefined();
    expect(await plane.createTenant("acme")).toBe(await plane.createTenant("acme"));
    const me = plane.as({ tenant: "acme", principal: { id: "user-1" } });
    const intent = organization.create({ name: "Acme" }, { aggregateId: "acme" });
    expect((await me.publish(intent, { wait: "settled" })).settled).toBe("ready");
    expect(await members(plane, "acme")).toBe(3);
    await plane.createTenant("rival");
    const rival = plane.as({ tenant: "rival", principal: { id: "user-2" } });
    const { receipt } = await rival.publish(organization.create({ name: "Rival" }, { aggregateId: "rival" }));
    await rival.query(creations, { table: "created" }, { minPosition: receipt.position });
    const { rows } = await plane.acrossTenants(creations, { table: "created", key: "all" });
    expect(rows).toEqual([{ key: "all", value: 2, tenants: 2 }]);
    await plane.close();
    expect(() => plane.as({ tenant: "acme", principal: { id: "u" } })).toThrow(
      expect.objectContaining({ code: "unavailable" }),
    );
    await pool.end();
    await vi.waitFor(async () => expect(await connections()).toBe(0));
  });

  test("is safe when modules are reloaded: another app takes the place of the one before, nothing is left behind", async () => {
    const first = await open(loadApp(25));
    await vi.waitFor(async () => expect(await connections()).toBeGreaterThan(0));
    const again: EmbeddedPlane<Message>[] = [];
    for (let reload = 0; reload < 3; reload++) again.push(await open(loadApp(100 + reload)));
    const last = again.at(-1) ?? first;
    const me = first.as({ tenant: "acme", principal: { id: "user-1" } });
    await me.publish(organization.create({ name: "Beta" }, { aggregateId: "beta" }), { wait: "settled" });
    expect([await members(first, "beta"), await members(last, "beta")]).toEqual([102, 102]);
    // Four roles with two connections each, however often it was opened.
    expect(await connections()).toBeLessThanOrEqual(8);

    await first.close();
    expect(await members(last, "beta")).toBe(102);
    await last.close();
    await vi.waitFor(async () => expect(await connections()).toBe(0));
  });

  test("opened by many at once it is one plane", async () => {
    const app = loadApp(7);
    const planes = await Promise.all(Array.from({ length: 5 }, () => open(app)));
    await planes[0]?.close(); // not the last one that opened it
    const plane = planes.at(-1);
    expect(plane?.rootPublicKey).toBe(planes[0]?.rootPublicKey);
    expect(await connections()).toBeLessThanOrEqual(8);
    await plane?.close();
    await vi.waitFor(async () => expect(await connections()).toBe(0));
  });

  test("serves HTTP beside the application when it is told to, on the same port after a reload", async () => {
    const plane = await open(loadApp(1), { http: { port: 0 } });
    const { url } = plane;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const reloaded = await open(loadApp(2), { http: { port: 0 } });
    expect(reloaded.url).toBe(url);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await reloaded.close();
    await expect(fetch(`${url}/readyz`)).rejects.toThrow("fetch failed");
  });
});

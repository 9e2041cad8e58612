/** An intake from the terminal, and a plane that is killed between an append and its mark. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { enqueueIntent } from "../src/intake/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served, until } from "./support/evtctl-process.js";
import { runAs } from "./support/postgres-installation.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const appText = `import { defineAggregate, defineApp, defineIntake } from "eventplane";

const order = defineAggregate("order", {
  spec: { type: "object", properties: { total: { type: "number" } }, required: ["total"] } as const,
  status: {},
  intents: { place: { creates: true } },
});
const shop = defineIntake({ name: "shop", databaseUrl: process.env["SHOP_DATABASE_URL"], tenants: ["acme"], pollMs: 20 });

export default defineApp({ aggregates: [order], intakes: [shop] });
`;

let folder = "";
let config = "";
let plane: TestDatabase;
let shop: TestDatabase;
let owner: pg.Client;
let app: pg.Client;
let environment: Readonly<Record<string, string>> = {};
let running: Served;
let client: EventplaneClient;

const roleOf = (name: string): string => `${shop.rolePrefix}_${name}`;
function urlOf(name: string): string {
  const url = new URL(shop.ownerUrl);
  url.username = roleOf(name);
  url.password = "p";
  return url.href;
}

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-intake-"));
  config = join(folder, "eventplane.config.ts");
  await writeFile(config, appText);
  [plane, shop] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  await writeFile(join(folder, "plane.url"), plane.ownerUrl, { mode: 0o600 });
  await writeFile(join(folder, "shop.url"), shop.ownerUrl, { mode: 0o600 });
  environment = {
    DATABASE_URL_FILE: join(folder, "plane.url"),
    EVENTPLANE_DATABASE__ROLE_PREFIX: plane.rolePrefix,
    EVENTPLANE_DATA__DIR: join(folder, "data"),
    EVENTPLANE_INTAKE__OWNER_URL_FILE: join(folder, "shop.url"),
    SHOP_DATABASE_URL: urlOf("plane"),
  };
  owner = new pg.Client({ connectionString: shop.ownerUrl });
  app = new pg.Client({ connectionString: urlOf("app") });
  await owner.connect();
  for (const name of ["app", "plane"]) await owner.query(`create role ${roleOf(name)} login password 'p'`);
});
afterAll(async () => {
  await running?.end();
  await Promise.all([owner.end(), app.end()]);
  await Promise.all([plane.drop(), shop.drop()]);
  await rm(folder, { recursive: true, force: true });
});

const intake = (...args: readonly string[]): Promise<Finished> => evtctl(["intake", ...args], { environment });
const enqueue = (aggregateId: string, spec: object = { total: 12 }, tenant = "acme"): Promise<{ rowId: string }> =>
  enqueueIntent(app, { tenant, principal: { id: "user-1" }, intent: { type: "order.place", aggregateId, spec } });

async function start(): Promise<void> {
  running = Served.start(["start", "--config", config], await freePort(), { environment });
  await running.ready();
}

async function stateOf(rowId: string): Promise<string | undefined> {
  const sql = "select state from eventplane_intake.intents where row_id = $1";
  return (await owner.query<{ state: string }>(sql, [rowId])).rows[0]?.state;
}

async function decided(rowId: string): Promise<string | undefined> {
  const isDecided = async (): Promise<boolean> => (await stateOf(rowId)) !== "waiting";
  await until(isDecided, 15_000, () => `row ${rowId} waits:\n${running.output}`);
  return stateOf(rowId);
}

describe("evtctl intake", () => {
  it("prints its SQL, installs it, and says what is missing", async () => {
    const roles = ["--app-role", roleOf("app"), "--plane-role", roleOf("plane")];
    const dry = await intake("install", ...roles, "--dry-run");
    expect(dry.stdout).toContain('create table if not exists "eventplane_intake".intents');
    expect((await owner.query("select to_regclass('eventplane_intake.intents') as found")).rows).toEqual([
      { found: null },
    ]);
    expect(await intake("install", ...roles)).toMatchObject({ status: 0, stderr: "" });
    await app.connect();
    expect(await intake("install", "--schema", 'x"; drop')).toMatchObject({ status: 2 });
    const { EVENTPLANE_INTAKE__OWNER_URL_FILE: _, ...without } = environment;
    const { status, stderr } = await evtctl(["intake", "install"], { environment: without });
    expect([status, stderr]).toEqual([2, expect.stringContaining("EVENTPLANE_INTAKE__OWNER_URL_FILE")]);
    expect(await intake("status", "other", "--config", config)).toMatchObject({ status: 1 });
    expect(await intake("purge", "shop", "--config", config)).toMatchObject({ status: 2 });
    expect(await intake("purge", "shop", "--config", config, "--row", "x")).toMatchObject({ status: 2 });
  });

  it("start refuses an intake whose database is not given", async () => {
    expect((await evtctl(["migrate", "up", "--config", config], { environment })).status).toBe(0);
    const { SHOP_DATABASE_URL: _, ...without } = environment;
    const port = String(await freePort());
    const { status, stderr } = await evtctl(["start", "--config", config, "--port", port], { environment: without });
    expect([status, stderr]).toEqual([2, expect.stringContaining("Intake shop has no databaseUrl")]);
  });

  it("shows what waits and what was refused, and tries it again or purges it", async () => {
    await start();
    const admin = { environment: { ...environment, EVENTPLANE_URL: running.url } };
    expect((await evtctl(["tenant", "create", "acme"], admin)).status).toBe(0);
    const { rowId } = await enqueue("misfit", { total: "a lot" });
    const foreign = await enqueue("foreign", { total: 1 }, "globex");
    expect([await decided(rowId), await decided(foreign.rowId)]).toEqual(["refused", "refused"]);
    expect((await intake("status", "--config", config)).stdout).toMatch(/shop +0 +0\.0 s +2/);
    const listed = await intake("refused", "shop", "--config", config, "--code", "schema_violation", "-o", "json");
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { rowId, tenant: "acme", stream: "order/misfit", code: "schema_violation" },
    ]);
    const retried = await intake("retry", "shop", "--config", config, "--row", rowId);
    expect(retried.stdout).toBe("1 rows of intake shop wait again\n");
    expect(await decided(rowId)).toBe("refused");
    expect((await intake("purge", "shop", "--config", config, "--rows-of", "globex")).stdout).toContain("1 rows");
    expect((await intake("purge", "shop", "--config", config, "--all", "-o", "json")).stdout).toContain('"purge": 1');
    expect((await intake("status", "shop", "--config", config)).stdout).toMatch(/shop +0 +0\.0 s +0/);
  });
});

it("kill -9 of the plane between an append and its mark makes one event", { timeout: 90_000 }, async () => {
  const adminKey = readFileSync(join(folder, "data/admin.key"), "utf8").trim();
  const { admin } = createClient({ baseUrl: running.url, apiKey: adminKey });
  const { key } = await admin.createKey("acme", { name: "reader", grants: ["reader"] });
  const connect = (): EventplaneClient => createClient({ baseUrl: running.url, apiKey: key, tenant: "acme" });
  client = connect();
  const count = async (): Promise<number> => {
    let events = 0;
    for await (const { aggregateId } of client.read({ type: "order.place" })) if (aggregateId === "killed") events += 1;
    return events;
  };
  await owner.query(`create function eventplane_intake.wait() returns trigger language plpgsql as
    'begin if new.state = ''accepted'' then perform pg_sleep(60); end if; return new; end'`);
  await owner.query(
    "create trigger wait before update on eventplane_intake.intents for each row execute function eventplane_intake.wait()",
  );
  const { rowId } = await enqueue("killed");
  await until(
    async () => (await count()) === 1,
    15_000,
    () => running.output,
  );
  const marking = "from pg_stat_activity where usename = $1 and wait_event = 'PgSleep'";
  const asSuperuser = (sql: string): Promise<unknown[]> => runAs(shop.superuserUrl, sql, [roleOf("plane")]);
  const isMarking = async (): Promise<boolean> => (await asSuperuser(`select ${marking}`)).length === 1;
  await until(isMarking, 15_000, () => "no mark is under way");
  await running.end("SIGKILL");
  await asSuperuser(`select pg_terminate_backend(pid) ${marking}`);
  expect(await stateOf(rowId)).toBe("waiting");
  await owner.query("drop trigger wait on eventplane_intake.intents");
  await owner.query("update eventplane_intake.intents set due_at = '-infinity'"); // instead of the end of the lease
  await start();
  client = connect();
  expect(await decided(rowId)).toBe("accepted");
  expect(await count()).toBe(1);
});

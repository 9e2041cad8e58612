/** `evtctl migrate` and `evtctl start` on a PostgreSQL of one's own: the recipe from one owner URL, and what is refused. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("../examples/organizations/eventplane.config.ts", import.meta.url));

let folder = "";
let dataDir = "";
let database: TestDatabase;
let environment: Readonly<Record<string, string>> = {};
let running: Served | undefined;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-start-"));
  dataDir = join(folder, "data");
  database = await createTestDatabase();
  await writeFile(join(folder, "owner.url"), database.ownerUrl, { mode: 0o600 });
  environment = {
    DATABASE_URL_FILE: join(folder, "owner.url"),
    EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
    EVENTPLANE_DATA__DIR: dataDir,
  };
});

afterAll(async () => {
  await running?.end();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(args, { environment });
const startOnce = async (): Promise<Finished> => call("start", "--config", config, "--port", String(await freePort()));

async function asSuperuser(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}

describe("before the migration", () => {
  it("status lists what is pending and a dry run prints the SQL without doing it", async () => {
    expect((await call("migrate", "status")).stdout).toMatch(/^VERSION +NAME +APPLIED\n1 +\S+ +pending$/m);
    const dry = await call("migrate", "up", "--dry-run");
    expect(dry.stdout).toContain(`create role ${database.rolePrefix}_appender nologin`);
    expect((await call("migrate", "status")).stdout).toContain("pending");
  });

  it("start refuses and names the command to run", async () => {
    const { status, stderr } = await startOnce();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error migration_needed: [^\n]+\n {2}.*evtctl migrate up/);
  });

  it("start tells a server that does not answer", async () => {
    const away = { ...environment, DATABASE_URL_FILE: "", DATABASE_URL: "postgresql://127.0.0.1:9/nothing" };
    const { status, stderr } = await evtctl(["start", "--config", config, "--port", "0"], { environment: away });
    expect(status).toBe(5);
    expect(stderr).toContain("error database_unreachable");
  });
});

describe("after the migration", () => {
  it("up applies everything once and leaves the passwords for their owner", async () => {
    expect((await call("migrate", "up")).stdout).toMatch(/^applied 1 /);
    const { status, stderr } = await startOnce();
    expect([status, stderr]).toEqual([1, expect.stringContaining("projection organizations_by_plan")]);
    expect((await call("migrate", "up", "--config", config)).stdout).toContain("nothing was pending");
    expect((await call("migrate", "status")).stdout).not.toContain("pending");
  });

  it("start serves, logs JSON, and ends in order", async () => {
    running = Served.start(["start", "--config", config], await freePort(), { environment });
    await running.ready();
    await running.says('"Eventplane is ready"');
    const admin = { environment: { ...environment, EVENTPLANE_URL: running.url } };
    expect((await evtctl(["tenant", "create", "acme"], admin)).status).toBe(0);
    const key = (
      await evtctl(["key", "create", "acme", "--name", "ci", "--grants", "publisher,reader,subscriber"], admin)
    ).stdout.trim();
    const tenant = { environment: { EVENTPLANE_URL: running.url, EVENTPLANE_TENANT: "acme", EVENTPLANE_API_KEY: key } };
    const spec = '{"name":"Acme","plan":"team","region":"eu"}';
    expect((await evtctl(["publish", "organization.create", "--spec", spec, "--watch"], tenant)).status).toBe(0);
    for (const line of running.output.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("message");
    expect(running.output).not.toContain(key);
    expect((await running.end()).status).toBe(0);
  });

  it("start serves without the root key, but cannot introduce another key without it", async () => {
    await rename(join(dataDir, "keys", "root.key"), join(folder, "offline.key"));
    running = Served.start(["start", "--config", config], await freePort(), { environment });
    await running.ready();
    expect((await running.end()).status).toBe(0);
    await rename(join(dataDir, "keys", "edge.key"), join(folder, "edge.key"));
    const { status, stderr } = await startOnce();
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/^error key_unknown: [^\n]*keys\/root\.key/);
    await rename(join(folder, "edge.key"), join(dataDir, "keys", "edge.key"));
    await rename(join(folder, "offline.key"), join(dataDir, "keys", "root.key"));
  });

  it("doctor finds migrations and roles in order", async () => {
    const { stdout } = await call("doctor");
    expect(stdout).toMatch(/^ok +migrations /m);
    expect(stdout).toMatch(/^ok +database roles /m);
  });

  it("doctor needs no owner where a service runs without one", async () => {
    const { host, pathname } = new URL(database.ownerUrl);
    const service = { ...environment, DATABASE_URL_FILE: "", DATABASE_URL: `postgresql://${host}${pathname}` };
    const { stdout } = await evtctl(["doctor"], { environment: service });
    expect(stdout).toMatch(/^skipped +migrations .*owner/m);
    expect(stdout).toMatch(/^ok +database roles /m);
  });

  it.each([
    ["a superuser", "superuser", "nosuperuser"],
    ["a role that bypasses row security", "bypassrls", "nobypassrls"],
  ])("start refuses %s with the reason", async (_what, unsafe, safe) => {
    await asSuperuser(`alter role ${database.rolePrefix}_edge ${unsafe}`);
    const { status, stderr, ms } = await startOnce();
    await asSuperuser(`alter role ${database.rolePrefix}_edge ${safe}`);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^error database_role_unsafe: [^\n]+\n {2}[^\n]+\n$/);
    expect(ms).toBeLessThan(10_000);
  });

  it("start refuses a role that is a member of the owner", async () => {
    await asSuperuser(`grant ${database.rolePrefix}_owner to ${database.rolePrefix}_runtime`);
    const { status, stderr } = await startOnce();
    await asSuperuser(`revoke ${database.rolePrefix}_owner from ${database.rolePrefix}_runtime`);
    expect(status).toBe(3);
    expect(stderr).toContain("owner");
  });

  it("start without DATABASE_URL says what is missing", async () => {
    const { status, stderr } = await evtctl(["start", "--config", config], {
      environment: { EVENTPLANE_DATA__DIR: dataDir },
    });
    expect(status).toBe(2);
    expect(stderr).toContain("DATABASE_URL");
  });

  it("start and migrate refuse a database URL in a file that others can read", async () => {
    const path = join(folder, "open.url");
    await writeFile(path, database.ownerUrl, { mode: 0o644 });
    const { status, stderr } = await evtctl(["migrate", "status"], {
      environment: { ...environment, DATABASE_URL_FILE: path },
    });
    expect(status).toBe(3);
    expect(stderr).toContain("key_file_insecure");
  });
});

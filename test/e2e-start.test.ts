/** Attack 23 through `evtctl start`: a server that could lose what was acknowledged, and a login that is an owner's. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCommand, evtctl, type Finished, freePort } from "./support/evtctl-process.js";
import { createDatabase, type TestDatabase } from "./support/postgres-database.js";
import { type PostgresCluster, startPostgres } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("../examples/organizations/eventplane.config.ts", import.meta.url));

let folder = "";
let cluster: PostgresCluster;
let database: TestDatabase;
let environment: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-unsafe-"));
  cluster = await startPostgres();
  database = await createDatabase(cluster.superuserUrl);
  await writeFile(join(folder, "owner.url"), database.ownerUrl, { mode: 0o600 });
  environment = {
    DATABASE_URL_FILE: join(folder, "owner.url"),
    EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
    EVENTPLANE_DATA__DIR: join(folder, "data"),
  };
  expect((await evtctl(["migrate", "up", "--config", config], { environment })).status).toBe(0);
});
afterAll(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

const startOnce = async (): Promise<Finished> =>
  evtctl(["start", "--config", config, "--port", String(await freePort())], { environment });

async function asSuperuser(...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

describe("evtctl start", () => {
  it.each(["fsync", "full_page_writes", "synchronous_commit"])(
    "refuses a server with %s off, names it, and serves nothing",
    async (setting) => {
      await asSuperuser(`alter system set ${setting} = off`, "select pg_reload_conf()", "select pg_sleep(0.3)");
      const { status, stderr, stdout, ms } = await startOnce();
      await asSuperuser(`alter system reset ${setting}`, "select pg_reload_conf()", "select pg_sleep(0.3)");
      expect(status).toBe(3);
      expect(stderr).toMatch(/^error database_not_durable: [^\n]+\n {2}[^\n]+\n$/);
      expect(stderr).toContain(setting);
      expect(stdout).not.toContain("Eventplane is ready");
      expect(ms).toBeLessThan(10_000);
    },
  );

  it("refuses a role that owns the schema of the log", async () => {
    await asSuperuser(`alter schema eventplane owner to ${database.rolePrefix}_edge`);
    const { status, stderr } = await startOnce();
    await asSuperuser(`alter schema eventplane owner to ${database.rolePrefix}_owner`);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^error database_role_unsafe: .*owner/);
  });
});

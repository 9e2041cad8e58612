import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { expect, test } from "vitest";
import { createTestDatabase, startPostgres } from "./postgres-server.js";

async function ask(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query<{ value: unknown }>(text);
    return result.rows[0]?.value;
  } finally {
    await client.end();
  }
}

test("the shared server keeps PostgreSQL's default durability", async () => {
  const database = await createTestDatabase();
  expect(await ask(database.superuserUrl, "select current_setting('fsync') as value")).toBe("on");
  await database.drop();
});

test("a test database belongs to an owner who is no superuser, and drop leaves no role behind", async () => {
  const database = await createTestDatabase();
  const { ownerUrl, superuserUrl, rolePrefix } = database;
  expect(await ask(ownerUrl, "select rolsuper as value from pg_roles where rolname = current_user")).toBe(false);
  await ask(ownerUrl, `create role ${rolePrefix}_owner`);
  await ask(ownerUrl, `create role ${rolePrefix}_edge login`);
  await ask(superuserUrl, `grant ${rolePrefix}_owner to ${rolePrefix}_admin`);
  await ask(ownerUrl, "create table fact (id int4)");
  await ask(ownerUrl, `grant select on fact to ${rolePrefix}_edge`);
  await database.drop();
  await database.drop();
  const elsewhere = await createTestDatabase();
  const left = `select count(*)::int4 as value from pg_roles where rolname like '${rolePrefix}%'`;
  expect(await ask(elsewhere.superuserUrl, left)).toBe(0);
  await elsewhere.drop();
});

test("a private cluster survives kill -9 with its committed rows and is gone after close", async () => {
  const server = await startPostgres({ config: { fsync: "off" } });
  expect(await ask(server.superuserUrl, "select current_setting('fsync') as value")).toBe("off");
  await ask(server.superuserUrl, "create table kept as select 7 as value");
  const before = server.pid;
  await server.kill9();
  await expect(ask(server.superuserUrl, "select 1 as value")).rejects.toThrow("ECONNREFUSED");
  await server.start();
  expect(server.pid).not.toBe(before);
  expect(await ask(server.superuserUrl, "select value from kept")).toBe(7);
  const dump = await promisify(execFile)(join(server.binDir, "pg_dump"), ["-d", server.superuserUrl]);
  expect(dump.stdout).toContain("public.kept");
  await server.close();
  await server.close();
  expect(existsSync(server.dataDir)).toBe(false);
});

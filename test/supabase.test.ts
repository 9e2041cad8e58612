/** Signed-in people of Supabase, as PostgREST asks for them: every request a transaction with exactly its settings. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TenantId } from "../src/kernel/index.js";
import { runAsOwner, supabaseSql } from "../src/store/postgres/index.js";
import { appendOf, createTestSigner, creating, draftIntent, newTenantId, signAppend } from "../src/testing/index.js";
import { buildCommand, evtctl } from "./support/evtctl-process.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";
import { type PostgresCluster, startPostgres } from "./support/postgres-server.js";

let cluster: PostgresCluster;
let installation: Installation;
let authenticator: pg.Client;
const acme = newTenantId();
const globex = newTenantId();

beforeAll(async () => {
  // Supabase's roles belong to the server, so it is one of its own.
  cluster = await startPostgres();
  installation = await installEventplane({ serverUrl: cluster.superuserUrl });
  const password = randomBytes(12).toString("hex");
  await installation.asSuperuser(`
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit password '${password}';
    grant anon, authenticated, service_role to authenticator`);
  for (let round = 0; round < 2; round++)
    await runAsOwner(installation.database.ownerUrl, supabaseSql(installation.database.rolePrefix));
  const signer = createTestSigner("edge");
  for (const [tenantId, name] of [
    [acme, "Acme"],
    [globex, "Globex-c4n4ry"],
  ] as const) {
    const event = draftIntent({ tenantId, specText: JSON.stringify({ name }) });
    await installation.edge.append([signAppend(signer, appendOf(creating(event)))]);
    await installation.asSuperuser(
      `insert into eventplane.resources (tenant_id, aggregate_type, aggregate_id, version, position, generation, lifecycle, phase, resource)
       values ($1, 'organization', $2, 1, 1, 1, 'live', 'Ready', $3)`,
      [
        tenantId,
        event.aggregateId,
        JSON.stringify({ spec: { name }, status: {}, conditions: [], origin: { causedByText: "who" } }),
      ],
    );
  }
  const url = new URL(installation.database.ownerUrl);
  url.username = "authenticator";
  url.password = password;
  authenticator = new pg.Client({ connectionString: url.href });
  await authenticator.connect();
});
afterAll(async () => {
  await authenticator.end();
  await installation.close();
  await cluster.close();
});

const claimsOf = (tenantId: unknown, more: object = {}): object => ({
  sub: "6f1f9e2c-58a4-4d0b-a0c3-1d2e3f405162",
  role: "authenticated",
  aud: "authenticated",
  app_metadata: { provider: "email", tenant_id: tenantId },
  ...more,
});

/** One request of PostgREST 12: its transaction and its settings, in its order. */
async function request(
  sql: string,
  {
    role = "authenticated",
    claims = claimsOf(acme),
    method = "GET",
  }: { role?: string; claims?: object | string; method?: string } = {},
): Promise<readonly Record<string, unknown>[]> {
  const isRead = method === "GET";
  await authenticator.query(`begin isolation level read committed ${isRead ? "read only" : "read write"}`);
  try {
    await authenticator.query(
      `select set_config('search_path', '"eventplane_api", "public", "extensions"', true), set_config('role', $1, true),
              set_config('request.jwt.claims', $2, true), set_config('request.method', $3, true),
              set_config('request.path', '/resources', true), set_config('request.headers', '{"host":"127.0.0.1"}', true),
              set_config('request.cookies', '{}', true)`,
      [role, typeof claims === "string" ? claims : JSON.stringify(claims), method],
    );
    const { rows } = await authenticator.query<Record<string, unknown>>(sql);
    await authenticator.query("commit");
    return rows;
  } catch (error) {
    await authenticator.query("rollback");
    throw error;
  }
}
const resources = "select * from eventplane_api.resources";
const events = "select * from eventplane_api.events";

describe("who is signed in", () => {
  test("sees the resources and events of the tenant of the token, and not who asked for them", async () => {
    const [resource, ...others] = await request(resources);
    expect(others).toEqual([]);
    expect(resource).toMatchObject({ tenant_id: acme, phase: "Ready", spec: { name: "Acme" } });
    const [event, ...more] = await request(events);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ tenant_id: acme, kind: "intent", position: "1", spec: { name: "Acme" } });
    expect(JSON.stringify([resource, event])).not.toMatch(/caused|principal|who/);
  });

  test("sees nothing of another tenant by any filter, and nothing after another's request on the same connection", async () => {
    expect(await request(`${resources} where tenant_id = '${globex}'`)).toEqual([]);
    expect(await request(`${events} where spec::text like '%c4n4ry%'`)).toEqual([]);
    expect(await request(resources, { claims: claimsOf(globex) })).toHaveLength(1);
    expect((await request(resources)).map((row) => row["tenant_id"])).toEqual([acme]);
    await expect(authenticator.query(resources)).rejects.toMatchObject({ code: "42501" });
  });

  test.each<[string, object | string]>([
    ["no tenant", claimsOf(undefined)],
    ["a tenant that is no UUID", claimsOf("acme' or 'a'='a")],
    ["a list", claimsOf([acme])],
    [
      "the tenant where users can write it",
      { ...claimsOf(undefined), user_metadata: { tenant_id: acme }, tenant_id: acme },
    ],
    ["no metadata", { sub: "x", role: "authenticated" }],
    ["no claims at all", ""],
  ])("with %s in the token sees nothing", async (_what, claims) => {
    expect(await request(resources, { claims })).toEqual([]);
    expect(await request(events, { claims })).toEqual([]);
  });

  test("cannot be another tenant by the settings of the plane's own roles", async () => {
    const sql = `select r.* from (select set_config('eventplane.tenant_id', '${globex}', true)) s, eventplane_api.resources r`;
    expect((await request(sql)).map((row) => row["tenant_id"])).toEqual([acme]);
  });

  test.each([
    ["the tables", "select * from eventplane.resources"],
    ["the log", "select * from eventplane.events"],
    ["the heads", "select * from eventplane.heads"],
    ["the append", "select eventplane.append_edge('')"],
    ["a role of the plane", "set local role eventplane_owner"],
  ])("reaches not %s", async (_what, sql) => {
    const own = sql.replace("eventplane_owner", `${installation.database.rolePrefix}_owner`);
    await expect(request(own)).rejects.toMatchObject({ code: "42501" });
  });

  test.each([
    `insert into eventplane_api.events (tenant_id) values ('${acme}')`,
    "update eventplane_api.resources set phase = 'Ready'",
    "delete from eventplane_api.events",
  ])("cannot write: %s", async (sql) => {
    await expect(request(sql, { method: "POST" })).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|55000)$/),
    });
  });

  test("of another role has no rights here: anon, and service_role, which row security does not hold", async () => {
    for (const role of ["anon", "service_role"])
      await expect(request(resources, { role })).rejects.toMatchObject({ code: "42501" });
  });
});

test("the plane's own roles see what they saw, and the checks of start still hold", async () => {
  const { position } = await installation.reader.head(acme);
  expect(position).toBe(1);
  expect(await installation.reader.read(acme as TenantId, {})).toHaveLength(1);
  const rows = await installation.asSuperuser<{ rolname: string }>(
    "select rolname from pg_roles where rolname like '%_supabase' and (rolcanlogin or rolbypassrls or rolsuper or rolcreaterole)",
  );
  expect(rows).toEqual([]);
});

test("evtctl migrate supabase prints exactly this, and needs no database", async () => {
  buildCommand();
  const { status, stdout } = await evtctl(["migrate", "supabase"], {
    environment: { EVENTPLANE_DATABASE__ROLE_PREFIX: "ep7" },
  });
  expect(status).toBe(0);
  expect(stdout.trimEnd()).toBe(supabaseSql("ep7").trimEnd());
  expect(stdout).toContain("create policy supabase on eventplane.events for select to ep7_supabase");
});

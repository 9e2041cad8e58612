/** Attacks 10 and 11: what a stolen database role can do to the log with SQL. Nothing. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyLink } from "../src/event/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { encodeCall } from "../src/store/postgres/append-codec.js";
import type { LoginRole } from "../src/store/postgres/index.js";
import {
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftEmitted,
  draftIntent,
  newEventId,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane, runAs } from "./support/postgres-installation.js";

let installation: Installation;
const tenantId = newTenantId();
const event = draftIntent({ tenantId });
const signer = createTestSigner("edge");

beforeAll(async () => {
  installation = await installEventplane();
  await installation.edge.append([signAppend(signer, appendOf(creating(event)))]);
});
afterAll(() => installation.close());

const logDigest = async (): Promise<string> => {
  const sql = `select md5(string_agg(e::text, '' order by position)) || (select md5(string_agg(h::text, '')) from eventplane.heads h) as digest
    from eventplane.events e`;
  const [row] = await installation.asSuperuser<{ digest: string }>(sql);
  return row?.digest ?? "";
};

/** The SQLSTATE with which the role's statements are refused. */
async function refusal(role: LoginRole, ...statements: string[]): Promise<string> {
  const client = new pg.Client({ connectionString: installation.url(role) });
  await client.connect();
  try {
    // Who has stolen a role lifts what it is only set to.
    await client.query("set default_transaction_read_only = off");
    for (const sql of statements) await client.query(sql.replaceAll(":prefix", installation.database.rolePrefix));
    return "allowed";
  } catch (error) {
    return error instanceof pg.DatabaseError ? (error.code ?? "") : String(error);
  } finally {
    await client.end();
  }
}

const denied = "42501";

describe("attack 10: a stolen service role", () => {
  const attacks: readonly (readonly [name: string, ...statements: string[]])[] = [
    ["INSERT", "insert into eventplane.events select * from eventplane.events"],
    ["UPDATE", "update eventplane.events set spec = '{}'"],
    ["UPDATE of a head", "update eventplane.heads set position = 0"],
    ["DELETE", "delete from eventplane.events"],
    ["DELETE of a head", "delete from eventplane.heads"],
    ["TRUNCATE", "truncate eventplane.events, eventplane.heads"],
    ["ALTER TABLE", "alter table eventplane.events disable trigger all"],
    ["DROP TABLE", "drop table eventplane.events"],
    ["DROP FUNCTION", "drop function eventplane.append_edge(text)"],
    [
      "CREATE OR REPLACE FUNCTION",
      "create or replace function eventplane.append_edge(p text) returns void language sql as ''",
    ],
    ["CREATE POLICY", "create policy open on eventplane.events using (true)"],
    ["CREATE TABLE", "create table eventplane.mine (x integer)"],
    ["CREATE SCHEMA", "create schema mine"],
    ["COPY FROM", "copy eventplane.events from stdin"],
    ["COPY PROGRAM", "copy (select 1) to program 'true'"],
    ["COPY to a file", "copy (select 1) to '/tmp/stolen'"],
    ["pg_read_file", "select pg_read_file('postgresql.conf')"],
    ["SET ROLE to the owner", "set role :prefix_owner"],
    ["SET ROLE to the appender", "set role :prefix_appender"],
    ["SET SESSION AUTHORIZATION", "set session authorization :prefix_owner"],
    ["row_security = off", "set row_security = off", "select count(*) from eventplane.events"],
    ["session_replication_role", "set session_replication_role = replica"],
    ["a temporary function", "create function pg_temp.f() returns integer language sql as 'select 1'"],
    ["a temporary table", "create temporary table t (x integer)"],
    ["CREATE ROLE", "create role mine"],
    ["ALTER ROLE of another", "alter role :prefix_owner login password 'x'"],
    ["GRANT to itself", "grant :prefix_owner to :prefix_edge"],
  ];
  for (const role of ["edge", "runtime", "reader", "projector", "auditor"] as const) {
    it(`${role}: every statement is refused and the log stays as it was`, async () => {
      const before = await logDigest();
      for (const [name, ...statements] of attacks) {
        expect([name, await refusal(role, ...statements)]).toEqual([name, denied]);
      }
      expect(await logDigest()).toBe(before);
    });
  }

  it("the edge cannot append as the runtime, nor the runtime as the edge", async () => {
    expect(await refusal("edge", "select * from eventplane.append_derived('')")).toBe(denied);
    expect(await refusal("runtime", "select * from eventplane.append_edge('')")).toBe(denied);
  });

  it("a tier cannot make the other tier's events with its own function", async () => {
    const before = await logDigest();
    const derived = encodeCall([signAppend(signer, appendOf({ ...creating(draftDerived(event)), effect: "derived" }))]);
    const intent = encodeCall([signAppend(signer, appendOf(creating(draftIntent({ tenantId }))))]);
    const call = (name: string, text: string): string => `select * from eventplane.${name}(${pg.escapeLiteral(text)})`;
    expect(await refusal("edge", call("append_edge", derived))).toBe(denied);
    expect(await refusal("runtime", call("append_derived", intent))).toBe(denied);
    // An intent that a controller emits is the runtime's, under the controller's name only, and never the platform's.
    const emitted = draftEmitted(event);
    const unnamed = {
      ...emitted,
      decision: { component: "quota", basisVersion: 1, step: 0, now: "2026-01-01T00:00:01Z" },
    };
    const emits = [
      unnamed,
      { ...emitted, id: newEventId() },
      { ...emitted, statusText: '{"quota":{}}' },
      { ...emitted, tenantId: PLATFORM_TENANT_ID },
      { ...emitted, tenantId: PLATFORM_TENANT_ID, aggregateType: "key", type: "key.create" },
    ].map((draft) => encodeCall([signAppend(signer, appendOf(creating(draft)))]));
    emits.push(encodeCall([signAppend(signer, appendOf({ ...creating(emitted), effect: "system" }))]));
    for (const text of emits) expect(await refusal("runtime", call("append_derived", text))).toBe(denied);
    expect(
      await refusal("edge", call("append_edge", encodeCall([signAppend(signer, appendOf(creating(emitted)))]))),
    ).toBe(denied);
    expect(await logDigest()).toBe(before);
  });

  it("a tier cannot make events that would break the chain or that no reader could read", async () => {
    const before = await logDigest();
    const intent = encodeCall([signAppend(signer, appendOf(creating(draftIntent({ tenantId }))))]);
    const derived = encodeCall([signAppend(signer, appendOf({ ...creating(draftDerived(event)), effect: "derived" }))]);
    const replaced = (text: string, separator: string, at: number, value: (old: string) => string): string => {
      const fields = text.split(separator);
      return Array.from({ length: Math.max(fields.length, at + 1) }, (_, index) =>
        index === at ? value(fields[index] ?? "") : (fields[index] ?? ""),
      ).join(separator);
    };
    /** A field of the only event of a call; a fraction names a rare field, which are the last. */
    const changed = (call: string, { field, rare }: { field: number; rare?: number }, value: string): string =>
      replaced(call, "\u001d", 5, (events) =>
        replaced(events, "\u001f", field, (old) =>
          rare === undefined ? value : replaced(old, "\u001e", rare, () => value),
        ),
      );
    const append = (name: string, text: string): string =>
      `select * from eventplane.${name}(${pg.escapeLiteral(text)})`;
    const fields = {
      spec: { field: 6 },
      occurredAt: { field: 7, rare: 2 },
      status: { field: 7, rare: 7 },
      component: { field: 7, rare: 8 },
      emits: { field: 7, rare: 12 },
      basisVersion: { field: 7, rare: 9 },
      decidedAt: { field: 7, rare: 11 },
    };
    const farTimes = ["4000-01-01T00:00:00Z", "1500-01-01T00:00:00Z"];
    const intents = [
      changed(intent, fields.status, "{}"),
      changed(intent, fields.component, "quota"),
      changed(intent, fields.emits, "[]"),
      changed(intent, fields.spec, "1"),
      ...farTimes.map((time) => changed(intent, fields.occurredAt, time)),
    ];
    for (const call of intents) expect(await refusal("edge", append("append_edge", call))).toBe(denied);
    const decisions = [
      changed(derived, fields.basisVersion, "9007199254740992"),
      changed(derived, fields.basisVersion, "-1"),
      ...farTimes.map((time) => changed(derived, fields.decidedAt, time)),
      ...farTimes.map((time) => changed(derived, fields.occurredAt, time)),
    ];
    for (const call of decisions) expect(await refusal("runtime", append("append_derived", call))).toBe(denied);
    expect(await logDigest()).toBe(before);
    expect(
      await refusal("edge", append("append_edge", changed(intent, fields.occurredAt, "2255-06-05T23:47:34.740991Z"))),
    ).toBe("allowed");
    expect((await installation.reader.read(tenantId, {})).at(-1)?.occurredAt).toBe("2255-06-05T23:47:34.740991Z");
  });

  it("P7: the edge cannot occupy a derived id, however it spells it", async () => {
    const id = Array.from({ length: 100 }, () => draftDerived(event).id).find((one) => /[478]/.test(one.charAt(16)));
    if (id === undefined) throw new Error("one of a hundred ids has such a digit");
    const call = encodeCall([signAppend(signer, appendOf(creating(draftIntent({ tenantId, aggregateId: "spelt" }))))]);
    const own = call.split("\u001d")[5]?.split("\u001f")[1] ?? "";
    for (const spelling of [id, id.replaceAll("-", ""), `{${id}}`, id.toUpperCase()]) {
      const text = pg.escapeLiteral(call.replaceAll(own, spelling));
      expect([spelling, await refusal("edge", `select * from eventplane.append_edge(${text})`)]).toEqual([
        spelling,
        denied,
      ]);
    }
  });

  it("an event is hashed for the tenant in whose log it is stored, whatever its numbers say", async () => {
    const [first, second] = [newTenantId(), newTenantId()].sort();
    if (first === undefined || second === undefined) throw new Error("there are two");
    const call = encodeCall([signAppend(signer, appendOf(creating(draftIntent({ tenantId: second }))))]);
    const [, proofs, causes, leases, numbers = "", events] = call.split("\u001d");
    const send = (tenants: readonly string[], number: number): Promise<string> => {
      const lists = numbers.split("\u001f").map((list, at) => (at === 2 ? `{${number}}` : list));
      const parts = [tenants.join("\u001f"), proofs, causes, leases, lists.join("\u001f"), events];
      return refusal("edge", `select * from eventplane.append_edge(${pg.escapeLiteral(parts.join("\u001d"))})`);
    };
    expect(await send([first, second], 3)).not.toBe("allowed");
    expect(await send([first], 2)).not.toBe("allowed");
    expect(await send([second, first], 1)).not.toBe("allowed");
    expect(await send([first, second], 2)).toBe("allowed");
    expect((await installation.reader.head(first)).position).toBe(0);
    const [row] = await installation.reader.read(second, {});
    if (row === undefined) throw new Error("it was appended");
    expect(verifyLink(row, undefined).position).toBe(1);
  });

  it("even the owner and a superuser meet the triggers", async () => {
    const before = await logDigest();
    for (const sql of [
      "update eventplane.events set spec = '{}'",
      "delete from eventplane.events",
      "truncate eventplane.events",
      "set session_replication_role = replica; delete from eventplane.events",
      "delete from eventplane.heads",
    ]) {
      await expect(installation.asSuperuser(sql)).rejects.toMatchObject({ code: denied });
    }
    expect(await logDigest()).toBe(before);
  });
});

describe("attack 11: readers", () => {
  it("projector, reader and auditor cannot append", async () => {
    for (const role of ["projector", "reader", "auditor"] as const) {
      expect(await refusal(role, "select * from eventplane.append_edge('')")).toBe(denied);
      expect(await refusal(role, "select * from eventplane.append_derived('')")).toBe(denied);
    }
  });

  it("without a tenant setting, or with an empty one, no role sees a row", async () => {
    for (const role of ["edge", "runtime", "reader", "projector", "auditor"] as const) {
      expect(await runAs(installation.url(role), "select 1 from eventplane.events")).toEqual([]);
      // Dispatchers and projectors look for tenants with news.
      const heads = await runAs(installation.url(role), "select 1 from eventplane.heads");
      expect(heads.length > 0).toBe(role === "runtime" || role === "projector");
      const rows = await runAs(
        installation.url(role),
        "set eventplane.tenant_id = ''; select 1 from eventplane.events",
      );
      expect(rows ?? []).toEqual([]);
    }
  });

  it("with one tenant set, only that tenant's rows are there", async () => {
    const other = newTenantId();
    await installation.edge.append([signAppend(signer, appendOf(creating(draftIntent({ tenantId: other }))))]);
    expect((await installation.reader.read(other, {})).map((row) => row.tenantId)).toEqual([other]);
    const client = new pg.Client({ connectionString: installation.url("reader") });
    await client.connect();
    await client.query("select set_config('eventplane.tenant_id', $1, false)", [other]);
    const seen = await client.query("select distinct tenant_id from eventplane.events");
    await client.end();
    expect(seen.rows).toEqual([{ tenant_id: other }]);
  });

  it("a pooled connection never keeps a tenant", async () => {
    const pool = installation.pool("reader");
    await Promise.all(Array.from({ length: 16 }, () => installation.reader.read(tenantId, {})));
    const left = await Promise.all(
      Array.from({ length: 8 }, () =>
        pool.query("select current_setting('eventplane.tenant_id', true) as tenant from pg_sleep(0.01)"),
      ),
    );
    expect(left.flatMap(({ rows }) => rows).filter(({ tenant }) => tenant !== null && tenant !== "")).toEqual([]);
    expect((await pool.query("select count(*)::integer as n from eventplane.events")).rows).toEqual([{ n: 0 }]);
  });
});

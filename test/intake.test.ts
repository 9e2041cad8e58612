/** Intents that an application writes in its own transactions, into its own database, as a plane drains them. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { EventRow } from "../src/event/index.js";
import { defineIntake, type EnqueuedIntent, enqueueIntent } from "../src/intake/index.js";
import { installIntake, PostgresIntakeTable } from "../src/intake/postgres/index.js";
import { claimSql } from "../src/intake/postgres/statements.js";
import { type JsonObject, PLATFORM_TENANT_ID, systemClock, uuidVersion } from "../src/kernel/index.js";
import { PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";
import type { TestDatabase } from "./support/postgres-database.js";
import { createTestDatabase } from "./support/postgres-server.js";

const narrowSchema = "narrow_intake";
const user = { id: "user-1" };

let shop: TestDatabase;
let plane: PlaneFixture;
let acme: PlaneTenant;
let globex: PlaneTenant;
/** The application, and the owner of its database. */
let app: pg.Client;
let owner: pg.Client;
let table: PostgresIntakeTable;

const roleOf = (name: string): string => `${shop.rolePrefix}_${name}`;
const urlOf = (name: string): string => {
  const url = new URL(shop.ownerUrl);
  url.username = roleOf(name);
  url.password = "p";
  return url.href;
};

beforeAll(async () => {
  shop = await createTestDatabase();
  owner = await connect(shop.ownerUrl);
  for (const name of ["app", "drainer"]) await owner.query(`create role ${roleOf(name)} login password 'p'`);
  const roles = { appRole: roleOf("app"), planeRole: roleOf("drainer") };
  await installIntake(shop.ownerUrl, roles);
  await installIntake(shop.ownerUrl, roles); // again: it changes nothing
  await installIntake(shop.ownerUrl, { ...roles, schema: narrowSchema, notify: true });
  app = await connect(urlOf("app"));
  table = new PostgresIntakeTable({ url: urlOf("drainer"), schema: "eventplane_intake" });
  const databaseUrl = urlOf("drainer");
  plane = await PlaneFixture.open(
    {},
    {
      intakes: [
        defineIntake({ name: "shop", databaseUrl, tenants: ["acme", "globex"], pollMs: 20 }).definition,
        defineIntake({
          name: "narrow",
          databaseUrl,
          schema: narrowSchema,
          tenants: ["acme"],
          types: ["organization.create"],
          listen: true,
          pollMs: 60_000,
          keepAcceptedMs: 0,
        }).definition,
      ],
    },
  );
  acme = await plane.tenant("acme");
  globex = await plane.tenant("globex");
  await plane.tenant("initech");
});
afterAll(async () => {
  await plane.close();
  await Promise.all([app.end(), owner.end(), table.close()]);
  await shop.drop();
});
afterEach(() => owner.query("delete from eventplane_intake.intents"));

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const create = (aggregateId: string, more: Partial<EnqueuedIntent> = {}): EnqueuedIntent => ({
  tenant: "acme",
  principal: user,
  intent: { type: "organization.create", aggregateId, spec: { name: aggregateId } },
  ...more,
});
const change = (aggregateId: string, plan: number): EnqueuedIntent =>
  create(aggregateId, { intent: { type: "organization.change-plan", aggregateId, spec: { plan } } });

interface Row {
  readonly row_id: string;
  readonly state: string;
  readonly code: string | null;
  readonly event_id: string | null;
  readonly position: string | null;
}
async function row(rowId: string, schema = "eventplane_intake"): Promise<Row | undefined> {
  const sql = `select row_id, state, code, event_id, position from ${schema}.intents where row_id = $1`;
  return (await owner.query<Row>(sql, [rowId])).rows[0];
}
const decided = (rowId: string, schema?: string): Promise<Row> =>
  until(`row ${rowId} to be decided`, async () => {
    const found = await row(rowId, schema);
    return found?.state === "waiting" ? undefined : found;
  });
const allDecided = (): Promise<true> =>
  until("all rows to be decided", async () => {
    const { rows } = await owner.query("select from eventplane_intake.intents where state = 'waiting' limit 1");
    return rows.length === 0 ? true : undefined;
  });
async function eventsOf(aggregateId: string, tenant = acme): Promise<readonly EventRow[]> {
  return (await plane.log(tenant.id)).filter((event) => event.aggregateId === aggregateId && event.kind === "intent");
}

describe("an intent that the application commits", () => {
  test("is in the log once, as the principal that its row names, with an id that follows from the row", async () => {
    await app.query("begin");
    const { rowId } = await enqueueIntent(app, create("committed", { principal: { id: "user-7" } }));
    await systemClock.sleep(100);
    expect(await eventsOf("committed")).toEqual([]);
    await app.query("commit");
    const { state, event_id: eventId, position } = await decided(rowId);
    expect(state).toBe("accepted");
    const [event, ...others] = await eventsOf("committed");
    expect(others).toEqual([]);
    expect(event).toMatchObject({ id: eventId, position: Number(position), kind: "intent" });
    expect(uuidVersion(event?.id ?? "")).toBe(8);
    expect(JSON.parse(event?.causedByText ?? "{}")).toMatchObject({
      principal: { type: "user", id: "user-7" },
      via: "intake:shop",
      policies: ["publishers-publish"],
    });
    (await plane.verifier()).verify(event as EventRow);
  });

  test("is not there when its transaction is rolled back", async () => {
    await app.query("begin");
    const { rowId } = await enqueueIntent(app, create("rolled-back"));
    await app.query("rollback");
    const after = await enqueueIntent(app, create("after-rollback"));
    await decided(after.rowId);
    expect(await row(rowId)).toBeUndefined();
    expect(await eventsOf("rolled-back")).toEqual([]);
  });

  test("may be written by any client that takes a text and values, and by SQL of one's own", async () => {
    const calls: string[] = [];
    const { rowId } = await enqueueIntent((text, values) => {
      calls.push(text);
      return app.query(text, values);
    }, create("by-function"));
    expect((await decided(rowId)).state).toBe("accepted");
    expect(calls).toHaveLength(1);
    const own = "insert into eventplane_intake.intents (tenant, principal_id, intent) values ($1, $2, $3)";
    await app.query(own, ["acme", "user-1", JSON.stringify(create("by-sql").intent)]);
    await allDecided();
    expect(await eventsOf("by-sql")).toHaveLength(1);
  });

  test("keeps the order of its stream, within a transaction and over transactions", async () => {
    await app.query("begin");
    await enqueueIntent(app, create("ordered"));
    for (let plan = 1; plan <= 20; plan++) await enqueueIntent(app, change("ordered", plan));
    await app.query("commit");
    for (let plan = 21; plan <= 40; plan++) await enqueueIntent(app, change("ordered", plan));
    await allDecided();
    const specs = (await eventsOf("ordered")).map(({ specText }) => JSON.parse(specText) as JsonObject);
    expect(specs.slice(1)).toEqual(Array.from({ length: 40 }, (_, index) => ({ plan: index + 1 })));
  });

  test("that names no resource makes a new one", async () => {
    const { rowId } = await enqueueIntent(app, create("", { intent: { type: "organization.create", spec: {} } }));
    const { event_id: eventId } = await decided(rowId);
    const [event] = await eventsOf(eventId ?? "");
    expect(event?.aggregateId).toBe(eventId);
  });

  test("wakes a plane that listens, and its row goes when nothing is kept", async () => {
    await owner.query(`grant insert on ${narrowSchema}.intents to ${roleOf("app")}`);
    await enqueueIntent(app, create("noticed", { schema: narrowSchema }));
    expect(await until("the event", async () => (await eventsOf("noticed"))[0])).toMatchObject({ kind: "intent" });
    const isGone = async (): Promise<true | undefined> => {
      await owner.query(`notify "${narrowSchema}"`); // looks are due every 5 s
      return (await owner.query(`select from ${narrowSchema}.intents`)).rowCount === 0 ? true : undefined;
    };
    expect(await until("the row to be gone", isGone)).toBe(true);
  });
});

describe("exactly once", () => {
  test("holds when a drainer ends between the append and the mark", async () => {
    await owner.query(`create function eventplane_intake.lose() returns trigger language plpgsql as
      'begin if new.state = ''accepted'' then raise ''the mark is lost''; end if; return new; end'`);
    await owner.query(
      "create trigger lose before update on eventplane_intake.intents for each row execute function eventplane_intake.lose()",
    );
    const { rowId } = await enqueueIntent(app, create("marked-late"));
    const [event] = await until("the append", async () => {
      const events = await eventsOf("marked-late");
      return events.length > 0 ? events : undefined;
    });
    await systemClock.sleep(50);
    expect(await row(rowId)).toMatchObject({ state: "waiting" });
    await owner.query("drop trigger lose on eventplane_intake.intents");
    await owner.query("drop function eventplane_intake.lose()");
    await owner.query("update eventplane_intake.intents set due_at = '-infinity'"); // its lease ends
    expect(await decided(rowId)).toMatchObject({ state: "accepted", event_id: event?.id });
    expect(await eventsOf("marked-late")).toHaveLength(1);
    expect(await metric('eventplane_intake_total{intake="shop",result="repeated"}')).toBe(1);
  });

  test("holds with several drainers, and the order of each stream with it", async () => {
    await plane.start();
    await app.query("begin");
    for (let stream = 0; stream < 12; stream++) await enqueueIntent(app, create(`shared-${stream}`));
    for (let plan = 1; plan <= 15; plan++) {
      for (let stream = 0; stream < 12; stream++) await enqueueIntent(app, change(`shared-${stream}`, plan));
    }
    await app.query("commit");
    await allDecided();
    const { rows } = await owner.query("select from eventplane_intake.intents where state <> 'accepted'");
    expect(rows).toEqual([]);
    for (let stream = 0; stream < 12; stream++) {
      const specs = (await eventsOf(`shared-${stream}`)).map(({ specText }) => JSON.parse(specText) as JsonObject);
      expect(specs.slice(1)).toEqual(Array.from({ length: 15 }, (_, index) => ({ plan: index + 1 })));
    }
  });

  test("holds for a row that a restored backup brings back", async () => {
    const { rowId } = await enqueueIntent(app, create("restored"));
    const before = await decided(rowId);
    await owner.query(
      "update eventplane_intake.intents set state = 'waiting', due_at = '-infinity' where row_id = $1",
      [rowId],
    );
    expect(await decided(rowId)).toMatchObject({
      state: "accepted",
      event_id: before.event_id,
      position: before.position,
    });
    expect(await eventsOf("restored")).toHaveLength(1);
  });
});

describe("whoever holds the application's database", () => {
  const refusal = async (enqueued: EnqueuedIntent): Promise<string | null> =>
    (await decided((await enqueueIntent(app, enqueued)).rowId)).code;

  test("publishes in no tenant that its intake was not given, and the platform's log says who tried", async () => {
    for (const tenant of ["initech", "nowhere", "platform", PLATFORM_TENANT_ID])
      expect([tenant, await refusal(create("foreign", { tenant }))]).toEqual([tenant, "forbidden"]);
    const sql =
      "select count(*)::int as count from eventplane.events where aggregate_id = 'foreign' and kind = 'intent'";
    expect(await plane.installation.asSuperuser(sql)).toEqual([{ count: 0 }]);
    const refused = await until("the refusal", async () => {
      const log = await plane.log(PLATFORM_TENANT_ID);
      return log.find(({ type, causedByText }) => type.startsWith("refusal.") && causedByText.includes("intake:shop"));
    });
    expect(JSON.parse(refused.causedByText)).toMatchObject({ principal: { type: "intake", id: "shop" } });
  });

  test("speaks for nobody but users, and publishes no type that its intake may not", async () => {
    for (const type of ["system", "source", "service"])
      expect(await refusal(create("as-other", { principal: { type, id: "x" } }))).toBe("forbidden");
    const { rowId } = await enqueueIntent(app, { ...create("scoped"), schema: narrowSchema });
    await until("the scoped create", async () => (await eventsOf("scoped"))[0]);
    expect(await row(rowId, narrowSchema)).not.toMatchObject({ state: "refused" });
    const other = await enqueueIntent(app, { ...change("scoped", 2), schema: narrowSchema });
    expect(await decided(other.rowId, narrowSchema)).toMatchObject({ state: "refused", code: "forbidden" });
  });

  test("forges nothing: what HTTP refuses is refused, and neither ids nor states can be chosen", async () => {
    const raw = async (intent: unknown): Promise<string | null> => {
      const rowId = randomUUID();
      const sql =
        "insert into eventplane_intake.intents (row_id, tenant, principal_id, intent) values ($1, 'acme', 'u', $2)";
      await app.query(sql, [rowId, typeof intent === "string" ? intent : JSON.stringify(intent)]);
      return (await decided(rowId)).code;
    };
    const good = { type: "organization.create", aggregateId: "forged", spec: {} };
    expect(await raw({ ...good, causedBy: {} })).toBe("forbidden_field");
    expect(await raw({ ...good, id: randomUUID() })).toBe("forbidden_field");
    expect(await raw({ ...good, intents: [good] })).toBe("forbidden_field");
    expect(await raw('{"type":"organization.create","spec":{"a":1,"a":2}}')).toBe("json_duplicate_key");
    expect(await raw({ type: "nothing.create", spec: {} })).toBe("unknown_type");
    expect(await raw({ ...good, spec: { text: "x".repeat(300_000) } })).toBe("payload_too_large");
    await expect(raw([good])).rejects.toMatchObject({ code: "23502" });
    await expect(raw({ ...good, spec: { text: "x".repeat(600_000) } })).rejects.toMatchObject({ code: "23514" });
    const marked =
      "insert into eventplane_intake.intents (tenant, principal_id, intent, state) values ('acme', 'u', '{}', 'accepted')";
    for (const sql of [marked, "select from eventplane_intake.intents", "delete from eventplane_intake.intents"])
      await expect(app.query(sql)).rejects.toMatchObject({ code: "42501" });
    expect(await eventsOf("forged")).toEqual([]);
  });

  test("is told before the commit when an intent cannot be written", async () => {
    const withId = { ...create("with-id").intent, id: randomUUID() };
    await expect(enqueueIntent(app, create("x", { intent: withId }))).rejects.toMatchObject({
      code: "forbidden_field",
    });
    const large = { type: "organization.create", spec: { text: "x".repeat(600_000) } };
    await expect(enqueueIntent(app, create("x", { intent: large }))).rejects.toMatchObject({
      code: "payload_too_large",
    });
    await expect(enqueueIntent(app, create("x", { schema: 'a"; drop' }))).rejects.toMatchObject({
      code: "config_invalid",
    });
  });
});

describe("what was refused", () => {
  test("stays with its reason, shows in metrics and /readyz, and can be tried again or purged", async () => {
    const early = await enqueueIntent(app, change("later-made", 1));
    const twice = await enqueueIntent(app, create("other", { tenant: "initech" }));
    expect(await decided(early.rowId)).toMatchObject({ state: "refused", code: "wrong_expected_version" });
    await decided(twice.rowId);
    const listed = await table.refused({}, 10);
    expect(listed.map(({ rowId }) => rowId)).toEqual([early.rowId, twice.rowId]);
    expect(listed[0]).toMatchObject({ tenant: "acme", stream: "organization/later-made", principal: "user:user-1" });
    expect(await table.standing()).toMatchObject({ waiting: 0, refused: 2 });
    await until("the metric", async () =>
      (await metric('eventplane_intake_rows{intake="shop",state="refused"}')) === 2 ? true : undefined,
    );
    const ready = await (await fetch(`${plane.url}/readyz`)).text();
    expect(ready).toContain("intake_refused: shop rows 2");

    await decided((await enqueueIntent(app, create("later-made"))).rowId);
    expect(await table.retry({ code: "wrong_expected_version" })).toBe(1);
    expect(await decided(early.rowId)).toMatchObject({ state: "accepted", code: null });
    expect(await table.purge({ rowId: twice.rowId, tenant: "acme" })).toBe(0);
    expect(await table.purge({ rowId: twice.rowId })).toBe(1);
    expect(await table.refused({}, 10)).toEqual([]);
  });
});

describe("a plane whose intake", () => {
  test("is flooded by one tenant does not keep another waiting", async () => {
    const flood = `insert into eventplane_intake.intents (tenant, principal_id, intent)
      select 'acme', 'u', json_build_object('type', 'organization.create', 'aggregateId', 'flood-' || n, 'spec', '{}'::json)
      from generate_series(1, 4000) n`;
    await owner.query(flood);
    const { rowId } = await enqueueIntent(app, create("beside-the-flood", { tenant: "globex" }));
    await decided(rowId);
    const { rows } = await owner.query<{ count: number }>(
      "select count(*)::int as count from eventplane_intake.intents where state = 'waiting'",
    );
    expect(rows[0]?.count).toBeGreaterThan(1_000);
    expect(await eventsOf("beside-the-flood", globex)).toHaveLength(1);
    await owner.query("delete from eventplane_intake.intents where state = 'waiting'");
  });

  test("claims by indexes alone, however many rows wait", async () => {
    await owner.query(`insert into ${narrowSchema}.intents (tenant, principal_id, intent, due_at)
      select 'acme', 'u', json_build_object('type', 'a.b', 'aggregateId', n % 50), 'infinity' from generate_series(1, 20000) n`);
    const other = new PostgresIntakeTable({ url: urlOf("drainer"), schema: narrowSchema });
    await owner.query(`analyze ${narrowSchema}.intents`);
    const claim = { claim: randomUUID(), after: "", without: [], rowsMax: 128, leaseMs: 1_000 };
    expect(await other.claim(claim)).toEqual([]);
    const sql = `explain ${claimSql.replaceAll("SCHEMA", narrowSchema)}`;
    const { rows } = await owner.query<{ "QUERY PLAN": string }>(sql, ["", [], 128, 1, randomUUID(), 1_000]);
    const plan = rows.map((line) => line["QUERY PLAN"]).join("\n");
    expect(plan).toContain("Index");
    expect(plan).not.toContain("Seq Scan on intents");
    await owner.query(`delete from ${narrowSchema}.intents`);
    await other.close();
  });

  test("loses its database says so, serves, and goes on when it is back", async () => {
    await owner.query(`revoke usage on schema eventplane_intake from ${roleOf("drainer")}`);
    const readyz = async (): Promise<string> => (await fetch(`${plane.url}/readyz`)).text();
    await until("the reason", async () => ((await readyz()).includes("intake_unreachable: shop") ? true : undefined));
    const { rowId } = await enqueueIntent(app, create("waited"));
    expect(
      (await acme.client.publish({ type: "organization.create", aggregateId: "served", spec: {} })).position,
    ).toBeGreaterThan(0);
    await owner.query(`grant usage on schema eventplane_intake to ${roleOf("drainer")}`);
    await owner
      .query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [roleOf("drainer")])
      .catch(() => undefined);
    expect(await decided(rowId)).toMatchObject({ state: "accepted" });
    await until("the reason to be gone", async () =>
      (await readyz()).includes("intake_unreachable") ? undefined : true,
    );
  });
});

/** The value of a metric of the first plane, by its name with labels. */
async function metric(name: string): Promise<number | undefined> {
  const text = await (await fetch(`${plane.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

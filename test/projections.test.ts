/** Projections of one's own in PostgreSQL: the contract suite, and the runner with its lease, stops and rebuilds. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProjectionDefinition } from "../src/event/index.js";
import { systemClock, systemIds, type TenantId } from "../src/kernel/index.js";
import {
  assertInstalled,
  installProjections,
  MemoryProjectionStore,
  PostgresProjectionRows,
  PostgresProjectionStore,
  ProjectionRunner,
} from "../src/projection/index.js";
import { createMemoryStore } from "../src/store/index.js";
import { type LoginRole, PostgresReader } from "../src/store/postgres/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newTenantId,
  projectionContract,
  signAppend,
  testProjection,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

projectionContract({ describe, it, beforeAll, afterAll }, "postgres", async () => {
  const installation = await installEventplane();
  const { ownerUrl, rolePrefix } = installation.database;
  return {
    edge: installation.edge,
    store: async (definition) => {
      await installProjections(ownerUrl, { rolePrefix, definitions: [definition] });
      return new PostgresProjectionStore(installation.pool("projector"), { rolePrefix, definition });
    },
    rows: () => new PostgresProjectionRows(installation.pool("edge")),
    close: () => installation.close(),
  };
});

const signer = createTestSigner("edge");
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

describe("a projection", () => {
  let installation: Installation;
  const { definition } = testProjection("plans");
  beforeAll(async () => {
    installation = await installEventplane();
    await install(definition, testProjection("others").definition);
  });
  afterAll(() => installation.close());

  function install(...definitions: readonly ProjectionDefinition[]): Promise<void> {
    const { ownerUrl, rolePrefix } = installation.database;
    return installProjections(ownerUrl, { rolePrefix, definitions });
  }

  function storeOf(of: ProjectionDefinition): PostgresProjectionStore {
    const { rolePrefix } = installation.database;
    return new PostgresProjectionStore(installation.pool("projector"), { rolePrefix, definition: of });
  }

  function runner(of: ProjectionDefinition = definition): ProjectionRunner {
    return new ProjectionRunner({
      definition: of,
      store: storeOf(of),
      reader: new PostgresReader(installation.pool("reader")),
      holder: systemIds.uuid4(),
      clock: systemClock,
      logger: silent,
    });
  }

  async function publish(tenantId: TenantId, count: number, plan = "free"): Promise<void> {
    const items = Array.from({ length: count }, () =>
      creating(draftIntent({ tenantId, specText: JSON.stringify({ plan, seats: 2 }) })),
    );
    const [first, ...rest] = items;
    if (first !== undefined) await installation.edge.append([signAppend(signer, appendOf(first, ...rest))]);
  }

  /** As a caller of this role sees the rows of a tenant; without one by default. */
  async function rowsAs(role: LoginRole, sql: string, tenantId = ""): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: installation.url(role) });
    await client.connect();
    try {
      await client.query("select set_config('eventplane.tenant_id', $1, false)", [tenantId]);
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  it("folds what memory folds, to the same state digest, in several batches and after a new start", async () => {
    const tenantId = newTenantId();
    const clock = systemClock;
    const log = createMemoryStore({ clock });
    const memory = new MemoryProjectionStore(definition, log, clock);
    const names = ["create", "create", "change-plan", "delete", "change-plan", "create"];
    for (const [index, name] of names.entries()) {
      const specText = JSON.stringify({ plan: index % 2 === 0 ? "team" : "free", seats: index });
      const aggregateId = index === 3 ? "a1" : `a${index % 2}`;
      const event = draftIntent({ tenantId, aggregateId, type: `organization.${name}`, specText });
      const append = signAppend(signer, appendOf(appending(event)));
      await installation.edge.append([append]);
      await log.edge.append([append]);
      if (index % 2 === 0) {
        const one = runner();
        await one.catchUp();
        await storeOf(definition).resign(await holderOf(definition));
      }
    }
    await runner().catchUp();
    const parts = { definition, store: memory, reader: log.reader, holder: systemIds.uuid4(), clock, logger: silent };
    await new ProjectionRunner(parts).catchUp();
    const [stored] = await storeOf(definition).digests(tenantId, [1]);
    expect(stored).toEqual((await memory.digests(tenantId, [1]))[0]);
    expect(stored?.position).toBe(names.length);
    await storeOf(definition).resign(await holderOf(definition));
  });

  async function holderOf({ name }: ProjectionDefinition): Promise<string> {
    const sql = "select holder from eventplane.projection_leases where projection = $1";
    const [row] = await installation.asSuperuser<{ holder: string }>(sql, [name]);
    return row?.holder ?? "";
  }

  it("that loses its lease in the middle of a batch writes neither rows nor cursor", async () => {
    const tenantId = newTenantId();
    await publish(tenantId, 3);
    const store = storeOf(definition);
    const lost = new ProjectionRunner({
      definition,
      reader: new PostgresReader(installation.pool("reader")),
      holder: systemIds.uuid4(),
      clock: systemClock,
      logger: silent,
      store: new Proxy(store, {
        get: (target, member) => {
          if (member !== "change") return (target[member as keyof typeof target] as Function).bind(target);
          return async (...given: Parameters<typeof store.change>) => {
            const took = "update eventplane.projection_leases set epoch = epoch + 1 where projection = $1";
            if (given[2].some(({ step }) => step === "advance"))
              await installation.asSuperuser(took, [definition.name]);
            return store.change(...given);
          };
        },
      }),
    });
    await lost.catchUp();
    expect((await store.tenant(tenantId)).builds).toMatchObject([{ build: 1, cursor: undefined }]);
    expect(await rowsAs("reader", "select * from projection_plans.types", tenantId)).toEqual([]);
    await installation.asSuperuser("update eventplane.projection_leases set until = '-infinity'");
    await runner().catchUp();
    expect(await rowsAs("reader", "select value from projection_plans.types", tenantId)).toEqual([{ value: "3" }]);
    await store.resign(await holderOf(definition));
  });

  it("has views for people: the live rows of one tenant, groups with their names", async () => {
    const tenantId = newTenantId();
    await publish(tenantId, 2, "team");
    await runner().catchUp();
    expect(await rowsAs("auditor", "select plan, count, seats from projection_plans.plans", tenantId)).toEqual([
      { plan: "team", count: "2", seats: "4" },
    ]);
    await storeOf(definition).resign(await holderOf(definition));
  });

  it("attack 11: no role sees a row of it without a tenant, and none of another tenant", async () => {
    const [tenantId, other] = [newTenantId(), newTenantId()];
    await publish(tenantId, 2);
    await publish(other, 1);
    await runner().catchUp();
    const tables = [
      "types_totals",
      "plans_rows",
      "plans_totals",
      "last_rows",
      "history_rows",
      "types",
      "plans",
      "last",
    ];
    for (const role of ["edge", "reader", "auditor"] as const) {
      for (const table of tables) {
        expect([role, table, await rowsAs(role, `select 1 from projection_plans.${table}`)]).toEqual([role, table, []]);
        const seen = await rowsAs(role, `select distinct tenant_id from projection_plans.${table}`, other);
        expect([role, table, seen]).toEqual([role, table, [{ tenant_id: other }]]);
      }
    }
    await storeOf(definition).resign(await holderOf(definition));
  });

  it("attack 11: its role can write its own tables under one tenant, and nothing else", async () => {
    const { rolePrefix } = installation.database;
    const tenantId = newTenantId();
    const attempt = async (sql: string, setting = tenantId as string): Promise<string> => {
      const client = new pg.Client({ connectionString: installation.url("projector") });
      await client.connect();
      try {
        await client.query("begin");
        await client.query("select set_config('eventplane.tenant_id', $1, true)", [setting]);
        await client.query(`set local role ${rolePrefix}_p_plans`);
        await client.query(sql);
        return "allowed";
      } catch (error) {
        return error instanceof pg.DatabaseError ? (error.code ?? "") : String(error);
      } finally {
        await client.end();
      }
    };
    const insert = (table: string, tenant: string): string =>
      `insert into ${table} (tenant_id, build, key, value) values ('${tenant}', 1, 'a', '{1}')`;
    expect(await attempt(insert("projection_plans.types_totals", tenantId))).toBe("allowed");
    const denied = "42501";
    expect(await attempt(insert("projection_plans.types_totals", newTenantId()))).toBe(denied);
    expect(await attempt(insert("projection_plans.types_totals", tenantId), "")).toBe(denied);
    expect(await attempt(insert("projection_others.types_totals", tenantId))).toBe(denied);
    for (const sql of [
      "select 1 from eventplane.events",
      "select 1 from eventplane.heads",
      "update eventplane.projection_builds set position = 0",
      "select 1 from eventplane.projection_leases",
      "select 1 from projection_others.types",
      "create table projection_plans.mine (x integer)",
      "select eventplane.append_edge('')",
      "select eventplane.append_derived('')",
    ]) {
      expect([sql, await attempt(sql)]).toEqual([sql, denied]);
    }
  });

  it("attack 11: the connections that fold keep neither a tenant nor the role of a projection", async () => {
    await publish(newTenantId(), 5);
    await runner().catchUp();
    const look =
      "select current_user as role, current_setting('eventplane.tenant_id', true) as tenant from pg_sleep(0.01)";
    for (const role of ["projector", "reader"] as const) {
      const pool = installation.pool(role);
      const left = await Promise.all(Array.from({ length: 8 }, () => pool.query(look)));
      for (const { rows } of left) {
        expect(rows[0]?.role).toBe(`${installation.database.rolePrefix}_${role}`);
        expect(["", null]).toContain(rows[0]?.tenant);
      }
    }
    await storeOf(definition).resign(await holderOf(definition));
  });

  it("reads events over a connection that cannot write", async () => {
    const { rows } = await installation.pool("reader").query("show default_transaction_read_only");
    expect(rows).toEqual([{ default_transaction_read_only: "on" }]);
  });

  it("that is not installed is refused at the start, and named", async () => {
    const missing = assertInstalled(installation.pool("projector"), [testProjection("nowhere").definition]);
    await expect(missing).rejects.toMatchObject({ code: "migration_needed", details: { projection: "nowhere" } });
    await expect(assertInstalled(installation.pool("projector"), [definition])).resolves.toBeUndefined();
    const summed = {
      ...definition,
      tables: new Map([["history_totals", { kind: "counter", acrossTenants: true }] as const]),
    };
    await installation.asSuperuser("create table projection_plans.history_totals_totals ()");
    await expect(assertInstalled(installation.pool("projector"), [summed])).rejects.toMatchObject({
      details: { table: "history_totals_across_tenants" },
    });
    await installation.asSuperuser("drop table projection_plans.history_totals_totals");
  });

  it("can be installed again with other tables; its rows stay", async () => {
    const tenantId = newTenantId();
    const store = storeOf(definition);
    await publish(tenantId, 1);
    await runner().catchUp();
    const [before] = await store.digests(tenantId, [1]);
    const more = {
      ...definition,
      tables: new Map([...definition.tables, ["extra", { kind: "counter", acrossTenants: false }] as const]),
    };
    await install(more);
    await assertInstalled(installation.pool("projector"), [more]);
    expect(await store.digests(tenantId, [1])).toEqual([before]);
    await store.resign(await holderOf(definition));
  });

  it("adds up what is live of all tenants, and shows nobody whose it is", async () => {
    const { definition: sums } = testProjection("sums");
    await install(sums);
    const tenants = [newTenantId(), newTenantId()] as const;
    await publish(tenants[0], 3, "gold");
    await publish(tenants[1], 4, "gold");
    await publish(tenants[1], 1, "silver");
    await runner(sums).catchUp();
    // What is folded anew beside it counts for nobody yet.
    for (const table of ["projection_sums.plans_totals", "projection_sums.types_totals"]) {
      await installation.asSuperuser(
        `insert into ${table} select tenant_id, 99, key, value from ${table} where build = 1`,
      );
    }
    await installation.asSuperuser(`insert into eventplane.projection_builds
      select tenant_id, projection, 99, 'rebuild', version, fingerprint, log_epoch, position, hash
      from eventplane.projection_builds where projection = 'sums'`);
    const view = "select key, value, tenants from projection_sums.plans_across_tenants";
    const plans = await rowsAs("edge", `${view} where key in ('["gold"]', '["silver"]') order by key`);
    expect(plans).toEqual([
      { key: '["gold"]', value: [7, 14], tenants: "2" },
      { key: '["silver"]', value: [1, 2], tenants: "1" },
    ]);
    const perTenant = await Promise.all(
      (await installation.asSuperuser<{ tenant: TenantId }>("select tenant_id as tenant from eventplane.heads")).map(
        async ({ tenant }) =>
          (await rowsAs("edge", "select value from projection_sums.types", tenant)) as { value: string }[],
      ),
    );
    const total = perTenant.flat().reduce((sum, { value }) => sum + Number(value), 0);
    const added = await rowsAs("edge", "select sum(value[1]) as value from projection_sums.types_across_tenants");
    expect(added).toEqual([{ value: String(total) }]);
    for (const role of ["reader", "auditor", "runtime", "projector"] as const) {
      await expect(rowsAs(role, view)).rejects.toMatchObject({ code: "42501" });
    }
    await storeOf(sums).resign(await holderOf(sums));
  });

  it("whose role would have too long a name is refused", () => {
    const rolePrefix = "p".repeat(40);
    const named = testProjection("n".repeat(40)).definition;
    const open = () => new PostgresProjectionStore(installation.pool("projector"), { rolePrefix, definition: named });
    expect(open).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });
});

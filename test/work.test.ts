/** The work table in PostgreSQL: the contract suite, its grants, and claims under load. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemIds, type TenantId } from "../src/kernel/index.js";
import {
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newTenantId,
  signAppend,
  workContract,
} from "../src/testing/index.js";
import { PostgresWorkStore } from "../src/work/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

workContract({ describe, it, beforeAll, afterAll }, "postgres", async () => {
  const installation = await installEventplane();
  return {
    work: new PostgresWorkStore(installation.pool("runtime"), { codeVersion: "v1" }),
    edge: installation.edge,
    runtime: installation.runtime,
    waitMs: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: () => installation.close(),
  };
});

describe("leases of a killed process", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  it("end at once where nobody else works, and their holder can finish nothing any more", async () => {
    const work = new PostgresWorkStore(installation.pool("runtime"));
    await installation.pool("runtime").query(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       values (gen_random_uuid(), 'organization', 'a', 'quota', 'ready', now()),
              (gen_random_uuid(), 'organization', 'b', 'quota', 'ready', now() + interval '1 hour')`,
    );
    const claim = { components: ["quota"], limit: 10, leaseMs: 60_000 };
    const [held] = await work.claim(claim);
    expect(await work.claim(claim)).toEqual([]);

    expect(await work.endLeases()).toBe(1);
    const again = await work.claim(claim);
    expect(again).toMatchObject([{ aggregateId: "a", attempt: 2 }]);
    expect(held).toBeDefined();
    if (held !== undefined) expect(await work.finish(held, { dueAfterMs: null, seenVersion: 1 })).toBe(false);
  });

  it("that ended so tell the next holder of an effect that its call may have been made", async () => {
    const work = new PostgresWorkStore(installation.pool("runtime"));
    await installation.pool("runtime").query(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       values (gen_random_uuid(), 'effect', 'a', 'effect:customer', 'ready', now())`,
    );
    const claim = { components: ["effect:customer"], limit: 10, leaseMs: 60_000 };
    const [held] = await work.claim(claim);
    expect(held?.isAbandoned).toBe(false);
    await work.endLeases();
    if (held !== undefined) expect(await work.extend([held], 60_000)).toEqual([]);
    expect(await work.claim(claim)).toMatchObject([{ attempt: 2, isAbandoned: true }]);
  });
});

describe("grants of the work table", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  it("the edge reads dead letters of its tenant only and changes nothing", async () => {
    const edge = installation.pool("edge");
    const runtime = installation.pool("runtime");
    const [mine, other] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    await runtime.query(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at, dead_since, attempts,
         failure_code, failure_message, failed_generation)
       values ($1, 'organization', 'a', 'quota', 'dead', null, now(), 5, 'Error', 'm', 1),
              ($2, 'organization', 'b', 'quota', 'dead', null, now(), 5, 'Error', 'm', 1),
              ($1, 'organization', 'c', 'quota', 'ready', now(), null, 0, null, null, null)`,
      [mine, other],
    );
    const letters = await new PostgresWorkStore(edge).deadLetters(mine as never);
    expect(letters.map(({ aggregateId }) => aggregateId)).toEqual(["a"]);
    const { rows } = await edge.query("select 1 from eventplane.work");
    expect(rows).toEqual([]);
    for (const forbidden of [
      "delete from eventplane.work",
      "update eventplane.work set state = 'idle'",
      "select eventplane.work_claim('', array['quota'], 1, 1000, '00000000-0000-0000-0000-000000000000')",
      "select eventplane.effect_dispatch(gen_random_uuid(), 0, 1, 1, '', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
      "insert into eventplane.cursors values ('work', gen_random_uuid(), 1, 0, '')",
    ]) {
      await expect(edge.query(forbidden)).rejects.toThrow(/permission denied/);
    }
  });

  it("the edge reads the effects of its tenant only", async () => {
    const [mine, other] = [newTenantId(), newTenantId()];
    await installation.pool("runtime").query(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       values ($1, 'effect', 'a', 'effect:customer', 'ready', now()), ($2, 'effect', 'b', 'effect:customer', 'ready', now())`,
      [mine, other],
    );
    const edge = new PostgresWorkStore(installation.pool("edge"));
    expect((await edge.effects(mine)).map(({ askId }) => askId)).toEqual(["a"]);
    expect(await edge.effect(mine, "b")).toBeUndefined();
    await expect(
      edge.dispatchEffects(mine, { from: 0, to: { logEpoch: 1, position: 1, hash: Buffer.alloc(32) }, changes: [] }),
    ).rejects.toThrow(/refused a statement/);
    await expect(edge.standing()).resolves.toEqual([]);
  });

  it("only the append functions may settle", async () => {
    const call = `select eventplane.work_settle('11111111-1111-4111-8111-111111111111', 'a', 'b', 'c', gen_random_uuid(), null)`;
    for (const role of ["edge", "runtime", "reader", "projector"] as const) {
      await expect(installation.pool(role).query(call)).rejects.toThrow(/permission denied/);
    }
  });

  it("the runtime does not read other consumers' cursors", async () => {
    const runtime = installation.pool("runtime");
    await expect(
      runtime.query(
        "insert into eventplane.cursors values ('resources', gen_random_uuid(), 1, 0, decode(repeat('00', 32), 'hex'))",
      ),
    ).rejects.toThrow(/row-level security/);
  });
});

describe("dispatch among others", () => {
  const watches = [{ aggregateType: "organization", component: "quota" }];
  let installation: Installation;
  let work: PostgresWorkStore;
  beforeAll(async () => {
    installation = await installEventplane();
    work = new PostgresWorkStore(installation.pool("runtime"));
  });
  afterAll(() => installation.close());

  async function publish(tenantId: TenantId): Promise<void> {
    const event = draftIntent({ tenantId, aggregateId: systemIds.uuid4(), finalizersText: '{"quota":{}}' });
    await installation.edge.append([signAppend(createTestSigner("edge"), appendOf(creating(event)))]);
  }

  it("a tenant whose log does not continue at the cursor stands still and is named; others go on", async () => {
    const [bad, good] = [newTenantId(), newTenantId()];
    await publish(bad);
    await work.dispatch(watches, bad);
    await installation.asSuperuser(
      "update eventplane.cursors set hash = decode(repeat('00', 32), 'hex') where tenant_id = $1",
      [bad],
    );
    await publish(bad);
    await publish(good);
    expect(await work.dispatch(watches)).toEqual({ events: 1, more: false, broken: [bad] });
    const claims = await work.claim({ components: ["quota"], limit: 10, leaseMs: 1_000 });
    expect(claims.map(({ tenantId }) => tenantId).toSorted()).toEqual([bad, good].toSorted());
  });

  it("a log that is shorter than its cursor is named", async () => {
    const tenantId = newTenantId();
    await publish(tenantId);
    await work.dispatch(watches, tenantId);
    await installation.asSuperuser("update eventplane.cursors set position = 7 where tenant_id = $1", [tenantId]);
    expect((await work.dispatch(watches, tenantId)).broken).toEqual([tenantId]);
  });

  it("a row that is being settled makes dispatch give way soon and do all of it later", async () => {
    const tenantId = newTenantId();
    const stream = systemIds.uuid4();
    const holder = await installation.pool("runtime").connect();
    try {
      await holder.query("begin");
      await holder.query(
        `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
         values ($1, 'organization', $2, 'quota', 'idle', null)`,
        [tenantId, stream],
      );
      const event = draftIntent({ tenantId, aggregateId: stream, finalizersText: '{"quota":{}}' });
      await installation.edge.append([signAppend(createTestSigner("edge"), appendOf(creating(event)))]);
      expect(await work.dispatch(watches, tenantId)).toEqual({ events: 0, more: true, broken: [] });
      await holder.query("commit");
      expect(await work.dispatch(watches, tenantId)).toEqual({ events: 1, more: false, broken: [] });
    } finally {
      holder.release();
    }
  });

  it("processes that dispatch one tenant at once turn each event into work once", async () => {
    const tenantId = newTenantId();
    for (let n = 0; n < 20; n++) await publish(tenantId);
    const results = await Promise.all([1, 2, 3, 4].map(() => work.dispatch(watches, tenantId)));
    expect(results.reduce((sum, { events }) => sum + events, 0)).toBe(20);
  });
});

describe("plans of the work table", () => {
  const tenant = "11111111-1111-4111-8111-111111111111";
  const rows = 20_000;
  /** A statement that looked at every row touches at least one block for each. */
  const blocksMax = 5_000;
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  /** Blocks that a call touches, those within its functions included. */
  async function blocksOf(call: string, role: "runtime" | "edge" = "runtime"): Promise<number> {
    const { rows: plans } = await installation
      .pool(role)
      .query<{ "QUERY PLAN": readonly [{ readonly Plan: Readonly<Record<string, number>> }] }>(
        `explain (analyze, buffers, format json) ${call}`,
      );
    const plan = plans[0]?.["QUERY PLAN"][0].Plan ?? {};
    return (plan["Shared Hit Blocks"] ?? Number.NaN) + (plan["Shared Read Blocks"] ?? Number.NaN);
  }

  it("a dispatch of few events does not read the rest of a long log", async () => {
    const zeros = "decode(repeat('00', 32), 'hex')";
    await installation.asSuperuser(
      `insert into eventplane.events (position, version, recorded_at, generation, schema_version, log_epoch, tenant_id, event_id,
         kind, lifecycle, aggregate_type, aggregate_id, type, hash, proof, finalizers, spec, caused_by)
       select n, 1, now(), 1, 1, 1, $1, md5(n::text)::uuid, 'i', 'l', 'organization', 'x' || n,
         'organization.create', ${zeros}, ${zeros}, '{"quota":{}}', '{}', '{}'
       from generate_series(1, ${rows}) n`,
      [tenant],
    );
    await installation.asSuperuser(`insert into eventplane.heads values ($1, ${rows}, now(), 1, ${zeros})`, [tenant]);
    await installation.asSuperuser(`insert into eventplane.cursors values ('work', $1, 1, ${rows - 5}, ${zeros})`, [
      tenant,
    ]);
    const call = `select * from eventplane.work_dispatch('${tenant}', array['organization'], array['quota'], 1000)`;
    expect(await blocksOf(call)).toBeLessThan(blocksMax);
    const woken = await installation.asSuperuser("select 1 from eventplane.work where tenant_id = $1", [tenant]);
    expect(woken).toHaveLength(5);
  });

  it("a claim reads neither the timers nor the rest of a backlog", async () => {
    await installation.asSuperuser(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       select md5((n % 50)::text)::uuid, 'organization', 'x' || n, 'quota', 'ready',
         case when n % 50 = 7 then now() else now() + interval '1 hour' end
       from generate_series(1, ${rows}) n`,
    );
    const call =
      "select * from eventplane.work_claim('', array['quota'], 8, 30000, '00000000-0000-0000-0000-000000000000')";
    expect(await blocksOf(call)).toBeLessThan(blocksMax);
    const due = "select eventplane.work_next_due_ms(array[''], array['quota'])";
    expect(await blocksOf(due)).toBeLessThan(blocksMax);
  });

  it("a worker whose effects pile up is not walked through for a controller or another worker", async () => {
    const flooded = "22222222-2222-4222-8222-222222222222";
    await installation.asSuperuser(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       select $1, 'effect', 'slow-' || n, 'effect:slow', 'ready', now() - interval '1 hour' from generate_series(1, ${rows}) n
       union all values ($1::uuid, 'effect', 'quick', 'effect:quick', 'ready', now()),
         ($1, 'organization', 'acme', 'quota', 'ready', now())`,
      [flooded],
    );
    for (const [queue, component] of [
      ["", "quota"],
      ["effect:quick", "effect:quick"],
      ["effect:slow", "effect:slow"],
    ]) {
      const next = `select eventplane.work_next_due_ms(array['${queue}'], array['${component}'])`;
      expect(await blocksOf(next)).toBeLessThan(blocksMax);
      const claim = `select * from eventplane.work_claim('${queue}', array['${component}'], 8, 30000, '11111111-1111-4111-8111-111111111111')`;
      expect(await blocksOf(claim)).toBeLessThan(blocksMax);
    }
    const { rows: leased } = await installation
      .pool("runtime")
      .query("select component from eventplane.work where tenant_id = $1 and lease_token is not null", [flooded]);
    expect(leased).toHaveLength(10);
  });

  it("a webhook is claimed, counted and ended without a look at what waits for others", async () => {
    const [hooks, mine, other] = [
      "66666666-6666-4666-8666-666666666666",
      "66666666-6666-4666-8666-000000000001",
      "66666666-6666-4666-8666-000000000002",
    ];
    await installation.asSuperuser(
      "insert into eventplane.webhooks (tenant_id, webhook_id, position) values ($1, $2, 9), ($1, $3, 9)",
      [hooks, mine, other],
    );
    await installation.asSuperuser(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at, woken_seq)
       select $1, 'webhook', md5(n::text)::uuid, case when n <= 5 then $2 else $3 end, 'ready', now() - interval '1 hour', n
       from generate_series(1, ${rows}) n`,
      [hooks, `webhook:${mine}`, `webhook:${other}`],
    );
    const one = `array['${hooks}'::uuid], array['${mine}'::uuid]`;
    const claim = `select * from eventplane.webhook_claim(${one}, array[8], array[2], 30000)`;
    expect(await blocksOf(claim, "edge")).toBeLessThan(blocksMax);
    const leased = await installation.asSuperuser<{ woken_seq: string; aggregate_id: string; lease_token: string }>(
      "select woken_seq, aggregate_id, lease_token from eventplane.work where tenant_id = $1 and lease_token is not null order by 1",
      [hooks],
    );
    expect(leased.map(({ woken_seq }) => woken_seq)).toEqual(["1", "2"]);
    expect(await blocksOf(claim, "edge")).toBeLessThan(blocksMax);
    expect(await blocksOf(`select * from eventplane.webhook_places(${one})`, "edge")).toBeLessThan(blocksMax);
    const end = `select * from eventplane.webhook_end('${hooks}', '${mine}', '${leased[0]?.aggregate_id}',
      '${leased[0]?.lease_token}', 'delivered', 204, null, 1, null, null, null, null, 100)`;
    expect(await blocksOf(end, "edge")).toBeLessThan(blocksMax);
  });

  it("a dead letter, and what the log says of effects, touch rows of their own however many there are", async () => {
    const piled = "44444444-4444-4444-8444-444444444444";
    const row = (state: string): string => `insert into eventplane.work
      (tenant_id, aggregate_type, aggregate_id, component, state, due_at, dead_since, lease_token, stream_type, stream_id, stream_generation, sequence)
      select '${piled}', 'effect', '${state}-' || n, 'effect:piled', '${state}', case when '${state}' = 'ready' then now() end,
        case when '${state}' = 'dead' then now() end, case when n = 1 and '${state}' = 'ready' then '${piled}'::uuid end,
        'organization', 'org-' || n, 1, n from generate_series(1, ${rows}) n`;
    const fail = `select eventplane.work_fail('${piled}', 'effect', 'ready-1', 'effect:piled', '${piled}', null, 'Error', '', null, 'v1', '${piled}')`;
    const effects = (
      change: string,
      from: number,
    ): string => `select eventplane.effect_dispatch('${piled}', ${from}, 1, ${from + 5},
      decode(repeat('00', 32), 'hex'), array(select '${change === "asked" ? "new" : "ready"}-' || n from generate_series(2, 6) n),
      array_fill('effect:piled'::text, array[5]), array_fill('${change}'::text, array[5]), array[1, 2, 3, 4, 5],
      array_fill('organization'::text, array[5]), array_fill('acme'::text, array[5]), array_fill(1::bigint, array[5]))`;
    // As a session has its plans from when the tables were small.
    expect(await blocksOf(effects("asked", 0))).toBeLessThan(blocksMax);
    await installation.asSuperuser(row("ready"));
    await installation.asSuperuser(row("dead"));
    for (const call of [fail, effects("asked", 5), effects("decided", 10), effects("ended", 15)])
      expect([call, (await blocksOf(call)) < blocksMax]).toEqual([call, true]);
    const left = "select count(*)::int as n from eventplane.work where tenant_id = $1 and aggregate_id like 'ready-%'";
    expect(await installation.asSuperuser(left, [piled])).toEqual([{ n: rows - 5 }]);
  });

  it("replays are looked for without a walk through what waits for controllers", async () => {
    const busy = "33333333-3333-4333-8333-333333333333";
    await installation.asSuperuser(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
       select $1, 'organization', 'timer-' || n, 'quota', 'ready', now() + interval '1 day' from generate_series(1, ${rows}) n
       union all values ($1::uuid, 'replay', 'one', 'replayer', 'ready', now())`,
      [busy],
    );
    const work = new PostgresWorkStore(installation.pool("runtime"));
    const claim =
      "select * from eventplane.work_claim('replayer', array['replayer'], 4, 30000, '11111111-1111-4111-8111-111111111111')";
    expect(await blocksOf(claim)).toBeLessThan(blocksMax);
    await installation.asSuperuser(
      "update eventplane.work set due_at = now(), lease_token = null where component = 'replayer'",
    );
    expect(await work.claim({ components: ["replayer"], limit: 4, leaseMs: 1_000 })).toHaveLength(1);
  });
});

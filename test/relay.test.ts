/** The relay between a real PostgreSQL and a real nats-server, with each of them failing. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { jetstreamManager, type MsgRequest } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Event } from "../src/event/index.js";
import { systemClock, systemRandom, type TenantId } from "../src/kernel/index.js";
import { createLogger, createMetrics, type Metrics } from "../src/observe/index.js";
import { Coalescer } from "../src/store/index.js";
import { PostgresReader } from "../src/store/postgres/index.js";
import { appending, appendOf, createTestSigner, draftIntent, newTenantId } from "../src/testing/index.js";
import { Relay } from "../src/transport/index.js";
import { natsStreamName, openNatsTransport } from "../src/transport/nats/index.js";
import { PostgresRelayStore } from "../src/transport/postgres/index.js";
import { buildCommand } from "./support/evtctl-process.js";
import { type NatsServer, startNats } from "./support/nats-server.js";
import { until } from "./support/plane-fixture.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const refillMs = 3_600_000;
const bodyMax = 65_536;

/** An installation, a nats-server, and what runs between them. */
class Scene {
  readonly installation: Installation;
  readonly nats: NatsServer;
  readonly metrics: Metrics = createMetrics();
  readonly written = new Map<TenantId, Map<string, number>>();
  readonly relays: Relay[] = [];
  readonly #log: Coalescer;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #children: ChildProcess[] = [];

  private constructor(installation: Installation, nats: NatsServer) {
    this.installation = installation;
    this.nats = nats;
    this.#log = new Coalescer({ appender: installation.edge, signer: createTestSigner("edge"), clock: systemClock });
  }

  static async open(): Promise<Scene> {
    return new Scene(...(await Promise.all([installEventplane(), startNats({ payloadBytesMax: bodyMax })])));
  }

  /** A relay of this process. */
  relay(options: { readonly leaseMs?: number; readonly syncMs?: number } = {}): Relay {
    const pool = this.installation.pool("relay");
    const relay = new Relay({
      open: () => openNatsTransport({ servers: [this.nats.url] }),
      store: new PostgresRelayStore(pool, { holder: randomUUID(), refillMs, ...options }),
      reader: new PostgresReader(pool),
      clock: systemClock,
      random: systemRandom,
      logger: createLogger({ level: "silent" }),
      metrics: this.metrics,
      pollMs: 20,
    });
    this.#running.push(relay.run(this.#stop.signal));
    this.relays.push(relay);
    return relay;
  }

  /** A relay that can be killed. */
  relayProcess(): ChildProcess {
    const program = fileURLToPath(new URL("./support/relay-process.mjs", import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ["pipe", "ignore", "ignore"] });
    const config = { databaseUrl: this.installation.url("relay"), natsUrl: this.nats.url, leaseMs: 1_000 };
    child.stdin.end(JSON.stringify(config));
    this.#children.push(child);
    return child;
  }

  /** One event after the other on each of `streams` streams of a tenant. */
  async write(
    tenantId: TenantId,
    options: { readonly streams: number; readonly each: number; readonly spec?: object },
  ): Promise<void> {
    const { streams, each, spec = {} } = options;
    const counts = this.written.get(tenantId) ?? new Map<string, number>();
    this.written.set(tenantId, counts);
    for (let n = 0; n < each; n++) {
      const appends = Array.from({ length: streams }, (_, stream) => {
        const aggregateId = `s-${stream}`;
        counts.set(aggregateId, (counts.get(aggregateId) ?? 0) + 1);
        const draft = draftIntent({ tenantId, aggregateId, specText: JSON.stringify({ n, ...spec }) });
        return this.#log.append(appendOf(appending(draft)));
      });
      await Promise.all(appends);
    }
  }

  /** What the JetStream stream holds of a tenant, in its order. */
  async stored(tenantId: TenantId): Promise<readonly Event[]> {
    const connection = await connect({ servers: this.nats.url });
    try {
      const { streams } = await jetstreamManager(connection);
      const events: Event[] = [];
      for (let seq = 1; ; ) {
        const found = { seq, next_by_subj: `eventplane.*.${tenantId}.>` };
        // The client's types do not know next_by_subj of this request; the server does.
        const message = await streams.getMessage(natsStreamName, found as MsgRequest);
        if (message === null) return events;
        events.push(message.json<Event>());
        seq = message.seq + 1;
      }
    } catch (error) {
      // The relay has not made it again yet.
      if (error instanceof Error && error.message === "stream not found") return [];
      throw error;
    } finally {
      await connection.close();
    }
  }

  /** Every event that was written arrived, each stream's versions for the first time in their order. */
  async expectAll(): Promise<void> {
    for (const [tenantId, counts] of this.written) {
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const isWhole = async (): Promise<true | undefined> =>
        new Set((await this.stored(tenantId)).map(({ id }) => id)).size === total ? true : undefined;
      await until(`${total} events of ${tenantId}`, isWhole);
      const events = await this.stored(tenantId);
      for (const [aggregateId, count] of counts) {
        const versions = events.filter((event) => event.aggregateId === aggregateId).map(({ version }) => version);
        expect([...new Set(versions)]).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      }
    }
  }

  async metric(name: string): Promise<number> {
    const line = (await this.metrics.text()).split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length) ?? Number.NaN);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    for (const child of this.#children) if (child.exitCode === null) child.kill("SIGKILL");
    await this.#log.close();
    await this.nats.close();
    await this.installation.close();
  }
}

describe("the relay", () => {
  let scene: Scene;
  beforeAll(async () => {
    buildCommand();
    scene = await Scene.open();
  });
  afterAll(() => scene.close());

  it("hands every event of every tenant over once, in the order of positions, under its subject and id", async () => {
    const tenants = [newTenantId(), newTenantId(), newTenantId()];
    for (const tenantId of tenants) await scene.write(tenantId, { streams: 3, each: 4 });
    scene.relay();
    for (const tenantId of tenants) await scene.write(tenantId, { streams: 3, each: 30 });
    await scene.expectAll();
    const [tenantId] = tenants;
    const events = await scene.stored(tenantId as TenantId);
    expect(events.map(({ position }) => position)).toEqual(Array.from({ length: 102 }, (_, index) => index + 1));
    const row = (await scene.installation.reader.read(tenantId as TenantId, { limit: 1 }))[0];
    expect(events[0]).toMatchObject({ id: row?.id, tenantId, hash: Buffer.from(row?.hash ?? "").toString("hex") });
    const connection = await connect({ servers: scene.nats.url });
    const manager = await jetstreamManager(connection);
    const stored = await manager.streams.getMessage(natsStreamName, { seq: 1 });
    const first = stored?.json<Event>();
    expect(stored?.subject).toBe(`eventplane.intent.${first?.tenantId}.organization.create`);
    expect(stored?.header.get("Nats-Msg-Id")).toBe(`${first?.tenantId}:${first?.id}`);
    await connection.close();
    await until("no lag", async () => ((await scene.metric("eventplane_relay_lag_events")) === 0 ? true : undefined));
  });

  it("attack 5: hands the same event id in two tenants over in both", async () => {
    const tenants = [newTenantId(), newTenantId()];
    const id = randomUUID();
    const log = new Coalescer({
      appender: scene.installation.edge,
      signer: createTestSigner("edge"),
      clock: systemClock,
    });
    for (const tenantId of tenants) await log.append(appendOf(appending(draftIntent({ tenantId, id: id as never }))));
    await log.close();
    for (const tenantId of tenants) {
      const events = await until("the event", async () => {
        const found = await scene.stored(tenantId);
        return found.length > 0 ? found : undefined;
      });
      expect(events).toMatchObject([{ id, tenantId }]);
    }
  });

  it("is not stopped by an event that NATS does not take: a notice says where it is", async () => {
    const tenantId = newTenantId();
    await scene.write(tenantId, { streams: 1, each: 1 });
    await scene.write(tenantId, { streams: 1, each: 1, spec: { text: "x".repeat(bodyMax) } });
    await scene.write(tenantId, { streams: 1, each: 1 });
    scene.written.delete(tenantId); // its notice is no whole event
    await until("three messages", async () => ((await scene.stored(tenantId)).length === 3 ? true : undefined));
    const [before, notice, after] = await scene.stored(tenantId);
    expect([before?.version, after?.version]).toEqual([1, 3]);
    expect(notice).toEqual({
      id: expect.any(String),
      tenantId,
      kind: "intent",
      type: "organization.create",
      position: 2,
      omitted: "payload_too_large",
    });
  });

  it("loses nothing when the server is killed and started again in the middle", { timeout: 90_000 }, async () => {
    const tenants = [newTenantId(), newTenantId()];
    const writing = tenants.map((tenantId) => scene.write(tenantId, { streams: 4, each: 150 }));
    for (let time = 0; time < 3; time++) {
      await systemClock.sleep(150);
      await scene.nats.kill9();
      await systemClock.sleep(100);
      await scene.nats.start();
    }
    await Promise.all(writing);
    await scene.expectAll();
    expect(await scene.metric('eventplane_relay_rewinds_total{reason="reconnect"}')).toBeGreaterThan(0);
  });

  it("fills a server again that lost all of its data", { timeout: 90_000 }, async () => {
    await scene.expectAll();
    await scene.nats.kill9();
    await scene.nats.start({ isWiped: true });
    await scene.write(newTenantId(), { streams: 2, each: 10 });
    await scene.expectAll();
    expect(await scene.metric('eventplane_relay_rewinds_total{reason="refill"}')).toBeGreaterThan(0);
  });

  it("goes back to what was acknowledged long enough ago, and no further", async () => {
    const tenantId = newTenantId();
    const pool = scene.installation.pool("relay");
    const store = new PostgresRelayStore(pool, { holder: randomUUID(), refillMs, syncMs: 1_000 });
    const position = async (): Promise<number> => {
      const sql = "select position::int from eventplane.relay_cursors where tenant_id = $1";
      const [row] = await scene.installation.asSuperuser<{ position: number }>(sql, [tenantId]);
      return row?.position ?? 0;
    };
    await scene.write(tenantId, { streams: 1, each: 10 });
    await until("the cursor at 10", async () => ((await position()) === 10 ? true : undefined));
    const [{ epoch } = { epoch: "" }] = await scene.installation.asSuperuser<{ epoch: string }>(
      "select transport_epoch as epoch from eventplane.relay_cursors where tenant_id = $1",
      [tenantId],
    );
    // As if 4 had been noted two seconds ago, and 8 half a second ago.
    const note = (age: string): Promise<unknown> =>
      scene.installation.asSuperuser(
        `update eventplane.relay_cursors set synced_position = 4, marked_position = 8, marked_at = clock_timestamp() - interval '${age}' where tenant_id = $1`,
        [tenantId],
      );
    await note("0.5 s");
    const before = await scene.metric('eventplane_relay_events_total{result="repeated"}');
    expect(await store.rewind(epoch)).toBeGreaterThan(0);
    await until("the cursor at 10 again", async () => ((await position()) === 10 ? true : undefined));
    await until("six events again", async () =>
      (await scene.metric('eventplane_relay_events_total{result="repeated"}')) >= before + 6 ? true : undefined,
    );
    await until("all to be handed over", async () => ((await store.lag()) === 0 ? true : undefined));
    await scene.installation.asSuperuser(
      "update eventplane.relay_cursors set moved_at = clock_timestamp() - interval '2 s'",
    );
    expect(await store.rewind(epoch)).toBe(0);
  });

  it("stands still, for that tenant alone, where the log is not the one that it handed over", async () => {
    const [tenantId, other] = [newTenantId(), newTenantId()];
    await scene.write(tenantId, { streams: 1, each: 3 });
    await until("three messages", async () => ((await scene.stored(tenantId)).length === 3 ? true : undefined));
    const forged = "update eventplane.relay_cursors set hash = decode(repeat('00', 32), 'hex') where tenant_id = $1";
    await scene.installation.asSuperuser(forged, [tenantId]);
    await scene.write(tenantId, { streams: 1, each: 1 });
    await scene.write(other, { streams: 1, each: 1 });
    await until("the other's event", async () => ((await scene.stored(other)).length === 1 ? true : undefined));
    await until("the reason", async () =>
      scene.relays.some(({ degraded }) => degraded.includes("relay_stopped: tenants 1")) ? true : undefined,
    );
    expect(await scene.stored(tenantId)).toHaveLength(3);
    scene.written.delete(tenantId);
  });
});

describe("several relays", () => {
  it("share the tenants, and one that is killed loses nothing", { timeout: 120_000 }, async () => {
    const scene = await Scene.open();
    try {
      const victims = [scene.relayProcess(), scene.relayProcess()];
      const tenants = Array.from({ length: 4 }, newTenantId);
      const writing = tenants.map((tenantId) => scene.write(tenantId, { streams: 3, each: 80 }));
      const events = await until("the first event", async () => {
        const found = await scene.stored(tenants[0] as TenantId).catch(() => []);
        return found.length > 0 ? found : undefined;
      });
      expect(events.length).toBeGreaterThan(0);
      const [victim] = victims as [ChildProcess, ChildProcess];
      victim.kill("SIGKILL");
      await once(victim, "exit");
      await Promise.all(writing);
      await scene.expectAll();
    } finally {
      await scene.close();
    }
  });
});

describe("a relay that stands still", () => {
  it("for longer than its lease, again and again, loses nothing and turns no order", { timeout: 120_000 }, async () => {
    const scene = await Scene.open();
    try {
      const relays = [scene.relayProcess(), scene.relayProcess()];
      const tenants = Array.from({ length: 4 }, newTenantId);
      const writing = Promise.all(tenants.map((tenantId) => scene.write(tenantId, { streams: 3, each: 120 })));
      for (let round = 0; round < 4; round++) {
        const sleeper = relays[round % 2];
        sleeper?.kill("SIGSTOP");
        await systemClock.sleep(1_500); // its lease is a second
        sleeper?.kill("SIGCONT");
        await systemClock.sleep(100);
      }
      await writing;
      await scene.expectAll();
      // They slept, they did not end.
      expect(relays.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
        [null, null],
        [null, null],
      ]);
    } finally {
      await scene.close();
    }
  });
});

describe("the role of the relay", () => {
  it("reads one tenant at a time, and writes nothing but its cursors", async () => {
    const installation = await installEventplane();
    try {
      const pool = installation.pool("relay");
      expect((await pool.query("select count(*)::int as count from eventplane.events")).rows).toEqual([{ count: 0 }]);
      for (const sql of [
        "select eventplane.append_edge('')",
        "select eventplane.append_derived('')",
        "insert into eventplane.heads (tenant_id) values (gen_random_uuid())",
        "delete from eventplane.relay_cursors",
        "select * from eventplane.resources",
        "update eventplane.cursors set position = 0",
        "select * from eventplane.work",
      ])
        await expect(pool.query(sql), sql).rejects.toMatchObject({ code: "42501" });
    } finally {
      await installation.close();
    }
  });
});

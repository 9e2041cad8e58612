/** Row "settled": what one intent costs until its resource is Ready: bytes and CPU. */

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "../../dist/client/index.js";
import { devTenant, startDevPlane, withDataDir } from "../support/dev-plane.js";
import { cpuMs, serverCpuMs } from "../support/process-usage.js";
import type { Row } from "../support/row.js";

const warmUps = 200;
const intents = 1_000;
const atOnce = 8;

/** A plane with three controllers on the bench's server; eight publishers, each waiting for its answer. */
export const settled: Row = {
  name: "settled",
  group: "settled",
  question: "cost of one settled intent, 3 controllers",
  run: (server) =>
    withDataDir(async (dataDir) => {
      const store = await server.ours();
      const plane = await startDevPlane({
        dataDir,
        app: "plain.config.ts",
        environment: { DATABASE_URL: store.ownerUrl, EVENTPLANE_DATABASE__ROLE_PREFIX: store.rolePrefix },
      });
      const database = new pg.Client({ connectionString: store.superuserUrl });
      await database.connect();
      try {
        const { id, key } = await devTenant(plane, "bench");
        const client = createClient({ baseUrl: plane.url, apiKey: key, tenant: id });
        let next = 0;
        const settle = async (count: number): Promise<void> => {
          const last = next + count;
          const publisher = async (): Promise<void> => {
            while (next < last) {
              const aggregateId = `o-${next++}`;
              await client.publish({
                type: "organization.create",
                aggregateId,
                spec: { name: aggregateId, plan: "team" },
              });
            }
          };
          await Promise.all(Array.from({ length: atOnce }, publisher));
          await untilReady(database, last);
        };
        await settle(warmUps);
        const before = await reading(database, { plane: plane.pid, server: server.cluster.pid });
        const started = performance.now();
        await settle(intents);
        const wallMs = performance.now() - started;
        const after = await reading(database, { plane: plane.pid, server: server.cluster.pid });
        const each = (name: keyof typeof after): number => (after[name] - before[name]) / intents;
        return {
          goals: [],
          details: {
            "bytes on disk": each("bytes"),
            "bytes of WAL": each("wal"),
            events: each("events"),
            "CPU of node, ms": each("nodeMs"),
            "CPU of PostgreSQL, ms": each("postgresMs"),
            transactions: each("transactions"),
            "intents settled a second": (intents * 1000) / wallMs,
          },
        };
      } finally {
        await database.end();
        await plane.stop();
      }
    }),
};

async function untilReady(database: pg.Client, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { rows } = await database.query<{ count: string }>(
      "select count(*) from eventplane.events where type = 'organization.ready'",
    );
    if (Number(rows[0]?.count) >= count) return;
    await sleep(100);
  }
  throw new Error(`not all of ${count} resources became ready in a minute`);
}

interface Reading {
  readonly bytes: number;
  readonly wal: number;
  readonly events: number;
  readonly transactions: number;
  readonly nodeMs: number;
  readonly postgresMs: number;
}

async function reading(
  database: pg.Client,
  pids: { readonly plane: number; readonly server: number },
): Promise<Reading> {
  await database.query("select pg_stat_clear_snapshot(), pg_stat_force_next_flush()");
  const { rows } = await database.query<Record<"bytes" | "wal" | "events" | "transactions", string>>(sizes);
  const [row] = rows;
  if (row === undefined) throw new Error("the database gave no sizes");
  return {
    bytes: Number(row.bytes),
    wal: Number(row.wal),
    events: Number(row.events),
    transactions: Number(row.transactions),
    nodeMs: cpuMs(pids.plane),
    postgresMs: serverCpuMs(pids.server),
  };
}

const sizes = `
select (select sum(pg_total_relation_size(c.oid)) from pg_class c
        where c.relnamespace = 'eventplane'::regnamespace and c.relkind = 'r') as bytes,
       pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal,
       (select count(*) from eventplane.events) as events,
       (select xact_commit from pg_stat_database where datname = current_database()) as transactions`;

/** What work costs a plane and its database: read before and after it. */
import type pg from "pg";
import { cpuMs, serverCpuMs } from "./process-usage.js";

/** Totals since the start. */
export interface Cost {
  /** Of all tables with their indexes. */
  readonly bytes: number;
  readonly wal: number;
  readonly events: number;
  readonly transactions: number;
  readonly nodeMs: number;
  readonly postgresMs: number;
}

/** Reads the totals of these processes and of the database. */
export async function readCost(
  database: pg.Client,
  pids: { readonly planes: readonly number[]; readonly server: number },
): Promise<Cost> {
  await database.query("select pg_stat_clear_snapshot(), pg_stat_force_next_flush()");
  const { rows } = await database.query<Record<"bytes" | "wal" | "events" | "transactions", string>>(sizes);
  const [row] = rows;
  if (row === undefined) throw new Error("the database gave no sizes");
  return {
    bytes: Number(row.bytes),
    wal: Number(row.wal),
    events: Number(row.events),
    transactions: Number(row.transactions),
    nodeMs: pids.planes.reduce((sum, pid) => sum + cpuMs(pid), 0),
    postgresMs: serverCpuMs(pids.server),
  };
}

/** The difference for each of `count` intents, under the names of a row. */
export function costOfEach(before: Cost, after: Cost, count: number): Readonly<Record<string, number>> {
  const each = (name: keyof Cost): number => (after[name] - before[name]) / count;
  return {
    "bytes on disk": each("bytes"),
    "bytes of WAL": each("wal"),
    events: each("events"),
    "CPU of node, ms": each("nodeMs"),
    "CPU of PostgreSQL, ms": each("postgresMs"),
    transactions: each("transactions"),
  };
}

const sizes = `
select (select sum(pg_total_relation_size(c.oid)) from pg_class c
        where c.relnamespace = 'eventplane'::regnamespace and c.relkind = 'r') as bytes,
       pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal,
       (select count(*) from eventplane.events) as events,
       (select xact_commit from pg_stat_database where datname = current_database()) as transactions`;

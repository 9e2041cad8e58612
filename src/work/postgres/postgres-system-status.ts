/** Processes and consumers in PostgreSQL, by the database's clock. */
import type pg from "pg";
import { ask, type NamedStatement } from "../../store/postgres/index.js";
import type {
  ConsumerStatus,
  LeaderStatus,
  ProcessRegister,
  ProcessReport,
  SeenProcess,
  SystemStatus,
  SystemStatusReader,
  WorkStatus,
} from "../system-status.js";

/** Processes that are listed at most, those seen last first. */
const processesMax = 500;

const reportSql: NamedStatement = {
  name: "process_report",
  text: `with gone as (delete from eventplane.processes where seen_at < clock_timestamp() - interval '1 hour')
  insert into eventplane.processes (process_id, name, roles, version, code_version, reasons, degraded)
  values ($1::uuid, $2::text, $3::text[], $4::text, $5::text, $6::text[], $7::text[])
  on conflict (process_id) do update set reasons = excluded.reasons, degraded = excluded.degraded, seen_at = clock_timestamp()`,
};
const leaveSql: NamedStatement = {
  name: "process_leave",
  text: "delete from eventplane.processes where process_id = $1::uuid",
};
const processesSql: NamedStatement = {
  name: "status_processes",
  text: `select process_id::text as "processId", name, roles, version, code_version as "codeVersion", reasons, degraded,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "startedAt",
    extract(epoch from clock_timestamp() - seen_at)::float8 as "seenSeconds"
  from eventplane.processes order by seen_at desc limit ${processesMax}`,
};
const consumersSql: NamedStatement = {
  name: "status_consumers",
  text: `select consumer, tenants::float8, tenants_behind::float8 as "tenantsBehind", events_behind::float8 as "eventsBehind",
    events_behind_max::float8 as "eventsBehindMax" from eventplane.status_consumers() order by consumer`,
};
const workSql: NamedStatement = {
  name: "status_work",
  text: `select component, due::float8, later::float8, leased::float8, dead::float8, oldest_seconds as "oldestSeconds"
  from eventplane.status_work() order by component`,
};
const leadersSql: NamedStatement = {
  name: "status_leaders",
  text: `select projection, process_id::text as "processId", epoch::float8, lease_seconds as "leaseSeconds"
  from eventplane.status_leaders() order by projection`,
};

/** The register, for any role that a process logs in as. The pool belongs to the caller. */
export class PostgresProcessRegister implements ProcessRegister {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async report(process: ProcessReport): Promise<void> {
    const { processId, name, roles, version, codeVersion, reasons, degraded } = process;
    await ask(this.#pool, reportSql, [processId, name, roles, version, codeVersion, reasons, degraded]);
  }

  async leave(processId: string): Promise<void> {
    await ask(this.#pool, leaveSql, [processId]);
  }
}

/** The status, for the role `_edge`. The pool belongs to the caller. */
export class PostgresSystemStatus implements SystemStatusReader {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async status(): Promise<SystemStatus> {
    const [processes, consumers, work, leaders] = await Promise.all([
      ask<SeenProcess & pg.QueryResultRow>(this.#pool, processesSql, []),
      ask<ConsumerStatus & pg.QueryResultRow>(this.#pool, consumersSql, []),
      ask<WorkStatus & pg.QueryResultRow>(this.#pool, workSql, []),
      ask<LeaderStatus & pg.QueryResultRow>(this.#pool, leadersSql, []),
    ]);
    return { processes, consumers, work, leaders };
  }
}

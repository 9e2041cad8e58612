/** The SQL of dead letters: one constant a statement, with its row and decoder. */
import type { TenantId } from "../../kernel/index.js";
import { deadLetterId } from "../dead-letter-id.js";
import type { DeadLetter, DeadLetterFilter, DeadLetterGroup, StandingWork } from "../port.js";

interface Statement {
  readonly name: string;
  readonly text: string;
}

const columns = `w.tenant_id, w.aggregate_type, w.aggregate_id, w.component, w.attempts, w.stream_type, w.stream_id,
  w.failure_code, w.failure_message, w.failed_generation, w.failed_code_version,
  to_char(w.dead_since at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as since,
  case when w.sequence is null then greatest(0, w.woken_seq - w.claimed_seq) else (
    select count(*) from eventplane.work b
    where b.tenant_id = w.tenant_id and b.component = w.component
      and b.stream_type = w.stream_type and b.stream_id = w.stream_id and b.stream_generation = w.stream_generation
      and b.state = 'blocked' and b.sequence > w.sequence) end as waiting`;

/** $1 tenant, $2–$8 members of the filter or null. */
const filtered = `w.tenant_id = $1::uuid and w.state = 'dead'
  and ($2::text is null or w.component = $2::text)
  and ($3::text is null or w.failure_code = $3::text)
  and ($4::text is null or w.failed_code_version = $4::text)
  and ($5::text is null or coalesce(w.stream_type, w.aggregate_type) = $5::text)
  and ($6::text is null or coalesce(w.stream_id, w.aggregate_id) = $6::text)
  and ($7::bigint is null or w.dead_since >= to_timestamp(0) + $7::bigint * interval '1 microsecond')
  and ($8::bigint is null or w.dead_since < to_timestamp(0) + $8::bigint * interval '1 microsecond')`;

/** As `filtered`, $9 how many. */
export const deadLetters: Statement = {
  name: "ep_work_dead_letters",
  text: `select ${columns} from eventplane.work w where ${filtered}
    order by w.dead_since desc, w.sequence desc, w.aggregate_type, w.aggregate_id, w.component limit $9::int`,
};

/** $1 tenant, $2 id. */
export const deadLetter: Statement = {
  name: "ep_work_dead_letter",
  text: `select ${columns} from eventplane.work w
    where w.tenant_id = $1::uuid and w.state = 'dead' and w.dead_letter_id = $2::uuid`,
};

/** As `filtered`. */
export const deadLetterGroups: Statement = {
  name: "ep_work_dead_letter_groups",
  text: `select w.component, w.failure_code, w.failed_code_version, count(*)::integer as count,
      to_char(min(w.dead_since) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as oldest,
      to_char(max(w.dead_since) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as newest
    from eventplane.work w where ${filtered}
    group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit 1000`,
};

/** $1 the code of held effects. Over all tenants. */
export const standing: Statement = {
  name: "ep_work_standing",
  text: `select component, failure_code = $1::text as held, count(*)::integer as count
    from eventplane.work where state = 'dead' group by 1, 2 order by 1, 2`,
};

/** The parameters $1 to $8 of a filter. */
export function filterValues(tenantId: TenantId, filter: DeadLetterFilter): readonly unknown[] {
  const { component, code, codeVersion, aggregateType, aggregateId, sinceFromUs, sinceBeforeUs } = filter;
  const members = [component, code, codeVersion, aggregateType, aggregateId, sinceFromUs, sinceBeforeUs];
  return [tenantId, ...members.map((member) => member ?? null)];
}

/** One row of `deadLetters` and `deadLetter`; a bigint comes as text. */
export interface DeadLetterRow {
  readonly tenant_id: TenantId;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly component: string;
  readonly attempts: number;
  readonly stream_type: string | null;
  readonly stream_id: string | null;
  readonly failure_code: string;
  readonly failure_message: string;
  readonly failed_generation: string | null;
  readonly failed_code_version: string | null;
  readonly since: string;
  readonly waiting: string;
}

/** The dead letter that a row tells of. */
export function decodeDeadLetter(row: DeadLetterRow): DeadLetter {
  const { aggregate_type: aggregateType, aggregate_id: aggregateId } = row;
  const key = { tenantId: row.tenant_id, aggregateType, aggregateId, component: row.component };
  return {
    ...key,
    id: deadLetterId(key),
    resource: { aggregateType: row.stream_type ?? aggregateType, aggregateId: row.stream_id ?? aggregateId },
    attempts: row.attempts,
    failure: { code: row.failure_code, message: row.failure_message },
    codeVersion: row.failed_code_version ?? "",
    generation: Number(row.failed_generation ?? 0),
    since: row.since,
    waiting: Number(row.waiting),
  };
}

/** One row of `deadLetterGroups`. */
export interface DeadLetterGroupRow {
  readonly component: string;
  readonly failure_code: string;
  readonly failed_code_version: string | null;
  readonly count: number;
  readonly oldest: string;
  readonly newest: string;
}

/** The group that a row tells of. */
export function decodeDeadLetterGroup(row: DeadLetterGroupRow): DeadLetterGroup {
  const { component, count, oldest, newest } = row;
  return { component, code: row.failure_code, codeVersion: row.failed_code_version ?? "", count, oldest, newest };
}

/** One row of `standing`. */
export interface StandingSqlRow {
  readonly component: string;
  readonly held: boolean;
  readonly count: number;
}

/** The count that a row tells of. */
export function decodeStanding({ component, held, count }: StandingSqlRow): StandingWork {
  return { component, state: held ? "held" : "dead", count };
}

/** The SQL of changes of controllers: rows that go, how far the platform's facts were acted on, what there is to do. */
import type { ControllerRows } from "../port.js";

/** $1–$4 key. */
export const forget = {
  name: "ep_work_forget",
  text: `delete from eventplane.work
    where tenant_id = $1::uuid and aggregate_type = $2::text and aggregate_id = $3::text and component = $4::text
      and lease_token is null`,
} as const;

/** $1 the platform's tenant. */
export const changesPlace = {
  name: "ep_work_changes_place",
  text: "select log_epoch, position, hash from eventplane.cursors where consumer = 'changes' and tenant_id = $1::uuid",
} as const;

/** $1 the platform's tenant, $2 position that it moves from (0: there is none yet), $3–$5 epoch, position and hash. */
export const moveChanges = {
  name: "ep_work_move_changes",
  text: `insert into eventplane.cursors as c (consumer, tenant_id, log_epoch, position, hash)
    values ('changes', $1::uuid, $3::int, $4::bigint, $5::bytea)
    on conflict (consumer, tenant_id) do update set
      log_epoch = excluded.log_epoch, position = excluded.position, hash = excluded.hash
    where c.position = $2::bigint
    returning true as moved`,
} as const;

/** $1 tenant. */
export const controllerRows = {
  name: "ep_work_controller_rows",
  text: `select w.component,
      (count(*) filter (where w.state = 'ready'))::int as waiting,
      (count(*) filter (where w.state = 'dead'))::int as dead_letters,
      greatest(0, coalesce(extract(epoch from clock_timestamp()
        - min(w.due_at) filter (where w.state = 'ready' and w.lease_token is null)), 0))::double precision as oldest_seconds
    from eventplane.work w
    where w.tenant_id = $1::uuid and w.aggregate_type <> 'effect' and w.state <> 'idle'
      and w.component not like 'webhook:%'
    group by w.component
    order by w.component`,
} as const;

/** $1 components that are attended to, $2 milliseconds. */
export const unattended = {
  name: "ep_work_unattended",
  text: `select due.component, count(*)::int as rows,
      extract(epoch from clock_timestamp() - min(due.due_at))::double precision as oldest_seconds
    from (select w.component, w.due_at from eventplane.work w
          where w.state = 'ready' and w.queue = '' and w.lease_token is null
            and w.due_at <= clock_timestamp() - $2::bigint * interval '1 millisecond' and w.component <> all ($1::text[])
          limit 10000) due
    group by due.component
    order by due.component`,
} as const;

/** One row of `unattended`. */
export interface UnattendedSqlRow {
  readonly component: string;
  readonly rows: number;
  readonly oldest_seconds: number;
}

/** One row of `controllerRows`. */
export interface ControllerSqlRow {
  readonly component: string;
  readonly waiting: number;
  readonly dead_letters: number;
  readonly oldest_seconds: number;
}

/** What a row says. */
export function decodeControllerRow(row: ControllerSqlRow): ControllerRows {
  const { component, waiting, dead_letters: deadLetters, oldest_seconds: oldestSeconds } = row;
  return { component, waiting, deadLetters, oldestSeconds };
}

-- Work rows, leases, timers, dead letters and consumers' cursors: bookkeeping (docs/operating/bookkeeping.md), never the
-- record. Every row can be made again from the log. Times are the database's.

create table eventplane.cursors (
  consumer text collate "C" not null,
  tenant_id uuid not null,
  log_epoch integer not null,
  position bigint not null,
  hash bytea not null check (length(hash) = 32),
  primary key (consumer, tenant_id)
) with (fillfactor = 50);

create table eventplane.work (
  tenant_id uuid not null,
  aggregate_type text collate "C" not null,
  aggregate_id text collate "C" not null,
  component text collate "C" not null,
  -- '' holds the reconciles; each worker has a queue of its own, and replays have one: a queue that stands still is not
  -- walked through for another.
  queue text collate "C" not null
    generated always as (case when aggregate_type = 'effect' or component = 'replayer' then component else '' end) stored,
  -- idle: nothing to do. ready: to be claimed when due_at has come; a lease moves due_at to its end. dead: a dead letter.
  -- blocked: an effect that waits behind a dead letter.
  state text collate "C" not null check (state in ('idle', 'ready', 'dead', 'blocked')),
  due_at timestamptz,
  lease_token uuid,
  lease_until timestamptz,
  attempts integer not null default 0,
  -- Stream version of the newest event that woke the row, and the newest version that its component has certainly seen.
  woken_seq bigint not null default 0,
  claimed_seq bigint not null default 0,
  -- Generation opened by the newest spec-bearing event that woke the row.
  woken_generation bigint not null default 0,
  failure_code text,
  failure_message text,
  failed_generation bigint,
  failed_code_version text collate "C",
  dead_since timestamptz,
  -- The name that a dead letter has outside.
  dead_letter_id uuid,
  -- Of an effect: the resource that asked, its generation, and the position of the ask. What a resource asks of one worker
  -- in one generation is a sequence.
  stream_type text collate "C",
  stream_id text collate "C",
  stream_generation bigint,
  sequence bigint,
  -- It was a dead letter, or waited behind one, and has no result: what comes after it in its sequence waits.
  blocks boolean not null default false,
  primary key (tenant_id, aggregate_type, aggregate_id, component),
  check ((state = 'ready') = (due_at is not null)),
  check ((state = 'dead') = (dead_since is not null))
) with (fillfactor = 70);

create index work_due on eventplane.work (tenant_id, queue, due_at) where state = 'ready';
create index work_dead on eventplane.work (tenant_id, dead_since) where state = 'dead';
create index work_dead_letter on eventplane.work (tenant_id, dead_letter_id) where state = 'dead';
-- What stands is counted for metrics, whoever it is of.
create index work_standing on eventplane.work (component, failure_code) where state = 'dead';
create index work_sequence on eventplane.work
  (tenant_id, component, stream_type, stream_id, stream_generation, sequence) where sequence is not null;

alter table eventplane.cursors enable row level security;
alter table eventplane.cursors force row level security;
alter table eventplane.work enable row level security;
alter table eventplane.work force row level security;

create policy work_runtime on eventplane.work to :prefix_runtime using (true) with check (true);
create policy work_appender on eventplane.work to :prefix_appender using (true) with check (true);
create policy work_dead_letters on eventplane.work for select to :prefix_edge
  using (state = 'dead' and tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy cursors_runtime on eventplane.cursors to :prefix_runtime
  using (consumer = 'work') with check (consumer = 'work');

-- Who works for all tenants finds those with news; a head tells how long a log is, not what is in it.
create policy news on eventplane.heads for select to :prefix_runtime, :prefix_projector using (true);

grant select, insert, update, delete on eventplane.work to :prefix_runtime;
grant select, update on eventplane.work to :prefix_appender;
grant select on eventplane.work to :prefix_edge;
grant select, insert, update on eventplane.cursors to :prefix_runtime;

-- Called by append_derived inside the append's transaction, when the append's conditions hold. So the decider has seen
-- the whole stream as it is now, and only an event that it could not see keeps the row due. False: the lease is lost.
create function eventplane.work_settle(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid, p_due_after_ms bigint
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_seen bigint;
  v_now timestamptz := clock_timestamp();
begin
  select e.version into v_seen from eventplane.events e
    where e.tenant_id = p_tenant and e.aggregate_type = p_aggregate_type and e.aggregate_id = p_aggregate_id
    order by e.version desc limit 1;
  update eventplane.work w set
    state = case when w.woken_seq > v_seen or p_due_after_ms is not null then 'ready' else 'idle' end,
    due_at = case when w.woken_seq > v_seen then v_now else v_now + p_due_after_ms * interval '1 millisecond' end,
    lease_token = null, lease_until = null, attempts = 0, claimed_seq = greatest(w.claimed_seq, v_seen),
    failure_code = null, failure_message = null, failed_generation = null
  where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
    and w.component = p_component and w.lease_token = p_lease_token;
  return found;
end $$;

-- Ends a claim without an append. p_seen: the version that was looked at, which may be older than what the row was claimed
-- for: a row woken by anything after it is due again. False: the lease is lost.
create function eventplane.work_finish(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid, p_due_after_ms bigint,
  p_seen bigint
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  update eventplane.work w set
    state = case when w.woken_seq > p_seen or p_due_after_ms is not null then 'ready' else 'idle' end,
    due_at = case when w.woken_seq > p_seen then v_now else v_now + p_due_after_ms * interval '1 millisecond' end,
    lease_token = null, lease_until = null, attempts = 0, claimed_seq = greatest(w.claimed_seq, p_seen),
    failure_code = null, failure_message = null, failed_generation = null
  where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
    and w.component = p_component and w.lease_token = p_lease_token;
  return found;
end $$;

-- Ends claims of one stream in one commit, each as work_finish does; returns the components whose rows it ended. The row
-- of p_settled was closed by the append that came before, which could not tell that its component has seen what was
-- appended with it; nobody may have taken it up since.
create function eventplane.work_finish_together(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_components text[], p_lease_tokens uuid[],
  p_due_after_ms bigint[], p_seen bigint[], p_settled text
) returns setof text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  with held as materialized (
    select w.component from eventplane.work w
    where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
      and w.component = any (p_components)
    order by w.component for update
  )
  update eventplane.work w set
    state = case when w.woken_seq > c.seen or c.due_after_ms is not null then 'ready' else 'idle' end,
    due_at = case when w.woken_seq > c.seen then v_now else v_now + c.due_after_ms * interval '1 millisecond' end,
    lease_token = null, lease_until = null, attempts = 0, claimed_seq = greatest(w.claimed_seq, c.seen),
    failure_code = null, failure_message = null, failed_generation = null
  from held h
  join unnest(p_components, p_lease_tokens, p_due_after_ms, p_seen) c (component, lease_token, due_after_ms, seen)
    on c.component = h.component
  where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
    and w.component = h.component
    and (w.lease_token = c.lease_token
      or (w.component = p_settled and w.lease_token is null and w.state <> 'dead' and w.claimed_seq < c.seen))
  returning w.component;
end $$;

-- Hands a claim back as if it had not been made. False: the lease is lost.
create function eventplane.work_release(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid, p_due_after_ms bigint
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update eventplane.work w set
    due_at = clock_timestamp() + p_due_after_ms * interval '1 millisecond',
    lease_token = null, lease_until = null, attempts = greatest(0, w.attempts - 1)
  where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
    and w.component = p_component and w.lease_token = p_lease_token;
  return found;
end $$;

-- Prolongs the leases that are still held; a row that is locked is being settled.
create function eventplane.work_extend(
  p_tenants uuid[], p_aggregate_types text[], p_aggregate_ids text[], p_components text[], p_lease_tokens uuid[],
  p_lease_ms bigint
) returns setof uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz := clock_timestamp() + p_lease_ms * interval '1 millisecond';
begin
  return query
  with held as materialized (
    select h.*
    from unnest(p_tenants, p_aggregate_types, p_aggregate_ids, p_components, p_lease_tokens)
      c (tenant_id, aggregate_type, aggregate_id, component, lease_token)
    cross join lateral (
      select w.tenant_id, w.aggregate_type, w.aggregate_id, w.component from eventplane.work w
      where w.tenant_id = c.tenant_id and w.aggregate_type = c.aggregate_type and w.aggregate_id = c.aggregate_id
        and w.component = c.component and w.lease_token = c.lease_token
      for update skip locked) h
  )
  update eventplane.work w set lease_until = v_until, due_at = v_until
  from held h
  where w.tenant_id = h.tenant_id and w.aggregate_type = h.aggregate_type and w.aggregate_id = h.aggregate_id
    and w.component = h.component
  returning w.lease_token;
end $$;

-- Records a failed attempt: due again after p_retry_after_ms, or a dead letter when that is null, unless an event opened a
-- newer generation than p_generation meanwhile, or somebody decided on the effect; a null generation: it is not known, and
-- none does. What the same resource asked of the same worker later in its generation waits behind a dead letter from then
-- on, unless it is worked on already. False: the lease is lost.
create function eventplane.work_fail(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid, p_retry_after_ms bigint,
  p_code text, p_message text, p_generation bigint, p_code_version text, p_letter uuid
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_row eventplane.work;
begin
  update eventplane.work w set
    state = case when p_retry_after_ms is null and not n.news then 'dead' else 'ready' end,
    due_at = case
      when n.news then v_now
      when p_retry_after_ms is not null then v_now + p_retry_after_ms * interval '1 millisecond' end,
    dead_since = case when p_retry_after_ms is null and not n.news then v_now end,
    attempts = case when n.news then 0 else w.attempts end,
    lease_token = null, lease_until = null,
    failure_code = p_code, failure_message = p_message, failed_generation = p_generation,
    failed_code_version = p_code_version, dead_letter_id = p_letter,
    blocks = w.blocks or (w.sequence is not null and p_retry_after_ms is null and not n.news)
  from (
    select o.tenant_id, o.aggregate_type, o.aggregate_id, o.component,
      (o.woken_generation > p_generation) is true or (o.queue <> '' and o.woken_seq > o.claimed_seq) as news
    from eventplane.work o
    where o.tenant_id = p_tenant and o.aggregate_type = p_aggregate_type and o.aggregate_id = p_aggregate_id
      and o.component = p_component and o.lease_token = p_lease_token
    for update) n
  where w.tenant_id = n.tenant_id and w.aggregate_type = n.aggregate_type and w.aggregate_id = n.aggregate_id
    and w.component = n.component
  returning w.* into v_row;
  if not found then return false; end if;
  if v_row.state = 'dead' and v_row.sequence is not null then
    with later as materialized (
      select l.tenant_id, l.aggregate_type, l.aggregate_id, l.component from eventplane.work l
      where l.tenant_id = p_tenant and l.component = p_component
        and l.stream_type = v_row.stream_type and l.stream_id = v_row.stream_id
        and l.stream_generation = v_row.stream_generation and l.sequence > v_row.sequence
        -- Ready; said so that no plan but the one over the sequence fits.
        and l.due_at is not null and l.lease_token is null
      for update skip locked
    )
    update eventplane.work w set state = 'blocked', due_at = null
    from later l
    where w.tenant_id = l.tenant_id and w.aggregate_type = l.aggregate_type and w.aggregate_id = l.aggregate_id
      and w.component = l.component;
  end if;
  return true;
end $$;

-- Leases due rows of one queue: from each tenant after p_after in turn an equal share, oldest due first. A lease that
-- ended is due; `abandoned` says that its holder did not end it.
create function eventplane.work_claim(p_queue text, p_components text[], p_limit integer, p_lease_ms bigint, p_after uuid)
returns table (tenant_id uuid, aggregate_type text, aggregate_id text, component text, lease_token uuid, attempts integer,
  abandoned boolean)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_until timestamptz := v_now + p_lease_ms * interval '1 millisecond';
  v_tenants uuid[];
  v_share integer;
begin
  with recursive ring (tenant_id) as (
    (select w.tenant_id from eventplane.work w where w.state = 'ready' and w.tenant_id > p_after order by w.tenant_id limit 1)
    union all
    select (select w.tenant_id from eventplane.work w where w.state = 'ready' and w.tenant_id > r.tenant_id
            order by w.tenant_id limit 1)
    from ring r where r.tenant_id is not null
  )
  select array_agg(d.tenant_id) into v_tenants from (
    select r.tenant_id from ring r where (
      -- Ordered, so that no plan but the one over work_due fits.
      select w.due_at from eventplane.work w
      where w.tenant_id = r.tenant_id and w.queue = p_queue and w.state = 'ready' and w.component = any (p_components)
      order by w.due_at limit 1) <= v_now
    limit p_limit) d;
  if v_tenants is null then return; end if;
  v_share := greatest(1, p_limit / array_length(v_tenants, 1));
  return query
  with picked as materialized (
    select t.tenant_id, d.aggregate_type, d.aggregate_id, d.component, d.abandoned
    from unnest(v_tenants) t (tenant_id)
    cross join lateral (
      select w.aggregate_type, w.aggregate_id, w.component, w.lease_token is not null as abandoned from eventplane.work w
      where w.tenant_id = t.tenant_id and w.queue = p_queue and w.state = 'ready' and w.due_at <= v_now
        and w.component = any (p_components)
      order by w.due_at limit v_share for update skip locked) d
  )
  update eventplane.work w set
    lease_token = gen_random_uuid(), lease_until = v_until, due_at = v_until, attempts = w.attempts + 1,
    claimed_seq = greatest(w.claimed_seq, w.woken_seq)
  from picked p
  where w.tenant_id = p.tenant_id and w.aggregate_type = p.aggregate_type and w.aggregate_id = p.aggregate_id
    and w.component = p.component
  returning w.tenant_id, w.aggregate_type, w.aggregate_id, w.component, w.lease_token, w.attempts, p.abandoned;
end $$;

-- When the next row of these queues is due, as milliseconds from now; null when none waits. One index look-up a tenant
-- and queue.
create function eventplane.work_next_due_ms(p_queues text[], p_components text[]) returns double precision
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  with recursive ring (tenant_id) as (
    (select w.tenant_id from eventplane.work w where w.state = 'ready' order by w.tenant_id limit 1)
    union all
    select (select w.tenant_id from eventplane.work w where w.state = 'ready' and w.tenant_id > r.tenant_id
            order by w.tenant_id limit 1)
    from ring r where r.tenant_id is not null
  )
  select greatest(0, extract(epoch from min(d.due_at) - clock_timestamp()) * 1000)::double precision
  from ring r cross join unnest(p_queues) q (queue) cross join lateral (
    select w.due_at from eventplane.work w
    where w.tenant_id = r.tenant_id and w.queue = q.queue and w.state = 'ready' and w.component = any (p_components)
    order by w.due_at limit 1) d
  having count(*) > 0
$$;

-- Turns the next events of a tenant into due rows and moves the cursor. A process that finds the cursor locked leaves the
-- tenant to the one that has it. chain_broken: the log does not continue where the cursor stands; nothing was done.
create function eventplane.work_dispatch(p_tenant uuid, p_types text[], p_components text[], p_limit integer)
returns table (events bigint, more boolean, chain_broken boolean)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_head eventplane.heads;
  v_cursor eventplane.cursors;
  v_to bigint;
  v_hash bytea;
  v_of_dead_letters boolean;
  v_of_deletions boolean;
begin
  perform set_config('eventplane.tenant_id', p_tenant::text, true);
  -- An append that settles many rows may wait for a row that is woken here while it holds another: give way quickly.
  perform set_config('lock_timeout', '100ms', true);
  select h.* into v_head from eventplane.heads h where h.tenant_id = p_tenant;
  if not found or v_head.position = 0 then return query select 0::bigint, false, false; return; end if;
  select c.* into v_cursor from eventplane.cursors c
    where c.consumer = 'work' and c.tenant_id = p_tenant for update skip locked;
  if not found then
    insert into eventplane.cursors (consumer, tenant_id, log_epoch, position, hash)
      values ('work', p_tenant, v_head.log_epoch, 0, eventplane.genesis_hash(p_tenant, v_head.log_epoch))
      on conflict do nothing returning cursors.* into v_cursor;
    if not found then return query select 0::bigint, false, false; return; end if;
  end if;
  v_to := least(v_head.position, v_cursor.position + p_limit);
  if v_to <= v_cursor.position and v_head.log_epoch = v_cursor.log_epoch then
    return query select 0::bigint, false, v_head.position < v_cursor.position; return;
  end if;
  select e.hash into v_hash from eventplane.events e where e.tenant_id = p_tenant and e.position = v_to;
  if v_hash is null or v_head.log_epoch <> v_cursor.log_epoch or v_cursor.position > 0 and not exists (
    select from eventplane.events e
    where e.tenant_id = p_tenant and e.position = v_cursor.position and e.hash = v_cursor.hash)
  then
    return query select 0::bigint, false, true; return;
  end if;

  -- The events are read in the order of positions and with a limit wherever they are: without both, some plans walk the
  -- whole log of the tenant in the order of streams for a handful of events.
  select bool_or(e.aggregate_type = 'dead-letter'), bool_or(e.lifecycle = 'x') into v_of_dead_letters, v_of_deletions
  from (
    select e.aggregate_type, e.lifecycle from eventplane.events e
    where e.tenant_id = p_tenant and e.position > v_cursor.position and e.position <= v_to
    order by e.position limit p_limit) e;

  -- The last word on each dead letter.
  if v_of_dead_letters then
    with facts as materialized (
      select distinct on (e.spec ->> 'aggregateType', e.spec ->> 'aggregateId', e.spec ->> 'component')
        p_tenant as tenant_id, e.spec ->> 'aggregateType' as aggregate_type, e.spec ->> 'aggregateId' as aggregate_id,
        e.spec ->> 'component' as component, e.type = 'dead-letter.redriven' as redriven,
        case when e.spec ->> 'delayMs' ~ '^[0-9]{1,9}$' then (e.spec ->> 'delayMs')::bigint else 0 end as delay_ms
      from (
        select e.position, e.aggregate_type, e.type, e.spec from eventplane.events e
        where e.tenant_id = p_tenant and e.position > v_cursor.position and e.position <= v_to
        order by e.position limit p_limit) e
      where e.aggregate_type = 'dead-letter' and e.type in ('dead-letter.redriven', 'dead-letter.discarded')
        -- No name has an escape; one that is no text would stop the dispatch of this tenant for ever.
        and strpos(e.spec::text, chr(92)) = 0
      order by e.spec ->> 'aggregateType', e.spec ->> 'aggregateId', e.spec ->> 'component', e.position desc
    ), letters as materialized (
      -- The whole key from the facts, and not by the state: a plan over all dead letters would walk them for each.
      select f.tenant_id, f.aggregate_type, f.aggregate_id, f.component, f.redriven, f.delay_ms, l.has_blocker
      from facts f
      cross join lateral (
        select o.blocks and exists (
          select from eventplane.work b
          where b.tenant_id = o.tenant_id and b.component = o.component
            and b.stream_type = o.stream_type and b.stream_id = o.stream_id and b.stream_generation = o.stream_generation
            and b.blocks and b.sequence < o.sequence) as has_blocker
        from eventplane.work o
        where o.tenant_id = f.tenant_id and o.aggregate_type = f.aggregate_type and o.aggregate_id = f.aggregate_id
          and o.component = f.component and o.dead_since is not null
        limit 1) l
    )
    update eventplane.work w set
      state = case when not f.redriven then 'idle' when f.has_blocker then 'blocked' else 'ready' end,
      due_at = case when f.redriven and not f.has_blocker then v_now + f.delay_ms * interval '1 millisecond' end,
      attempts = 0, dead_since = null, failure_code = null, failure_message = null, failed_generation = null
    from letters f
    where w.tenant_id = f.tenant_id and w.aggregate_type = f.aggregate_type and w.aggregate_id = f.aggregate_id
      and w.component = f.component and w.dead_since is not null;
  end if;

  insert into eventplane.work as w
    (tenant_id, aggregate_type, aggregate_id, component, state, due_at, woken_seq, woken_generation)
  select p_tenant, n.aggregate_type, n.aggregate_id, t.component, 'ready', v_now, max(n.version), max(n.opened)
  from (
    select e.aggregate_type, e.aggregate_id, e.version, e.component as maker, e.causation_id, e.kind, e.lifecycle,
      case when e.kind = 'i' or (e.kind = 'f' and e.source is not null) then e.generation else 0 end as opened,
      e.finalizers
    from eventplane.events e
    where e.tenant_id = p_tenant and e.position > v_cursor.position and e.position <= v_to
    order by e.position limit p_limit
  ) n
  cross join lateral (
    select w.component from unnest(p_types, p_components) w (aggregate_type, component)
      where w.aggregate_type = n.aggregate_type and w.component is distinct from n.maker
        and (n.opened > 0 or (n.maker like '%:%') is not true)
    union all
    -- What became of an effect concerns the controller that asked for it, whether or not it is among the watches.
    select a.spec ->> 'controller' from eventplane.events a
      where a.tenant_id = p_tenant and a.event_id = n.causation_id and a.component like 'ask:%'
        and (n.maker like 'effect:%' or n.maker like 'unknown:%') and a.spec ->> 'controller' is not null
    union all
    -- Those that the generation waits for: this process may be of another version than the edge that expects them.
    select f.name from json_object_keys(n.finalizers) f (name) where n.opened > 0 and octet_length(f.name) <= 128
    union all
    select 'runtime' where n.opened > 0 and n.finalizers is null
  ) t
  where n.lifecycle in ('l', 'd')
    and (n.opened > 0 or (n.maker is not null and n.maker <> 'runtime' and n.maker not like 'dead-letter:%' and n.maker not like 'ask:%'))
  group by n.aggregate_type, n.aggregate_id, t.component
  order by n.aggregate_type, n.aggregate_id, t.component
  on conflict (tenant_id, aggregate_type, aggregate_id, component) do update set
    woken_seq = greatest(w.woken_seq, excluded.woken_seq),
    woken_generation = greatest(w.woken_generation, excluded.woken_generation),
    attempts = case when excluded.woken_generation > w.woken_generation then 0 else w.attempts end,
    state = case
      when w.state = 'dead' and (excluded.woken_generation > w.failed_generation) is not true then 'dead'
      when w.state <> 'dead' and excluded.woken_seq <= w.claimed_seq then w.state
      else 'ready' end,
    due_at = case
      when w.state = 'dead' and (excluded.woken_generation > w.failed_generation) is not true then null
      -- Seen already, or leased: the lease's end decides.
      when w.state <> 'dead' and excluded.woken_seq <= w.claimed_seq then w.due_at
      when w.lease_until > v_now then w.due_at
      -- Only a new wish ends a backoff early.
      when w.state = 'ready' and w.attempts > 0 and excluded.woken_generation <= w.woken_generation then w.due_at
      else v_now end,
    dead_since = case
      when w.state = 'dead' and (excluded.woken_generation > w.failed_generation) is not true then w.dead_since end;

  -- Nobody works on what is deleted.
  if v_of_deletions then
    delete from eventplane.work w using (
      select distinct on (e.aggregate_type, e.aggregate_id) e.aggregate_type, e.aggregate_id, e.lifecycle
      from (
        select e.aggregate_type, e.aggregate_id, e.version, e.lifecycle from eventplane.events e
        where e.tenant_id = p_tenant and e.position > v_cursor.position and e.position <= v_to
        order by e.position limit p_limit) e
      order by e.aggregate_type, e.aggregate_id, e.version desc) l
    where l.lifecycle = 'x'
      and w.tenant_id = p_tenant and w.aggregate_type = l.aggregate_type and w.aggregate_id = l.aggregate_id;
  end if;

  update eventplane.cursors c set position = v_to, hash = v_hash where c.consumer = 'work' and c.tenant_id = p_tenant;
  return query select v_to - v_cursor.position, v_to < v_head.position, false;
end $$;

revoke all on function eventplane.work_settle from public;
revoke all on function eventplane.work_finish from public;
revoke all on function eventplane.work_finish_together from public;
revoke all on function eventplane.work_release from public;
revoke all on function eventplane.work_extend from public;
revoke all on function eventplane.work_fail from public;
revoke all on function eventplane.work_claim from public;
revoke all on function eventplane.work_next_due_ms from public;
revoke all on function eventplane.work_dispatch from public;
grant execute on function eventplane.work_settle to :prefix_appender;
grant execute on function eventplane.work_finish to :prefix_runtime;
grant execute on function eventplane.work_finish_together to :prefix_runtime;
grant execute on function eventplane.work_release to :prefix_runtime;
grant execute on function eventplane.work_extend to :prefix_runtime;
grant execute on function eventplane.work_fail to :prefix_runtime;
grant execute on function eventplane.work_claim to :prefix_runtime;
grant execute on function eventplane.work_next_due_ms to :prefix_runtime;
grant execute on function eventplane.work_dispatch to :prefix_runtime;

analyze eventplane.work;
analyze eventplane.cursors;

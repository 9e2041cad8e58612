-- Dead letters: which code made them, and what waits behind them (docs/adr/0021-dead-letters-and-replays.md).

alter table eventplane.work
  -- Of the last failure: the name that a dead letter has outside, and the version of the app's code that failed.
  add column dead_letter_id uuid,
  add column failed_code_version text collate "C",
  -- Of an effect: the resource that asked, its generation, and the position of the ask. What a resource asks of one worker
  -- in one generation is a sequence.
  add column stream_type text collate "C",
  add column stream_id text collate "C",
  add column stream_generation bigint,
  add column sequence bigint,
  -- It was a dead letter, or waited behind one, and has no result: what comes after it in its sequence waits.
  add column blocks boolean not null default false,
  drop constraint work_state_check,
  -- blocked: an effect that waits behind a dead letter.
  add constraint work_state_check check (state in ('idle', 'ready', 'dead', 'blocked'));

create index work_dead_letter on eventplane.work (tenant_id, dead_letter_id) where state = 'dead';
create index work_sequence on eventplane.work
  (tenant_id, component, stream_type, stream_id, stream_generation, sequence) where sequence is not null;

-- Records a failed attempt: due again after p_retry_after_ms, or a dead letter when that is null, unless an event opened a
-- newer generation than p_generation meanwhile, or somebody decided on the effect; a null generation: it is not known, and
-- none does. What the same resource asked of the same worker later in its generation waits behind a dead letter from then
-- on, unless it is worked on already. False: the lease is lost.
drop function eventplane.work_fail(uuid, text, text, text, uuid, bigint, text, text, bigint);
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

-- What the events after p_from up to p_position mean for the rows of effects, and the place moved, in one commit. The
-- columns are of ask, component, change (asked, decided, ended), position, and the resource that asked with its generation.
-- An ask waits behind what its resource asked of the same worker before and a dead letter has held up; when that ends, the
-- next one gets its turn, and holds up the rest until it has ended too. False: another process has done so.
drop function eventplane.effect_dispatch(uuid, bigint, integer, bigint, bytea, text[], text[], text[], bigint[]);
create function eventplane.effect_dispatch(
  p_tenant uuid, p_from bigint, p_epoch integer, p_position bigint, p_hash bytea,
  p_asks text[], p_components text[], p_changes text[], p_positions bigint[],
  p_stream_types text[], p_stream_ids text[], p_generations bigint[]
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_components text[];
  v_stream_types text[];
  v_stream_ids text[];
  v_generations bigint[];
begin
  -- An append that settles rows may wait for one that is changed here while it holds another: give way quickly.
  perform set_config('lock_timeout', '100ms', true);
  if p_from = 0 then
    insert into eventplane.cursors (consumer, tenant_id, log_epoch, position, hash)
      values ('effects', p_tenant, p_epoch, p_position, p_hash) on conflict do nothing;
  else
    update eventplane.cursors c set log_epoch = p_epoch, position = p_position, hash = p_hash
      where c.consumer = 'effects' and c.tenant_id = p_tenant and c.position = p_from;
  end if;
  if not found then return false; end if;

  -- What is looked up has the whole key beside it in every row, so that no plan but the one over the key fits: others walk
  -- through all rows of the tenant for each change.
  with asked as materialized (
    select p_tenant as tenant_id, n.ask, n.component, n.position, n.stream_type, n.stream_id, n.generation
    from unnest(p_asks, p_components, p_changes, p_positions, p_stream_types, p_stream_ids, p_generations)
      n (ask, component, change, position, stream_type, stream_id, generation)
    where n.change = 'asked'
  )
  insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at,
    stream_type, stream_id, stream_generation, sequence)
  select n.tenant_id, 'effect', n.ask, n.component, case when x.has_blocker then 'blocked' else 'ready' end,
    case when not x.has_blocker then v_now end, n.stream_type, n.stream_id, n.generation, n.position
  from asked n
  cross join lateral (
    select exists (
      select from eventplane.work b
      where b.tenant_id = n.tenant_id and b.component = n.component
        and b.stream_type = n.stream_type and b.stream_id = n.stream_id and b.stream_generation = n.generation
        and b.blocks and b.sequence < n.position) as has_blocker offset 0) x
  order by n.ask
  on conflict do nothing;

  -- A holder that lives learns of the decision when it ends its claim.
  with decided as materialized (
    select p_tenant as tenant_id, 'effect' as aggregate_type, n.ask, n.component, max(n.position) as position
    from unnest(p_asks, p_components, p_changes, p_positions) n (ask, component, change, position)
    where n.change = 'decided'
    group by n.ask, n.component
  )
  update eventplane.work w set
    woken_seq = greatest(w.woken_seq, d.position), state = 'ready',
    due_at = case when w.lease_until > v_now then w.due_at else v_now end,
    attempts = case when w.lease_until > v_now then w.attempts else 0 end,
    lease_token = case when w.lease_until > v_now then w.lease_token end,
    lease_until = case when w.lease_until > v_now then w.lease_until end,
    dead_since = null, failure_code = null, failure_message = null
  from decided d
  where w.tenant_id = d.tenant_id and w.aggregate_type = d.aggregate_type and w.aggregate_id = d.ask
    and w.component = d.component;

  with ended as materialized (
    select p_tenant as tenant_id, 'effect' as aggregate_type, n.ask, n.component
    from unnest(p_asks, p_components, p_changes) n (ask, component, change)
    where n.change = 'ended'
  ), gone as (
    delete from eventplane.work w using ended n
    where w.tenant_id = n.tenant_id and w.aggregate_type = n.aggregate_type and w.aggregate_id = n.ask
      and w.component = n.component
    returning w.component, w.stream_type, w.stream_id, w.stream_generation, w.blocks
  )
  select array_agg(g.component), array_agg(g.stream_type), array_agg(g.stream_id), array_agg(g.stream_generation)
  into v_components, v_stream_types, v_stream_ids, v_generations
  from (select distinct component, stream_type, stream_id, stream_generation from gone where blocks) g;
  if v_components is null then return true; end if;

  with free as materialized (
    select p_tenant as tenant_id, g.component, g.stream_type, g.stream_id, g.generation
    from unnest(v_components, v_stream_types, v_stream_ids, v_generations)
      g (component, stream_type, stream_id, generation)
  ), next as materialized (
    select g.tenant_id, 'effect' as aggregate_type, l.aggregate_id, g.component
    from free g
    cross join lateral (
      select l.aggregate_id, l.sequence from eventplane.work l
      where l.tenant_id = g.tenant_id and l.component = g.component
        and l.stream_type = g.stream_type and l.stream_id = g.stream_id and l.stream_generation = g.generation
        and l.state = 'blocked' and l.sequence is not null
      order by l.sequence limit 1) l
    where not exists (
      select from eventplane.work b
      where b.tenant_id = g.tenant_id and b.component = g.component
        and b.stream_type = g.stream_type and b.stream_id = g.stream_id and b.stream_generation = g.generation
        and b.blocks and b.sequence < l.sequence)
  )
  update eventplane.work w set state = 'ready', due_at = v_now, blocks = true
  from next n
  where w.tenant_id = n.tenant_id and w.aggregate_type = n.aggregate_type and w.aggregate_id = n.aggregate_id
    and w.component = n.component;
  return true;
end $$;

-- Turns the next events of a tenant into due rows and moves the cursor. A process that finds the cursor locked leaves the
-- tenant to the one that has it. chain_broken: the log does not continue where the cursor stands; nothing was done.
create or replace function eventplane.work_dispatch(p_tenant uuid, p_types text[], p_components text[], p_limit integer)
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

revoke all on function eventplane.work_fail from public;
revoke all on function eventplane.effect_dispatch from public;
grant execute on function eventplane.work_fail to :prefix_runtime;
grant execute on function eventplane.effect_dispatch to :prefix_runtime;

analyze eventplane.work;

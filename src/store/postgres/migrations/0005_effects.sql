-- Effects: outside calls on the same work rows (docs/adr/0017-effects-are-work-rows.md). The row of an effect is
-- (tenant, 'effect', id of the ask, 'effect:<worker>'); what people decide on it is in the stream of that name.

-- '' holds the reconciles, one queue each the workers: a queue that stands still is not walked through for another.
alter table eventplane.work add column queue text collate "C" not null
  generated always as (case when aggregate_type = 'effect' then component else '' end) stored;

drop index eventplane.work_due;
create index work_due on eventplane.work (tenant_id, queue, due_at) where state = 'ready';
create index work_standing_effects on eventplane.work (tenant_id, component, failure_code)
  where aggregate_type = 'effect' and state = 'dead';

create policy work_effects on eventplane.work for select to :prefix_edge
  using (aggregate_type = 'effect' and tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy cursors_effects on eventplane.cursors to :prefix_runtime
  using (consumer = 'effects') with check (consumer = 'effects');

-- Leases due rows of one queue: from each tenant after p_after in turn an equal share, oldest due first. A lease that
-- ended is due; `abandoned` says that its holder did not end it.
drop function eventplane.work_claim(text[], integer, bigint, uuid);
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
drop function eventplane.work_next_due_ms(text[]);
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

-- Records a failed attempt: due again after p_retry_after_ms, or a dead letter when that is null, unless an event opened a
-- newer generation than p_generation meanwhile, or somebody decided on the effect; a null generation: it is not known, and
-- none does. False: the lease is lost.
create or replace function eventplane.work_fail(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid, p_retry_after_ms bigint,
  p_code text, p_message text, p_generation bigint
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  update eventplane.work w set
    state = case when p_retry_after_ms is null and not n.news then 'dead' else 'ready' end,
    due_at = case
      when n.news then v_now
      when p_retry_after_ms is not null then v_now + p_retry_after_ms * interval '1 millisecond' end,
    dead_since = case when p_retry_after_ms is null and not n.news then v_now end,
    attempts = case when n.news then 0 else w.attempts end,
    lease_token = null, lease_until = null,
    failure_code = p_code, failure_message = p_message, failed_generation = p_generation
  from (
    select o.tenant_id, o.aggregate_type, o.aggregate_id, o.component,
      (o.woken_generation > p_generation) is true or (o.queue <> '' and o.woken_seq > o.claimed_seq) as news
    from eventplane.work o
    where o.tenant_id = p_tenant and o.aggregate_type = p_aggregate_type and o.aggregate_id = p_aggregate_id
      and o.component = p_component and o.lease_token = p_lease_token
    for update) n
  where w.tenant_id = n.tenant_id and w.aggregate_type = n.aggregate_type and w.aggregate_id = n.aggregate_id
    and w.component = n.component;
  return found;
end $$;

-- What the events after p_from up to p_position mean for the rows of effects, and the place moved, in one commit. The
-- columns are of ask, component, change (asked, decided, ended) and position. False: another process has done so.
create function eventplane.effect_dispatch(
  p_tenant uuid, p_from bigint, p_epoch integer, p_position bigint, p_hash bytea,
  p_asks text[], p_components text[], p_changes text[], p_positions bigint[]
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
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

  insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at)
  select p_tenant, 'effect', n.ask, n.component, 'ready', v_now
  from unnest(p_asks, p_components, p_changes) n (ask, component, change)
  where n.change = 'asked'
  order by n.ask
  on conflict do nothing;

  -- A holder that lives learns of the decision when it ends its claim.
  update eventplane.work w set
    woken_seq = greatest(w.woken_seq, d.position), state = 'ready',
    due_at = case when w.lease_until > v_now then w.due_at else v_now end,
    attempts = case when w.lease_until > v_now then w.attempts else 0 end,
    lease_token = case when w.lease_until > v_now then w.lease_token end,
    lease_until = case when w.lease_until > v_now then w.lease_until end,
    dead_since = null, failure_code = null, failure_message = null
  from (
    select n.ask, n.component, max(n.position) as position
    from unnest(p_asks, p_components, p_changes, p_positions) n (ask, component, change, position)
    where n.change = 'decided'
    group by n.ask, n.component) d
  where w.tenant_id = p_tenant and w.aggregate_type = 'effect' and w.aggregate_id = d.ask and w.component = d.component;

  delete from eventplane.work w
  using unnest(p_asks, p_components, p_changes) n (ask, component, change)
  where n.change = 'ended'
    and w.tenant_id = p_tenant and w.aggregate_type = 'effect' and w.aggregate_id = n.ask and w.component = n.component;
  return true;
end $$;

revoke all on function eventplane.work_claim from public;
revoke all on function eventplane.work_next_due_ms from public;
revoke all on function eventplane.effect_dispatch from public;
grant execute on function eventplane.work_claim to :prefix_runtime;
grant execute on function eventplane.work_next_due_ms to :prefix_runtime;
grant execute on function eventplane.effect_dispatch to :prefix_runtime;

analyze eventplane.work;

-- Effects: outside calls on the same work rows (docs/adr/0017-effects-are-work-rows.md). The row of an effect is
-- (tenant, 'effect', id of the ask, 'effect:<worker>'); what people decide on it is in the stream of that name.

create policy work_effects on eventplane.work for select to :prefix_edge
  using (aggregate_type = 'effect' and tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy cursors_effects on eventplane.cursors to :prefix_runtime
  using (consumer = 'effects') with check (consumer = 'effects');

-- What the events after p_from up to p_position mean for the rows of effects, and the place moved, in one commit. The
-- columns are of ask, component, change (asked, decided, ended), position, and the resource that asked with its generation.
-- An ask waits behind what its resource asked of the same worker before and a dead letter has held up; when that ends, the
-- next one gets its turn, and holds up the rest until it has ended too. False: another process has done so.
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

revoke all on function eventplane.effect_dispatch from public;
grant execute on function eventplane.effect_dispatch to :prefix_runtime;

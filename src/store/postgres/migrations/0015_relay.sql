-- The relay (docs/adr/0040-transport-and-relay.md): how far each tenant's log was handed to the transport, and by whom. Bookkeeping.

create table eventplane.relay_cursors (
  tenant_id uuid primary key,
  log_epoch integer not null,
  -- The last position that the transport acknowledged with all before it.
  position bigint not null check (position >= 0),
  -- Of the event there; null: not known since a rewind.
  hash bytea,
  -- What the transport called itself then: another one has nothing of it.
  transport_epoch text not null,
  moved_at timestamptz not null default clock_timestamp(),
  -- An acknowledged message may be lost until the transport has synced its files. So where the cursor was a while ago is kept
  -- in two steps: synced was acknowledged at least that long before marked was.
  marked_position bigint not null,
  marked_at timestamptz not null default clock_timestamp(),
  synced_position bigint not null,
  holder uuid,
  lease_epoch bigint not null default 0,
  lease_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

alter table eventplane.relay_cursors enable row level security;
alter table eventplane.relay_cursors force row level security;
create policy relay on eventplane.relay_cursors to :prefix_relay using (true) with check (true);

do $$
declare
  v_table regclass;
begin
  for v_table in
    select 'eventplane.heads'::regclass union select 'eventplane.events' union select relid from pg_partition_tree('eventplane.events')
  loop
    execute format(
      'alter policy tenant on %s to :prefix_edge, :prefix_runtime, :prefix_reader, :prefix_projector, :prefix_auditor, :prefix_relay', v_table);
  end loop;
end
$$;
alter policy news on eventplane.heads to :prefix_runtime, :prefix_projector, :prefix_relay;

grant usage on schema eventplane to :prefix_relay;
grant select on eventplane.heads, eventplane.events to :prefix_relay;
grant select, insert, update on eventplane.relay_cursors to :prefix_relay;
grant execute on function eventplane.position_before(uuid, timestamptz) to :prefix_relay;

-- Tenants with news, or whose cursor was of another transport, that nobody holds; those that moved longest ago first. A cursor of
-- another transport begins where the log was p_refill_ms ago.
create function eventplane.relay_claim(p_holder uuid, p_transport text, p_limit integer, p_lease_ms bigint, p_refill_ms bigint)
returns table (tenant_id uuid, "position" bigint, log_epoch integer, hash bytea, head_position bigint, lease_epoch bigint, is_refill boolean)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_row record;
  v_start bigint;
begin
  insert into eventplane.relay_cursors (tenant_id, log_epoch, position, transport_epoch, marked_position, synced_position)
  select h.tenant_id, h.log_epoch, 0, '', 0, 0 from eventplane.heads h
  where not exists (select from eventplane.relay_cursors c where c.tenant_id = h.tenant_id)
  limit 1000
  on conflict do nothing;

  for v_row in
    select c.tenant_id, c.transport_epoch, h.position as head
    from eventplane.relay_cursors c join eventplane.heads h on h.tenant_id = c.tenant_id
    where (h.position <> c.position or c.transport_epoch <> p_transport) and c.lease_until <= clock_timestamp()
    order by c.moved_at limit p_limit
    for update of c skip locked
  loop
    if v_row.transport_epoch <> p_transport then
      perform set_config('eventplane.tenant_id', v_row.tenant_id::text, true);
      v_start := eventplane.position_before(v_row.tenant_id, clock_timestamp() - p_refill_ms * interval '1 millisecond');
      update eventplane.relay_cursors c set position = v_start, hash = null, transport_epoch = p_transport, moved_at = clock_timestamp(),
        marked_position = v_start, marked_at = clock_timestamp(), synced_position = v_start
        where c.tenant_id = v_row.tenant_id;
    end if;
    return query update eventplane.relay_cursors c
      set holder = p_holder, lease_epoch = c.lease_epoch + 1, lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
      where c.tenant_id = v_row.tenant_id
      returning c.tenant_id, c.position, c.log_epoch, c.hash, v_row.head, c.lease_epoch, v_row.transport_epoch <> p_transport;
  end loop;
end
$$;

-- Moves the cursor and prolongs the lease; false: another relay has the tenant, or the cursor was rewound.
create function eventplane.relay_move(
  p_tenant uuid, p_lease_epoch bigint, p_from bigint, p_to bigint, p_hash bytea, p_log_epoch integer, p_lease_ms bigint, p_sync_ms bigint
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settled timestamptz := clock_timestamp() - p_sync_ms * interval '1 millisecond';
begin
  update eventplane.relay_cursors c set position = p_to, hash = p_hash, log_epoch = p_log_epoch, moved_at = clock_timestamp(),
    synced_position = case when c.marked_at < v_settled then c.marked_position else c.synced_position end,
    marked_position = case when c.marked_at < v_settled then p_to else c.marked_position end,
    marked_at = case when c.marked_at < v_settled then clock_timestamp() else c.marked_at end,
    lease_until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
  where c.tenant_id = p_tenant and c.lease_epoch = p_lease_epoch and c.position = p_from;
  return found;
end
$$;

create function eventplane.relay_release(p_tenant uuid, p_lease_epoch bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  update eventplane.relay_cursors set lease_until = '-infinity' where tenant_id = p_tenant and lease_epoch = p_lease_epoch
$$;

-- After a connection that was made anew: back to what was acknowledged p_sync_ms ago at least. How many tenants that was.
create function eventplane.relay_rewind(p_transport text, p_sync_ms bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settled timestamptz := clock_timestamp() - p_sync_ms * interval '1 millisecond';
  v_count bigint;
begin
  update eventplane.relay_cursors c set position = t.target, hash = null,
    marked_position = t.target, marked_at = clock_timestamp(), synced_position = t.target
  from (
    select r.tenant_id, case when r.moved_at < v_settled then r.position
      when r.marked_at < v_settled then r.marked_position else r.synced_position end as target
    from eventplane.relay_cursors r where r.transport_epoch = p_transport
    order by r.tenant_id for update
  ) t
  where c.tenant_id = t.tenant_id and t.target < c.position;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

create function eventplane.relay_lag() returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(greatest(0, h.position - c.position)), 0)::bigint
  from eventplane.heads h join eventplane.relay_cursors c on c.tenant_id = h.tenant_id
$$;

revoke all on function eventplane.relay_claim, eventplane.relay_move, eventplane.relay_release, eventplane.relay_rewind, eventplane.relay_lag
  from public;
grant execute on function eventplane.relay_claim, eventplane.relay_move, eventplane.relay_release, eventplane.relay_rewind, eventplane.relay_lag
  to :prefix_relay;

analyze eventplane.relay_cursors;

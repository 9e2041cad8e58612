-- Which processes run, and how far every consumer is: bookkeeping for operators.

create table eventplane.processes (
  process_id uuid primary key,
  -- As configured, for people; several processes may have the same.
  name text not null check (length(name) <= 128),
  roles text[] not null,
  version text not null check (length(version) <= 64),
  code_version text not null check (length(code_version) <= 256),
  -- Why it is not ready, and what does not work for somebody.
  reasons text[] not null,
  degraded text[] not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

grant select, insert, update, delete on eventplane.processes
  to :prefix_edge, :prefix_runtime, :prefix_projector, :prefix_relay;

-- Who shows sums over all tenants sees cursors and work rows; nobody logs in as it.
create policy totals on eventplane.cursors for select to :prefix_totals using (true);
create policy totals on eventplane.work for select to :prefix_totals using (true);
create policy totals on eventplane.projection_leases for select to :prefix_totals using (true);
grant select (consumer, tenant_id, position) on eventplane.cursors to :prefix_totals;
grant select (component, state, due_at, lease_until, lease_token) on eventplane.work to :prefix_totals;
grant select on eventplane.projection_leases to :prefix_totals;

-- How far each consumer is behind the logs. A tenant of which it has no cursor is behind from the beginning.
create function eventplane.status_consumers() returns table (
  consumer text, tenants bigint, tenants_behind bigint, events_behind numeric, events_behind_max bigint
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select c.consumer, count(*), count(*) filter (where h.position > c.position),
    coalesce(sum(greatest(0, h.position - c.position)), 0), coalesce(max(greatest(0, h.position - c.position)), 0)
  from eventplane.cursors c join eventplane.heads h on h.tenant_id = c.tenant_id group by c.consumer
$$;

-- What waits for each controller and worker, and what is held under leases now.
create function eventplane.status_work() returns table (
  component text, due bigint, later bigint, leased bigint, dead bigint, oldest_seconds float8
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select w.component,
    count(*) filter (where w.state = 'ready' and w.due_at <= clock_timestamp()),
    count(*) filter (where w.state = 'ready' and w.due_at > clock_timestamp() and w.lease_token is null),
    count(*) filter (where w.state = 'ready' and w.due_at > clock_timestamp() and w.lease_token is not null),
    count(*) filter (where w.state = 'dead'),
    coalesce(greatest(0, extract(epoch from clock_timestamp() - min(w.due_at) filter (
      where w.state = 'ready' and w.due_at <= clock_timestamp()))), 0)::float8
  from eventplane.work w where w.state in ('ready', 'dead') group by w.component
$$;

create function eventplane.status_leaders() returns table (projection text, process_id uuid, epoch bigint, lease_seconds float8)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select l.projection, l.holder, l.epoch, extract(epoch from l.until - clock_timestamp())::float8
  from eventplane.projection_leases l
$$;

grant create on schema eventplane to :prefix_totals;
do $$
declare
  v_function text;
begin
  foreach v_function in array array['status_consumers()', 'status_work()', 'status_leaders()'] loop
    execute format('alter function eventplane.%s owner to :prefix_totals', v_function);
    execute format('revoke all on function eventplane.%s from public', v_function);
    execute format('grant execute on function eventplane.%s to :prefix_edge', v_function);
  end loop;
end
$$;
revoke create on schema eventplane from :prefix_totals;

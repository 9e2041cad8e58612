-- Projections of one's own: bookkeeping of their builds, cursors and leases. The rows of each lie in a schema of its own,
-- projection_<name>, which is made when the application that declares it is installed (docs/adr/0018).

-- One leader a projection; the epoch grows with each new one, and a change that names an old epoch is refused.
create table eventplane.projection_leases (
  projection text collate "C" not null,
  holder uuid not null,
  epoch bigint not null,
  until timestamptz not null,
  primary key (projection)
) with (fillfactor = 50);

-- What is noted of a tenant: how far the requests of operators are carried out, why it stands still, the last comparison.
create table eventplane.projection_tenants (
  tenant_id uuid not null,
  projection text collate "C" not null,
  own_version bigint not null,
  platform_version bigint not null,
  paused boolean not null,
  failure_code text,
  failure_message text,
  failure_position bigint,
  check_position bigint,
  check_live text,
  check_fresh text,
  primary key (tenant_id, projection),
  check ((failure_code is null) = (failure_position is null)),
  check ((check_live is null) = (check_position is null) and (check_fresh is null) = (check_position is null))
);
create index projection_tenants_stopped on eventplane.projection_tenants (projection, failure_code) where failure_code is not null;

-- One fold of a tenant's log. Position 0: before its first event, with a hash of nothing.
create table eventplane.projection_builds (
  tenant_id uuid not null,
  projection text collate "C" not null,
  build bigint not null,
  role text collate "C" not null check (role in ('live', 'rebuild', 'verify', 'retired')),
  version integer not null,
  fingerprint text not null,
  log_epoch integer not null,
  position bigint not null,
  hash bytea not null,
  started_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, projection, build)
) with (fillfactor = 50);
create unique index projection_builds_live on eventplane.projection_builds (tenant_id, projection) where role = 'live';
create index projection_builds_others on eventplane.projection_builds (projection, tenant_id) where role <> 'live';

do $$
declare
  v_table text;
begin
  foreach v_table in array array['projection_leases', 'projection_tenants', 'projection_builds'] loop
    execute format('alter table eventplane.%I enable row level security', v_table);
    execute format('alter table eventplane.%I force row level security', v_table);
    execute format('create policy projector on eventplane.%I to :prefix_projector using (true) with check (true)', v_table);
    execute format('grant select, insert, update, delete on eventplane.%I to :prefix_projector', v_table);
    if v_table <> 'projection_leases' then
      execute format(
        'create policy tenant on eventplane.%I for select to :prefix_edge, :prefix_reader, :prefix_auditor
           using (tenant_id = (select nullif(current_setting(''eventplane.tenant_id'', true), ''''))::uuid)', v_table);
      execute format('grant select on eventplane.%I to :prefix_edge, :prefix_reader, :prefix_auditor', v_table);
    end if;
  end loop;
end
$$;

-- Who adds rows up across tenants has to know which builds are live.
create policy totals on eventplane.projection_builds for select to :prefix_totals using (role = 'live');
grant usage on schema eventplane to :prefix_totals;
grant select on eventplane.projection_builds to :prefix_totals;

-- Takes the lease or renews one's own; null: another holds it.
create function eventplane.projection_lead(p_projection text, p_holder uuid, p_lease_ms bigint) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into eventplane.projection_leases as l (projection, holder, epoch, until)
  values (p_projection, p_holder, 1, clock_timestamp() + p_lease_ms * interval '1 millisecond')
  on conflict (projection) do update set
    holder = excluded.holder, until = excluded.until,
    epoch = l.epoch + case when l.holder = excluded.holder then 0 else 1 end
  where l.holder = excluded.holder or l.until < clock_timestamp()
  returning l.epoch
$$;

-- Fails with EV001 when another leads since; holds off the next leader until the commit.
create function eventplane.projection_fence(p_projection text, p_epoch bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from eventplane.projection_leases l where l.projection = p_projection and l.epoch = p_epoch for share;
  if not found then raise exception 'eventplane: another process leads projection %', p_projection using errcode = 'EV001'; end if;
end $$;

-- Moves the cursor of a build; fails with EV001 when it is not at p_from.
create function eventplane.projection_advance(
  p_projection text, p_tenant uuid, p_build bigint, p_from bigint, p_epoch integer, p_position bigint, p_hash bytea
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update eventplane.projection_builds b set log_epoch = p_epoch, position = p_position, hash = p_hash
    where b.tenant_id = p_tenant and b.projection = p_projection and b.build = p_build and b.position = p_from;
  if not found then raise exception 'eventplane: the cursor of projection % has moved', p_projection using errcode = 'EV001'; end if;
end $$;

revoke all on function eventplane.projection_lead from public;
revoke all on function eventplane.projection_fence from public;
revoke all on function eventplane.projection_advance from public;
grant execute on function eventplane.projection_lead to :prefix_projector;
grant execute on function eventplane.projection_fence to :prefix_projector;
grant execute on function eventplane.projection_advance to :prefix_projector;

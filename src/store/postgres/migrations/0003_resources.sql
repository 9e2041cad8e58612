-- The resources projection: the fold of every stream, for reads and lists. Dropped and folded again it is the same.

create table eventplane.resources (
  tenant_id uuid not null,
  aggregate_type text collate "C" not null,
  aggregate_id text collate "C" not null,
  version bigint not null,
  position bigint not null,
  generation bigint not null,
  lifecycle text collate "C" not null,
  phase text collate "C" not null,
  -- The whole fold as JSON text, with what is needed to fold on.
  resource text not null,
  primary key (tenant_id, aggregate_type, aggregate_id)
) with (fillfactor = 80);

create index resources_phase on eventplane.resources (tenant_id, aggregate_type, phase, aggregate_id);

alter table eventplane.resources enable row level security;
alter table eventplane.resources force row level security;

create policy resources_tenant on eventplane.resources for select to :prefix_edge, :prefix_reader, :prefix_auditor
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy resources_projector on eventplane.resources to :prefix_projector
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid)
  with check (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy cursors_projector on eventplane.cursors to :prefix_projector
  using (consumer = 'resources') with check (consumer = 'resources');
create policy cursors_position on eventplane.cursors for select to :prefix_edge, :prefix_reader, :prefix_auditor
  using (consumer = 'resources' and tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);

grant select on eventplane.resources, eventplane.cursors to :prefix_edge, :prefix_reader, :prefix_auditor;
grant select, insert, update, delete on eventplane.resources to :prefix_projector;
grant select, insert, update, delete on eventplane.cursors to :prefix_projector;

-- Writes folds and moves the cursor in one commit. False, and nothing done: the cursor is not where the folds began, or
-- another process is moving it. p_from 0 begins a cursor.
create function eventplane.resources_apply(
  p_tenant uuid, p_epoch integer, p_from bigint, p_to bigint, p_hash bytea, p_types text[], p_ids text[],
  p_versions bigint[], p_positions bigint[], p_generations bigint[], p_lifecycles text[], p_phases text[], p_resources text[]
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('eventplane.tenant_id', p_tenant::text, true);
  if p_from = 0 then
    insert into eventplane.cursors (consumer, tenant_id, log_epoch, position, hash)
      values ('resources', p_tenant, p_epoch, p_to, p_hash) on conflict do nothing;
    if not found then return false; end if;
  else
    perform from eventplane.cursors c
      where c.consumer = 'resources' and c.tenant_id = p_tenant and c.position = p_from and c.log_epoch = p_epoch
      for update skip locked;
    if not found then return false; end if;
    update eventplane.cursors c set position = p_to, hash = p_hash
      where c.consumer = 'resources' and c.tenant_id = p_tenant;
  end if;
  insert into eventplane.resources as r
    (tenant_id, aggregate_type, aggregate_id, version, position, generation, lifecycle, phase, resource)
  select p_tenant, n.*
  from unnest(p_types, p_ids, p_versions, p_positions, p_generations, p_lifecycles, p_phases, p_resources) n
  on conflict (tenant_id, aggregate_type, aggregate_id) do update set
    version = excluded.version, position = excluded.position, generation = excluded.generation,
    lifecycle = excluded.lifecycle, phase = excluded.phase, resource = excluded.resource;
  return true;
end $$;

revoke all on function eventplane.resources_apply from public;
grant execute on function eventplane.resources_apply to :prefix_projector;

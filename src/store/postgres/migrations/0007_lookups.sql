-- What the decision of a work row looked at beside its own stream: the row is due again as soon as that moves. Bookkeeping
-- (docs/operating/bookkeeping.md); every run of a controller writes its own anew.
create table eventplane.lookups (
  tenant_id uuid not null,
  -- Who looked: the key of a work row.
  asker_type text collate "C" not null,
  asker_id text collate "C" not null,
  component text collate "C" not null,
  -- At which stream, and the version that was seen; 0: it had no events.
  aggregate_type text collate "C" not null,
  aggregate_id text collate "C" not null,
  version bigint not null,
  -- Of the claim that noted it; what an ended claim did not note is noted no more.
  lease_token uuid not null,
  primary key (tenant_id, asker_type, asker_id, component, aggregate_type, aggregate_id)
) with (fillfactor = 70);

create index lookups_at on eventplane.lookups (tenant_id, aggregate_type, aggregate_id);

alter table eventplane.lookups enable row level security;
alter table eventplane.lookups force row level security;
create policy lookups_runtime on eventplane.lookups to :prefix_runtime using (true) with check (true);
create policy lookups_appender on eventplane.lookups to :prefix_appender using (true) with check (true);
grant select, insert, update, delete on eventplane.lookups to :prefix_runtime;
grant select, delete on eventplane.lookups to :prefix_appender;

-- Notes what a claim's decision looked at, in place of what its row noted before. False: the lease is lost.
create function eventplane.work_looked_up(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_component text, p_lease_token uuid,
  p_types text[], p_ids text[], p_versions bigint[]
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from eventplane.work w
    where w.tenant_id = p_tenant and w.aggregate_type = p_aggregate_type and w.aggregate_id = p_aggregate_id
      and w.component = p_component and w.lease_token = p_lease_token
    for update;
  if not found then return false; end if;
  delete from eventplane.lookups l
    where l.tenant_id = p_tenant and l.asker_type = p_aggregate_type and l.asker_id = p_aggregate_id
      and l.component = p_component
      and not exists (select from unnest(p_types, p_ids) n (type, id) where n.type = l.aggregate_type and n.id = l.aggregate_id);
  insert into eventplane.lookups
    (tenant_id, asker_type, asker_id, component, aggregate_type, aggregate_id, version, lease_token)
  select p_tenant, p_aggregate_type, p_aggregate_id, p_component, n.type, n.id, n.version, p_lease_token
  from unnest(p_types, p_ids, p_versions) n (type, id, version)
  on conflict (tenant_id, asker_type, asker_id, component, aggregate_type, aggregate_id)
    do update set version = excluded.version, lease_token = excluded.lease_token;
  return true;
end $$;

-- A claim ends: its row is due at once if anything that it looked at has moved by then. The row is locked before this looks,
-- and a dispatch that comes later finds it free: no event falls between.
create function eventplane.lookups_end() returns trigger
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from eventplane.lookups l
    where l.tenant_id = new.tenant_id and l.asker_type = new.aggregate_type and l.asker_id = new.aggregate_id
      and l.component = new.component)
  then return new; end if;
  delete from eventplane.lookups l
    where l.tenant_id = new.tenant_id and l.asker_type = new.aggregate_type and l.asker_id = new.aggregate_id
      and l.component = new.component and l.lease_token <> old.lease_token;
  perform set_config('eventplane.tenant_id', new.tenant_id::text, true);
  if exists (
    select from eventplane.lookups l
    where l.tenant_id = new.tenant_id and l.asker_type = new.aggregate_type and l.asker_id = new.aggregate_id
      and l.component = new.component
      and l.version < (
        select e.version from eventplane.events e
        where e.tenant_id = l.tenant_id and e.aggregate_type = l.aggregate_type and e.aggregate_id = l.aggregate_id
        order by e.version desc limit 1))
  then
    new.state := 'ready';
    new.due_at := now();
  end if;
  return new;
end $$;

create trigger lookups_end before update on eventplane.work
  for each row
  when (new.lease_token is null and new.aggregate_type <> 'effect' and new.failure_code is null
    and (new.state = 'idle' or new.state = 'ready' and new.due_at > now()))
  execute function eventplane.lookups_end();

-- The dispatch has gone on: who looked at one of the streams that have moved is due, unless somebody works on it, who sees
-- it at the end, or it waits after a failure.
create function eventplane.lookups_fire() returns trigger
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from eventplane.lookups l where l.tenant_id = new.tenant_id) then return null; end if;
  update eventplane.work w set state = 'ready', due_at = now()
  from (
    select distinct l.asker_type, l.asker_id, l.component
    from (
      select n.aggregate_type, n.aggregate_id, max(n.version) as version
      from (
        select e.aggregate_type, e.aggregate_id, e.version from eventplane.events e
        where e.tenant_id = new.tenant_id and e.position > old.position and e.position <= new.position
        order by e.position limit new.position - old.position) n
      group by n.aggregate_type, n.aggregate_id) m
    join eventplane.lookups l on l.tenant_id = new.tenant_id and l.aggregate_type = m.aggregate_type
      and l.aggregate_id = m.aggregate_id and l.version < m.version) f
  where w.tenant_id = new.tenant_id and w.aggregate_type = f.asker_type and w.aggregate_id = f.asker_id
    and w.component = f.component and w.lease_token is null
    and (w.state = 'idle' or w.state = 'ready' and w.attempts = 0 and w.due_at > now());
  -- Nobody works for what is deleted.
  delete from eventplane.lookups l
  using (
    select e.aggregate_type, e.aggregate_id from (
      select e.aggregate_type, e.aggregate_id, e.lifecycle from eventplane.events e
      where e.tenant_id = new.tenant_id and e.position > old.position and e.position <= new.position
      order by e.position limit new.position - old.position) e
    where e.lifecycle = 'x') x
  where l.tenant_id = new.tenant_id and l.asker_type = x.aggregate_type and l.asker_id = x.aggregate_id;
  return null;
end $$;

create trigger lookups_fire after update on eventplane.cursors
  for each row when (new.consumer = 'work' and new.position > old.position)
  execute function eventplane.lookups_fire();

-- Backfills and retirements of controllers are facts of the platform; how far they were acted on is a cursor. Administrators
-- see what the controllers of a tenant have to do.
create policy cursors_changes on eventplane.cursors to :prefix_runtime
  using (consumer = 'changes') with check (consumer = 'changes');
create policy work_rows on eventplane.work for select to :prefix_edge
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);

revoke all on function eventplane.work_looked_up from public;
revoke all on function eventplane.lookups_end from public;
revoke all on function eventplane.lookups_fire from public;
grant execute on function eventplane.work_looked_up to :prefix_runtime;

analyze eventplane.lookups;

-- Signed snapshots of long streams: bookkeeping of the runtime tier (docs/operating/bookkeeping.md). A row is believed for
-- its signature only; it may be dropped at any time.

create table eventplane.snapshots (
  tenant_id uuid not null,
  aggregate_type text collate "C" not null,
  aggregate_id text collate "C" not null,
  version bigint not null check (version > 0),
  generation bigint not null check (generation >= 0),
  -- Chain hash of the event at this version, and what the fold depended on.
  event_hash bytea not null check (length(event_hash) = 32),
  fold_digest bytea not null check (length(fold_digest) = 32),
  -- The whole fold as JSON text: the text that was signed.
  state text not null,
  key_id uuid not null,
  signature bytea not null check (length(signature) = 64),
  primary key (tenant_id, aggregate_type, aggregate_id)
) with (fillfactor = 80);

alter table eventplane.snapshots enable row level security;
alter table eventplane.snapshots force row level security;

create policy snapshots_runtime on eventplane.snapshots to :prefix_runtime
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid)
  with check (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy snapshots_edge on eventplane.snapshots for select to :prefix_edge
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);

grant select, insert, update, delete on eventplane.snapshots to :prefix_runtime;
grant select on eventplane.snapshots to :prefix_edge;

-- Replaces what is there, whatever it says: a forged one may claim any version.
create function eventplane.snapshot_write(
  p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_version bigint, p_generation bigint, p_event_hash bytea,
  p_fold_digest bytea, p_state text, p_key_id uuid, p_signature bytea
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('eventplane.tenant_id', p_tenant::text, true);
  insert into eventplane.snapshots
    (tenant_id, aggregate_type, aggregate_id, version, generation, event_hash, fold_digest, state, key_id, signature)
  values (p_tenant, p_aggregate_type, p_aggregate_id, p_version, p_generation, p_event_hash, p_fold_digest, p_state,
    p_key_id, p_signature)
  on conflict (tenant_id, aggregate_type, aggregate_id) do update set
    version = excluded.version, generation = excluded.generation, event_hash = excluded.event_hash,
    fold_digest = excluded.fold_digest, state = excluded.state, key_id = excluded.key_id, signature = excluded.signature;
end $$;

revoke all on function eventplane.snapshot_write from public;
grant execute on function eventplane.snapshot_write to :prefix_runtime;

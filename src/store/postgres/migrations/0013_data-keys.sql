-- Data keys (docs/adr/0038-personal-data-stay-sealed.md): one for each data subject of a tenant, encrypted under a key of the
-- operator that is not in the database. Bookkeeping with grants of its own; never in the log, and gone when the subject is
-- erased. What counts is subject.erased in the tenant's log: a key of a subject that has it is given to nobody.

create table eventplane.data_keys (
  tenant_id uuid not null,
  -- Names a person within the tenant: opaque, never personal data.
  subject text collate "C" not null check (subject ~ '^[A-Za-z0-9._:-]{1,128}$'),
  key_id uuid not null,
  -- The key-encryption key that opens it, and what it opens: nonce, ciphertext, tag.
  kek_id text collate "C" not null check (kek_id ~ '^[0-9a-f]{16}$'),
  wrapped bytea not null check (length(wrapped) = 60),
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, subject),
  unique (tenant_id, key_id)
) with (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
-- For keys that wait to be wrapped anew.
create index data_keys_kek on eventplane.data_keys (kek_id);

alter table eventplane.data_keys enable row level security;
alter table eventplane.data_keys force row level security;

create policy data_keys_tenant on eventplane.data_keys to :prefix_edge, :prefix_runtime
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid)
  with check (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy data_keys_appender on eventplane.data_keys to :prefix_appender using (true) with check (true);
create policy data_keys_backup on eventplane.data_keys for select to :prefix_owner using (true);

-- Workers open what they are called with; only the edge makes keys and destroys them.
grant select, insert, delete on eventplane.data_keys to :prefix_edge;
grant select on eventplane.data_keys to :prefix_runtime;
-- A restore inserts.
grant select, insert, update, delete on eventplane.data_keys to :prefix_appender;

create function eventplane.is_erased(p_tenant uuid, p_subject text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from eventplane.events e
    where e.tenant_id = p_tenant and e.aggregate_type = 'subject' and e.aggregate_id = p_subject and e.type = 'subject.erased')
$$;

-- The lock makes the two see each other: a key that is being made while the subject is erased is destroyed with the others.
create function eventplane.data_key_add(p_tenant uuid, p_subject text, p_key_id uuid, p_kek_id text, p_wrapped bytea)
returns table (subject text, key_id uuid, kek_id text, wrapped bytea)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('eventplane.tenant_id', p_tenant::text, true);
  perform pg_advisory_xact_lock(hashtextextended(p_tenant::text || ' ' || p_subject, 13));
  if eventplane.is_erased(p_tenant, p_subject) then
    return;
  end if;
  insert into eventplane.data_keys (tenant_id, subject, key_id, kek_id, wrapped)
  values (p_tenant, p_subject, p_key_id, p_kek_id, p_wrapped)
  on conflict do nothing;
  return query
    select k.subject, k.key_id, k.kek_id, k.wrapped from eventplane.data_keys k
    where k.tenant_id = p_tenant and k.subject = p_subject;
end $$;

create function eventplane.data_key_destroy(p_tenant uuid, p_subject text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('eventplane.tenant_id', p_tenant::text, true);
  perform pg_advisory_xact_lock(hashtextextended(p_tenant::text || ' ' || p_subject, 13));
  delete from eventplane.data_keys k where k.tenant_id = p_tenant and k.subject = p_subject;
  return found;
end $$;

-- ---- For the keys of all tenants: what an operator's process does when it starts, and every hour --------------------------

create function eventplane.data_keys_sweep() returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_swept bigint;
begin
  delete from eventplane.data_keys k where eventplane.is_erased(k.tenant_id, k.subject);
  get diagnostics v_swept = row_count;
  return v_swept;
end $$;

create function eventplane.data_keys_keks() returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  with recursive kek (id) as (
    (select k.kek_id from eventplane.data_keys k order by k.kek_id limit 1)
    union all
    select (select k.kek_id from eventplane.data_keys k where k.kek_id > kek.id order by k.kek_id limit 1)
    from kek where kek.id is not null
  )
  select id from kek where id is not null
$$;

create function eventplane.data_keys_not_under(p_kek_id text, p_limit integer)
returns table (tenant_id uuid, subject text, key_id uuid, kek_id text, wrapped bytea)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select k.tenant_id, k.subject, k.key_id, k.kek_id, k.wrapped from eventplane.data_keys k
  where k.kek_id < p_kek_id or k.kek_id > p_kek_id
  limit p_limit
$$;

create function eventplane.data_key_rewrap(
  p_tenant uuid, p_key_id uuid, p_before bytea, p_kek_id text, p_wrapped bytea
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  update eventplane.data_keys k set kek_id = p_kek_id, wrapped = p_wrapped
  where k.tenant_id = p_tenant and k.key_id = p_key_id and k.wrapped = p_before
$$;

revoke all on function eventplane.is_erased, eventplane.data_key_add, eventplane.data_key_destroy, eventplane.data_keys_sweep,
  eventplane.data_keys_keks, eventplane.data_keys_not_under, eventplane.data_key_rewrap from public;
grant create on schema eventplane to :prefix_appender;
alter function eventplane.data_keys_sweep owner to :prefix_appender;
alter function eventplane.data_keys_keks owner to :prefix_appender;
alter function eventplane.data_keys_not_under owner to :prefix_appender;
alter function eventplane.data_key_rewrap owner to :prefix_appender;
revoke create on schema eventplane from :prefix_appender;
grant execute on function eventplane.is_erased to :prefix_edge, :prefix_runtime, :prefix_appender;
grant execute on function eventplane.data_key_add, eventplane.data_key_destroy, eventplane.data_keys_sweep,
  eventplane.data_keys_keks, eventplane.data_keys_not_under, eventplane.data_key_rewrap to :prefix_edge;

analyze eventplane.data_keys;

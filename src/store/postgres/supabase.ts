/**
 * The SQL that lets people who are signed in to Supabase read their own tenant through PostgREST (docs/how-to/read-from-supabase.md).
 *
 * PostgREST begins a transaction for each request, becomes the role `authenticated` and puts the verified token's claims into
 * `request.jwt.claims` (https://postgrest.org/en/stable/references/transactions.html). The tenant is `app_metadata.tenant_id` of the
 * claims, which only the server can write; `user_metadata` is the user's own and decides nothing.
 */
import { assertRolePrefix } from "./roles.js";

/** Claims that are no UUID, or none, are no tenant. */
const claimedTenant = `(select case
      when claim ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then claim::uuid
    end
    from (select nullif(current_setting('request.jwt.claims', true), '')::json #>> '{app_metadata,tenant_id}' as claim) claims)`;

const text = `-- Eventplane for Supabase: made by evtctl migrate supabase. It can be run again.
-- Run it as the owner of evtctl migrate up, then add eventplane_api to the exposed schemas of the API settings.

do $$
begin
  if not exists (select from pg_roles where rolname = ':prefix_supabase') then
    create role :prefix_supabase nologin;
  end if;
end
$$;
grant :prefix_supabase to current_user;
create schema if not exists eventplane_api authorization :prefix_supabase;

-- The views read as a role of their own, which row security holds to the tenant of the claims. Who is signed in has rights on the
-- views only, never on the tables.
set role :prefix_owner;
grant usage on schema eventplane to :prefix_supabase;
grant select on eventplane.resources, eventplane.events to :prefix_supabase;
drop policy if exists supabase on eventplane.resources;
create policy supabase on eventplane.resources for select to :prefix_supabase using (tenant_id = ${claimedTenant});
drop policy if exists supabase on eventplane.events;
create policy supabase on eventplane.events for select to :prefix_supabase using (tenant_id = ${claimedTenant});
reset role;

set role :prefix_supabase;
drop view if exists eventplane_api.resources, eventplane_api.events;
create view eventplane_api.resources with (security_barrier = true) as
select tenant_id, aggregate_type, aggregate_id, version, position, generation, lifecycle, phase,
       resource::jsonb -> 'spec' as spec, resource::jsonb -> 'status' as status, resource::jsonb -> 'conditions' as conditions
from eventplane.resources;
-- Without caused_by: who asked is not for everybody in the tenant.
create view eventplane_api.events with (security_barrier = true) as
select tenant_id, position, event_id as id, case kind when 'i' then 'intent' when 'f' then 'fact' else 'internal' end as kind,
       type, schema_version, aggregate_type, aggregate_id, version, generation, source, spec,
       coalesce(status, '{}') as status, coalesce(correlation_id, event_id) as correlation_id, causation_id,
       occurred_at, recorded_at, encode(hash, 'hex') as hash
from eventplane.events;
revoke all on schema eventplane_api from public;
revoke all on all tables in schema eventplane_api from public, anon, authenticated;
grant usage on schema eventplane_api to authenticated;
grant select on eventplane_api.resources, eventplane_api.events to authenticated;
reset role;
`;

/**
 * The SQL for one installation.
 *
 * @throws EventplaneError `config_invalid` for a role prefix that is none
 */
export function supabaseSql(rolePrefix: string): string {
  assertRolePrefix(rolePrefix);
  return text.replaceAll(":prefix", rolePrefix);
}

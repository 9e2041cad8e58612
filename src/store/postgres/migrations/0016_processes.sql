-- Processes with a role each: what an edge asks about all tenants without a login that sees them, and who runs.

-- How projections stand, for operators: sums and the tenants that stand still, never rows.
create policy totals on eventplane.projection_tenants for select to :prefix_totals using (true);
grant select on eventplane.projection_tenants to :prefix_totals;
drop policy totals on eventplane.projection_builds;
create policy totals on eventplane.projection_builds for select to :prefix_totals using (role <> 'retired');
create policy totals on eventplane.heads for select to :prefix_totals using (true);
grant select (tenant_id, position) on eventplane.heads to :prefix_totals;

create function eventplane.projection_summary(p_projection text, p_version bigint) returns table (
  tenants bigint, lag_events numeric, differing bigint, waiting bigint,
  fresh_tenants bigint, fresh_position numeric, fresh_head numeric
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select count(*), coalesce(sum(greatest(0, h.position - b.position)), 0),
    count(*) filter (where t.check_live <> t.check_fresh), count(*) filter (where t.platform_version < p_version),
    count(f.build), coalesce(sum(f.position), 0), coalesce(sum(h.position) filter (where f.build is not null), 0)
  from eventplane.projection_builds b join eventplane.heads h on h.tenant_id = b.tenant_id
  left join eventplane.projection_tenants t on t.tenant_id = b.tenant_id and t.projection = b.projection
  left join eventplane.projection_builds f
    on f.tenant_id = b.tenant_id and f.projection = b.projection and f.role in ('rebuild', 'verify')
  where b.projection = p_projection and b.role = 'live'
$$;

create function eventplane.projection_stopped(p_projection text) returns table (code text, tenants bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select t.failure_code, count(*) from eventplane.projection_tenants t
  where t.projection = p_projection and t.failure_code is not null group by t.failure_code
$$;

create function eventplane.projection_stopped_tenants(p_projection text, p_limit integer)
returns table (tenant_id uuid, code text, message text, failed_position bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select t.tenant_id, t.failure_code, t.failure_message, t.failure_position from eventplane.projection_tenants t
  where t.projection = p_projection and t.failure_code is not null order by t.tenant_id limit p_limit
$$;

grant create on schema eventplane to :prefix_totals;
do $$
declare
  v_function text;
begin
  foreach v_function in array array[
    'projection_summary(text, bigint)', 'projection_stopped(text)', 'projection_stopped_tenants(text, integer)'
  ] loop
    execute format('alter function eventplane.%s owner to :prefix_totals', v_function);
    execute format('revoke all on function eventplane.%s from public', v_function);
    execute format('grant execute on function eventplane.%s to :prefix_edge, :prefix_projector', v_function);
  end loop;
end
$$;
revoke create on schema eventplane from :prefix_totals;

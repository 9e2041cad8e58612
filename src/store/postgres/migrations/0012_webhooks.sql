-- Webhooks (docs/adr/0035-webhooks.md). What is wanted of one is in the platform's log; here is how far it is and what is under
-- way: bookkeeping. A delivery is a work row (tenant, 'webhook', id of the event, 'webhook:<id>') of the queue of that name, whose
-- woken_seq is the position of the event, so that it is a dead letter like others when it is given up.

-- A queue that stands still is not walked through for another: webhooks have one each.
alter table eventplane.work drop column queue;
alter table eventplane.work add column queue text collate "C" not null generated always as (
  case when aggregate_type = 'effect' or component = 'replayer' or component like 'webhook:%' then component else '' end) stored;
create index work_due on eventplane.work (tenant_id, queue, due_at) where state = 'ready';

-- A delivery looks up nothing, and who ends it may not look at what others look up.
drop trigger lookups_end on eventplane.work;
create trigger lookups_end before update on eventplane.work
  for each row
  when (new.lease_token is null and new.aggregate_type <> 'effect' and new.component not like 'webhook:%'
    and new.failure_code is null and (new.state = 'idle' or new.state = 'ready' and new.due_at > now()))
  execute function eventplane.lookups_end();

create table eventplane.webhooks (
  tenant_id uuid not null,
  webhook_id uuid not null,
  -- Every event up to here that the webhook means has, or had, its row.
  position bigint not null check (position >= 0),
  -- Nothing has succeeded since then, and something has failed.
  failing_since timestamptz,
  -- How many attempts were noted; the last of them are kept.
  attempts bigint not null default 0,
  primary key (tenant_id, webhook_id)
) with (fillfactor = 50);

create table eventplane.webhook_attempts (
  tenant_id uuid not null,
  webhook_id uuid not null,
  slot integer not null,
  number bigint not null,
  event_id uuid not null,
  position bigint not null,
  attempt integer not null,
  at timestamptz not null,
  -- What it meant for the delivery, and what the receiver did: a status, or why there was none.
  result text collate "C" not null,
  status integer,
  reason text collate "C",
  took_ms integer not null,
  primary key (tenant_id, webhook_id, slot)
) with (fillfactor = 50);

alter table eventplane.webhooks enable row level security;
alter table eventplane.webhooks force row level security;
alter table eventplane.webhook_attempts enable row level security;
alter table eventplane.webhook_attempts force row level security;

-- Edges send, because they alone know who may see what. They have these functions, which see the rows of webhooks only, and no
-- right on the work table beyond what they had.
create policy webhooks_appender on eventplane.webhooks to :prefix_appender using (true) with check (true);
create policy webhooks_edge on eventplane.webhooks for select to :prefix_edge
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);
create policy webhook_attempts_appender on eventplane.webhook_attempts to :prefix_appender using (true) with check (true);
create policy webhook_attempts_edge on eventplane.webhook_attempts for select to :prefix_edge
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);

grant select, insert, update, delete on eventplane.webhooks, eventplane.webhook_attempts to :prefix_appender;
grant select on eventplane.webhooks, eventplane.webhook_attempts to :prefix_edge;
grant insert, delete on eventplane.work to :prefix_appender;
grant execute on function eventplane.work_fail, eventplane.work_release to :prefix_appender;

-- Where webhooks are, and how many of their rows are not done.
create function eventplane.webhook_places(p_tenants uuid[], p_webhooks uuid[])
returns table (webhook_id uuid, event_position bigint, failing_since timestamptz, waiting integer)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select h.webhook_id, h.position, h.failing_since,
    (select count(*)::integer from eventplane.work w
      where w.tenant_id = h.tenant_id and w.queue = 'webhook:' || h.webhook_id and w.state = 'ready')
  from unnest(p_tenants, p_webhooks) g (tenant_id, webhook_id)
  join eventplane.webhooks h on h.tenant_id = g.tenant_id and h.webhook_id = g.webhook_id
$$;

-- Makes rows of the events that a webhook means, and moves its place, in one commit. The first time it is put where it begins.
-- False: another process has moved it.
create function eventplane.webhook_offer(
  p_tenant uuid, p_webhook uuid, p_from bigint, p_to bigint, p_events text[], p_positions bigint[], p_types text[], p_ids text[]
) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into eventplane.webhooks as w (tenant_id, webhook_id, position) values (p_tenant, p_webhook, p_to)
    on conflict (tenant_id, webhook_id) do update set position = p_to where w.position = p_from;
  if not found then return false; end if;
  insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at, woken_seq, stream_type, stream_id)
    select p_tenant, 'webhook', e.id, 'webhook:' || p_webhook, 'ready', clock_timestamp(), e.position, e.stream_type, e.stream_id
    from unnest(p_events, p_positions, p_types, p_ids) e (id, position, stream_type, stream_id)
    on conflict do nothing;
  return true;
end $$;

-- Leases due rows of several webhooks, of each at most so many, those of the lowest positions first; counts the attempt. No webhook has
-- more rows leased than it may have in parallel, whoever claims: who finds one locked leaves it to the other.
create function eventplane.webhook_claim(
  p_tenants uuid[], p_webhooks uuid[], p_limits integer[], p_parallel integer[], p_lease_ms bigint)
returns table (tenant_id uuid, webhook_id uuid, event_id text, event_position bigint, attempt integer, lease_token uuid)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_until timestamptz := v_now + p_lease_ms * interval '1 millisecond';
  v_held uuid[];
begin
  -- A statement of its own: what is leased is counted by the next one, which sees what was committed until here.
  select array_agg(l.webhook_id) into v_held from (
    select h.webhook_id from unnest(p_tenants, p_webhooks) g (tenant_id, webhook_id)
    join eventplane.webhooks h on h.tenant_id = g.tenant_id and h.webhook_id = g.webhook_id
    for update of h skip locked) l;
  if v_held is null then return; end if;
  return query
  with wanted as materialized (
    select g.tenant_id, g.webhook_id, least(g.most, g.parallel - (
      select count(*) from eventplane.work w
      where w.tenant_id = g.tenant_id and w.queue = 'webhook:' || g.webhook_id and w.state = 'ready' and w.lease_until > v_now)) as most
    from unnest(p_tenants, p_webhooks, p_limits, p_parallel) g (tenant_id, webhook_id, most, parallel)
    where g.webhook_id = any (v_held)
  ), picked as materialized (
    select g.tenant_id, g.webhook_id, d.aggregate_id, d.component
    from wanted g
    cross join lateral (
      select w.aggregate_id, w.component from eventplane.work w
      where w.tenant_id = g.tenant_id and w.queue = 'webhook:' || g.webhook_id and w.state = 'ready' and w.due_at <= v_now
      order by w.woken_seq limit greatest(0, g.most) for update skip locked) d
  )
  update eventplane.work w set
    lease_token = gen_random_uuid(), lease_until = v_until, due_at = v_until, attempts = w.attempts + 1,
    claimed_seq = greatest(w.claimed_seq, w.woken_seq)
  from picked p
  where w.tenant_id = p.tenant_id and w.aggregate_type = 'webhook' and w.aggregate_id = p.aggregate_id
    and w.component = p.component
  returning w.tenant_id, p.webhook_id, w.aggregate_id, w.woken_seq, w.attempts, w.lease_token;
end $$;

-- Ends an attempt. p_result: delivered or withheld (the row goes), retried (due again), dead (a dead letter). Notes it among the
-- last p_kept attempts, unless the lease was lost. Returns nothing then, else for how many seconds nothing has succeeded.
create function eventplane.webhook_end(
  p_tenant uuid, p_webhook uuid, p_event text, p_lease_token uuid, p_result text, p_status integer, p_reason text,
  p_took_ms integer, p_retry_after_ms bigint, p_code text, p_message text, p_letter uuid, p_kept integer
) returns setof double precision
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_row eventplane.work;
  v_place eventplane.webhooks;
begin
  select w.* into v_row from eventplane.work w
    where w.tenant_id = p_tenant and w.aggregate_type = 'webhook' and w.aggregate_id = p_event
      and w.component = 'webhook:' || p_webhook and w.lease_token = p_lease_token
    for update;
  if not found then return; end if;
  if p_result in ('delivered', 'withheld') then
    delete from eventplane.work w
      where w.tenant_id = p_tenant and w.aggregate_type = 'webhook' and w.aggregate_id = p_event and w.component = v_row.component;
  else
    perform eventplane.work_fail(
      p_tenant, 'webhook', p_event, v_row.component, p_lease_token, p_retry_after_ms, p_code, p_message, null, '', p_letter);
  end if;
  update eventplane.webhooks h set
    attempts = h.attempts + 1,
    failing_since = case p_result when 'delivered' then null when 'withheld' then h.failing_since
      else coalesce(h.failing_since, v_now) end
  where h.tenant_id = p_tenant and h.webhook_id = p_webhook
  returning h.* into v_place;
  insert into eventplane.webhook_attempts as a
    (tenant_id, webhook_id, slot, number, event_id, position, attempt, at, result, status, reason, took_ms)
  values (p_tenant, p_webhook, v_place.attempts % p_kept, v_place.attempts, p_event::uuid, v_row.woken_seq, v_row.attempts, v_now,
    p_result, p_status, p_reason, p_took_ms)
  on conflict (tenant_id, webhook_id, slot) do update set
    number = excluded.number, event_id = excluded.event_id, position = excluded.position, attempt = excluded.attempt,
    at = excluded.at, result = excluded.result, status = excluded.status, reason = excluded.reason, took_ms = excluded.took_ms;
  return next coalesce(extract(epoch from v_now - v_place.failing_since), 0)::double precision;
end $$;

-- Hands one back as if it had not been claimed.
create function eventplane.webhook_release(
  p_tenant uuid, p_webhook uuid, p_event text, p_lease_token uuid, p_due_after_ms bigint
) returns boolean
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select eventplane.work_release(p_tenant, 'webhook', p_event, 'webhook:' || p_webhook, p_lease_token, p_due_after_ms)
$$;

-- Makes all that waits for another attempt due now.
create function eventplane.webhook_hurry(p_tenant uuid, p_webhook uuid) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  update eventplane.work w set due_at = clock_timestamp()
  where w.tenant_id = p_tenant and w.queue = 'webhook:' || p_webhook and w.state = 'ready' and w.lease_token is null
    and w.due_at > clock_timestamp()
$$;

-- Forgets webhooks that are no more, their dead letters too.
create function eventplane.webhook_forget(p_tenants uuid[], p_webhooks uuid[]) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  with gone as materialized (
    delete from eventplane.webhooks h using unnest(p_tenants, p_webhooks) g (tenant_id, webhook_id)
    where h.tenant_id = g.tenant_id and h.webhook_id = g.webhook_id
    returning h.tenant_id, h.webhook_id
  ), attempts as (
    delete from eventplane.webhook_attempts a using gone g
    where a.tenant_id = g.tenant_id and a.webhook_id = g.webhook_id
  )
  delete from eventplane.work w using gone g
    where w.tenant_id = g.tenant_id and w.component = 'webhook:' || g.webhook_id
$$;

grant create on schema eventplane to :prefix_appender;
do $do$
declare
  v_function text;
begin
  foreach v_function in array array['places', 'offer', 'claim', 'end', 'release', 'hurry', 'forget'] loop
    execute format('alter function eventplane.webhook_%s owner to :prefix_appender', v_function);
    execute format('revoke all on function eventplane.webhook_%s from public', v_function);
    execute format('grant execute on function eventplane.webhook_%s to :prefix_edge', v_function);
  end loop;
end $do$;
revoke create on schema eventplane from :prefix_appender;

analyze eventplane.work, eventplane.webhooks, eventplane.webhook_attempts;

-- The log: heads and events, which only the append functions of 0004 write; the bytes of its hashes; places in it.
--
-- Run as the role :prefix_owner, which owns schema eventplane. Text is compared as bytes (collate "C"), so that neither
-- the order of keys nor an index hangs on the collations of an operating system.

-- One row a tenant: the end of its log. The append that adds events changes it, and nobody else; no second index, so
-- that every change stays on its page (HOT).
create table eventplane.heads (
  tenant_id uuid not null,
  position bigint not null,
  recorded_at timestamptz not null,
  log_epoch integer not null,
  hash bytea not null,
  primary key (tenant_id)
) with (fillfactor = 50);

-- Columns in the order of their alignment: no byte is lost to padding. Payloads are json, never jsonb: the exact text
-- that was hashed. What most events have is null: correlation_id where it is the event's own id, status and finalizers
-- where they are {}, caused_by where it is that of the event cause_back positions before, in the same append. The hash before
-- an event's own is that of the position before it.
--   kind: i intent, f fact, n internal        lifecycle: l live, d deleting, x deleted, n none
create table eventplane.events (
  position bigint not null,
  version bigint not null,
  recorded_at timestamptz not null,
  occurred_at timestamptz,
  decided_at timestamptz,
  basis_version bigint,
  generation integer not null,
  schema_version integer not null,
  log_epoch integer not null,
  step integer,
  tenant_id uuid not null,
  event_id uuid not null,
  correlation_id uuid,
  causation_id uuid,
  kind "char" not null,
  lifecycle "char" not null,
  cause_back smallint,
  aggregate_type text collate "C" not null,
  aggregate_id text collate "C" not null,
  type text collate "C" not null,
  component text collate "C",
  source text collate "C",
  traceparent text collate "C",
  hash bytea not null,
  proof bytea not null,
  status json,
  finalizers json,
  spec json not null,
  caused_by json,
  emits json,
  lookups json,
  key_refs json,
  check ((caused_by is null) = (cause_back is not null)),
  primary key (tenant_id, position),
  unique (tenant_id, event_id),
  unique (tenant_id, aggregate_type, aggregate_id, version)
) :partition_by;

-- The proof of a commit of many events holds a hash of each: random bytes, which nothing compresses.
alter table eventplane.events alter column proof set storage external;

-- Partitions are a choice of the set-up, for very large logs.
do $$
begin
  for n in 0 .. :partitions - 1 loop
    execute format(
      'create table eventplane.events_%s partition of eventplane.events for values with (modulus :partitions, remainder %s)',
      n, n
    );
  end loop;
end
$$;

-- Traces. An event that opens its correlation (most intents do) is found by its id and costs no entry here.
create index events_correlation on eventplane.events (tenant_id, correlation_id, position)
  where correlation_id is not null;

-- ---- The log never changes (P2) --------------------------------------------------------------------------------------

create function eventplane.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'eventplane: % of %.% is refused, the log never changes', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end
$$;

create trigger events_unchanging before update or delete on eventplane.events
  for each row execute function eventplane.refuse_change();
create trigger heads_undeleted before delete on eventplane.heads
  for each row execute function eventplane.refuse_change();

do $$
declare
  v_table regclass;
begin
  -- Row triggers reach the partitions by themselves, truncate triggers and row security do not.
  for v_table in
    select 'eventplane.heads'::regclass union select 'eventplane.events' union select relid from pg_partition_tree('eventplane.events')
  loop
    execute format('create trigger untruncated before truncate on %s execute function eventplane.refuse_change()', v_table);
    execute format('alter table %s enable always trigger untruncated', v_table);
    execute format('alter table %s enable row level security, force row level security', v_table);
    execute format(
      'create policy tenant on %s for select to :prefix_edge, :prefix_runtime, :prefix_reader, :prefix_projector, :prefix_auditor
         using (tenant_id = (select nullif(current_setting(''eventplane.tenant_id'', true), ''''))::uuid)', v_table);
    execute format('create policy owner_backup on %s for select to :prefix_owner using (true)', v_table);
    execute format('create policy appender_read on %s for select to :prefix_appender using (true)', v_table);
    execute format('create policy appender_add on %s for insert to :prefix_appender with check (true)', v_table);
    if v_table <> 'eventplane.heads'::regclass then
      execute format('alter table %s enable always trigger events_unchanging', v_table);
    end if;
  end loop;
end
$$;
alter table eventplane.heads enable always trigger heads_undeleted;
create policy appender_move on eventplane.heads for update to :prefix_appender using (true) with check (true);

-- ---- Grants ----------------------------------------------------------------------------------------------------------

revoke all on schema eventplane from public;
grant usage on schema eventplane to :prefix_appender, :prefix_edge, :prefix_runtime, :prefix_reader, :prefix_projector, :prefix_auditor;
grant select on eventplane.heads, eventplane.events
  to :prefix_edge, :prefix_runtime, :prefix_reader, :prefix_projector, :prefix_auditor;
grant select, insert on eventplane.events to :prefix_appender;
grant select, insert, update on eventplane.heads to :prefix_appender;

-- ---- Bytes of §13.1 --------------------------------------------------------------------------------------------------

-- Bodies are bound when they are created, so no search_path can bend them, and they are inlined into their callers: what
-- uses convert_to or array_send must be declared stable for that, as these are.
--
-- f of a list is what array_send writes of it behind its header of 20 bytes: for each element its length in four bytes and
-- its bytes, or ffffffff for null. Putting it together from single fields took five times the expressions, and starting
-- expressions is most of what a lone event costs.
-- JSON enters as the hash of its bytes.
create function eventplane.json_hash(value text) returns bytea language sql stable parallel safe
  return sha256(convert_to(value, 'UTF8'));
-- Of an object that is {} where it is null.
create function eventplane.object_hash(value text) returns bytea language sql stable parallel safe
  return coalesce(eventplane.json_hash(value), '\x44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'::bytea);
-- Microseconds since 1970, exact.
create function eventplane.us(value timestamptz) returns bigint language sql immutable parallel safe
  return (extract(epoch from value at time zone 'UTC') * 1000000)::bigint;

create function eventplane.content_hash(
  tenant_id uuid, event_id uuid, kind text, type text, aggregate_type text, aggregate_id text, source text,
  correlation_id uuid, causation_id uuid, occurred_at timestamptz, spec text
) returns bytea language sql stable parallel safe
  return sha256('eventplane.content.v1\012'::bytea || substr(array_send(array[
    uuid_send(tenant_id), uuid_send(event_id), convert_to(kind, 'UTF8'), convert_to(type, 'UTF8'), convert_to(aggregate_type, 'UTF8'),
    convert_to(aggregate_id, 'UTF8'), convert_to(source, 'UTF8'), uuid_send(correlation_id), uuid_send(causation_id),
    int8send(eventplane.us(occurred_at)), eventplane.json_hash(spec)
  ]), 21));
-- causedBy comes as its hash: it is the same in all events of a request.
create function eventplane.event_digest(
  content bytea, schema_version bigint, key_refs text, status text, finalizers text, component text,
  basis_version bigint, step bigint, decided_at timestamptz, emits text, lookups text, traceparent text, caused_by_hash bytea
) returns bytea language sql stable parallel safe
  return sha256('eventplane.digest.v1\012'::bytea || content || substr(array_send(array[
    int8send(schema_version), eventplane.json_hash(key_refs), eventplane.object_hash(status), eventplane.object_hash(finalizers),
    convert_to(component, 'UTF8'), int8send(basis_version), int8send(step), int8send(eventplane.us(decided_at)),
    eventplane.json_hash(emits), eventplane.json_hash(lookups), convert_to(traceparent, 'UTF8'), caused_by_hash
  ]), 21));
-- The same of an event without a decision and with the status {}; finalizers null are {}.
create function eventplane.published_digest(
  content bytea, schema_version bigint, key_refs text, finalizers text, traceparent text, caused_by_hash bytea
) returns bytea language sql stable parallel safe
  return sha256('eventplane.digest.v1\012'::bytea || content || substr(array_send(array[
    int8send(schema_version), eventplane.json_hash(key_refs), '\x44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'::bytea,
    eventplane.object_hash(finalizers), null, null, null, null, null, null, convert_to(traceparent, 'UTF8'), caused_by_hash
  ]), 21));
create function eventplane.chain_hash(
  previous_hash bytea, "position" bigint, version bigint, recorded_at_us bigint, digest bytea, proof_hash bytea
) returns bytea language sql immutable parallel safe
  return sha256(
    'eventplane.chain.v1\012'::bytea || previous_hash || int8send("position") || int8send(version)
    || int8send(recorded_at_us) || digest || proof_hash
  );
create function eventplane.genesis_hash(tenant_id uuid, log_epoch bigint) returns bytea language sql immutable parallel safe
  return sha256('eventplane.genesis.v1\012'::bytea || uuid_send(tenant_id) || int8send(log_epoch));

-- ---- Places in the log ----------------------------------------------------------------------------------------------

-- Times never fall along positions, and positions never fall along versions, so a bound on one is found on the other by
-- halving: some twenty probes of an index that is there anyway, instead of one more index to write.
--
-- Here and in append, a probe by key is written as a range in the order of its index, with a limit. On a table without
-- statistics all indexes that begin with tenant_id cost the same for an equality, and a plan that reads the whole tenant
-- was chosen and kept (800 look-ups: 1,600 ms instead of 8). Only one index has the order.

-- The greatest position of the current tenant recorded before p_time.
create function eventplane.position_before(p_tenant uuid, p_time timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_low bigint := 0;
  v_high bigint := coalesce((select h.position from eventplane.heads h where h.tenant_id = p_tenant), 0);
  v_middle bigint;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    if (
      select e.recorded_at from eventplane.events e
      where e.tenant_id = p_tenant and e.position >= v_middle
      order by e.position
      limit 1
    ) < p_time then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end
$$;

-- The greatest version of a stream of the current tenant whose position is at most p_position.
create function eventplane.version_at(p_tenant uuid, p_aggregate_type text, p_aggregate_id text, p_position bigint) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_low bigint := 0;
  v_high bigint := coalesce((
    select e.version from eventplane.events e
    where e.tenant_id = p_tenant and e.aggregate_type = p_aggregate_type and e.aggregate_id = p_aggregate_id
    order by e.version desc
    limit 1
  ), 0);
  v_middle bigint;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    if (
      select e.position from eventplane.events e
      where e.tenant_id = p_tenant and e.aggregate_type = p_aggregate_type and e.aggregate_id = p_aggregate_id
        and e.version >= v_middle
      order by e.version
      limit 1
    ) <= p_position then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end
$$;

-- ---- Rights of the functions ------------------------------------------------------------------------------------------

revoke all on all functions in schema eventplane from public;
grant execute on function
  eventplane.position_before(uuid, timestamptz), eventplane.version_at(uuid, text, text, bigint)
  to :prefix_edge, :prefix_runtime, :prefix_reader, :prefix_projector, :prefix_auditor;
grant execute on function
  eventplane.json_hash(text), eventplane.object_hash(text), eventplane.us(timestamptz), eventplane.genesis_hash(uuid, bigint),
  eventplane.content_hash(uuid, uuid, text, text, text, text, text, uuid, uuid, timestamptz, text),
  eventplane.event_digest(bytea, bigint, text, text, text, text, bigint, bigint, timestamptz, text, text, text, bytea),
  eventplane.published_digest(bytea, bigint, text, text, text, bytea),
  eventplane.chain_hash(bytea, bigint, bigint, bigint, bytea, bytea)
  to :prefix_appender, :prefix_auditor;
grant execute on function eventplane.genesis_hash(uuid, bigint) to :prefix_runtime;

-- append_edge and append_derived: the only way into the log (docs/adr/0004-append-function.md).

-- A call is a text of six parts apart by 0x1d; lists within a part are apart by 0x1f; an empty field is null.
--   1 tenants   ids, ascending
--   2 proofs    of commits, hex
--   3 causes    causedBy texts
--   4 leases    six to a lease: number of its append, aggregate_type, aggregate_id, component, token, due_after_ms
--   5 numbers   array literals. One element an append: 1 number of its last event. One a stream: 2 number of its first event.
--               One an event, the numbers of its: 3 tenant, 4 stream, 5 proof, 6 leaf (from 0), 7 cause; then 8 effect
--               (1 creates, 2 updates, 3 deletes, 4 system, 5 derived, 6 finishes), 9 expected version (-1 any, -2 some,
--               0 none), 10 expected generation (-1 any), 11 if there is one that is not 0: number of the first event of the call with
--               the same id, or -1 where an earlier event of its append has it
--   6 events    eight to an event: 1 kind (i, f, n), 2 id, 3 aggregate_type, 4 aggregate_id, 5 type, 6 schema_version,
--               7 spec, 8 what few have, apart by 0x1e: 1 correlation_id if not the id, 2 causation_id, 3 occurred_at,
--               4 source, 5 traceparent, 6 key_refs, 7 finalizers and 8 status if not {}, and of a decision 9 component,
--               10 basis_version, 11 step, 12 decided_at, 13 emits, 14 lookups
--
-- The answer is a text of eight lists apart by 0x1f, elements apart by commas: of the events 1 outcome: added (1), there
-- before (2: the id; 3: deletes that had nothing to do), culprit of a refusal (4), nothing (0); 2 code, 3 position,
-- 4 version, 5 generation, 6 lifecycle, 7 hash; of the tenants 8 recorded_at in microseconds. For outcomes 2 and 3 follows 9,
-- for each, apart by 0x1d, what is there, apart by 0x1e: number of the event, position, version, generation, lifecycle,
-- hash, recorded_at, id, aggregate_type, aggregate_id, correlation_id. Expected outcomes are never exceptions; only
-- broken callers meet those.
--
-- The numbers of a call are its caller's: a wrong one ends in an exception or harms nothing but the caller's own proofs. An
-- event is of the tenant and stream that it is hashed for, is added once, and refers only to events of the same call.
-- Arrays begin at 1: one with other bounds could be read at places that it was not checked at.
--
-- A caller may set standard_conforming_strings, so what a check hangs on holds a backslash in e'' only.
--
-- append_edge_one adds one event of the edge, which most calls of an idle plane have; it answers null where something is to
-- be looked at that append_edge looks at, and has done nothing then.
--
-- One body makes both other functions; a function around a shared one would cost every call a tenth. A call of one event is
-- mostly the starting of expressions and statements, so there are few of them, and what a tier never has is not in its
-- function; a call of many is mostly copying, so that what events share comes once.

-- What is wrong with an event for its stream, in the order in which it is asked: lifecycle, generation, version. Null: nothing;
-- `nothing`: it is a deletion that has nothing to do.
create function eventplane.append_refusal(
  effect integer, lifecycle "char", expected_generation bigint, generation bigint, expected bigint, version bigint
) returns text language sql immutable parallel safe
  return case
    when lifecycle = 'l' and effect = 1 then 'resource_exists'
    when lifecycle = 'd' and effect < 3 then 'resource_deleting'
    when lifecycle = 'x' and effect = 2 then 'resource_deleted'
    when lifecycle in ('d', 'x') and effect = 3 then 'nothing'
    when lifecycle = 'n' and effect in (3, 5) or lifecycle <> 'd' and effect = 6 then 'wrong_expected_version'
    when expected_generation >= 0 and expected_generation <> generation then 'wrong_expected_generation'
    when expected <> -1 and expected <> version and (expected <> -2 or version = 0) then 'wrong_expected_version'
  end;

-- p_effect, p_expected and p_expected_generation: as the numbers of a call. Answers what is apart by 0x1f: code (empty when
-- added), position, version, generation, lifecycle, hash, recorded_at in microseconds.
create function eventplane.append_edge_one(
  p_tenant uuid, p_proof bytea, p_caused_by text, p_effect integer, p_expected bigint, p_expected_generation bigint, p_kind text,
  p_id uuid, p_aggregate_type text, p_aggregate_id text, p_type text, p_schema_version bigint, p_spec text, p_correlation uuid,
  p_causation uuid, p_occurred_at timestamptz, p_source text, p_traceparent text, p_key_refs text, p_finalizers text
) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_position bigint;
  v_recorded_at timestamptz;
  v_recorded_us bigint;
  v_hash bytea;
  v_epoch integer;
  v_known boolean;
  v_version bigint;
  v_generation integer;
  v_lifecycle "char";
  v_code text;
begin
  if (get_byte(uuid_send(p_id), 6) >> 4 in (4, 7, 8)
    and case p_kind when 'intent' then p_source is null and p_effect between 1 and 3
                    when 'fact' then (p_source is null) = (p_effect = 4) and p_effect between 1 and 4
                    else false end
    and octet_length(p_aggregate_type) <= 64 and octet_length(p_aggregate_id) <= 128 and octet_length(p_type) <= 128
    and concat(p_aggregate_type, p_aggregate_id, p_type) ~ '^[A-Za-z0-9._:-]*$' and (strpos(p_finalizers, chr(92)) = 0) is not false
    and octet_length(concat(p_caused_by, p_spec, p_source, p_traceparent, p_key_refs, p_finalizers)) + length(p_proof) <= 8388608
    and left(p_spec, 1) = '{' and left(p_caused_by, 1) = '{' and coalesce(left(p_finalizers, 1), '{') = '{'
    and (p_occurred_at between '1684-07-28 00:12:25.259009+00' and '2255-06-05 23:47:34.740991+00') is not false) is not true then
    raise exception 'eventplane: the edge tier may not append %', p_id using errcode = 'insufficient_privilege';
  end if;

  -- The head is locked by a statement of its own; the clock is read above the lock.
  select position, recorded_at, eventplane.us(recorded_at), hash, log_epoch
    into v_position, v_recorded_at, v_recorded_us, v_hash, v_epoch
  from (
    select position, greatest(clock_timestamp(), recorded_at) as recorded_at, hash, log_epoch
    from (select h.position, h.recorded_at, h.hash, h.log_epoch from eventplane.heads h where h.tenant_id = p_tenant for update) locked
    offset 0
  ) now_locked;
  if v_position is null then return null; end if;
  select ids.known, streams.version, streams.generation, streams.lifecycle
    into v_known, v_version, v_generation, v_lifecycle
  from (select 1 offset 0) one
  left join lateral (
    select true as known from eventplane.events e
    where e.tenant_id = p_tenant and e.event_id >= p_id and e.event_id <= p_id
    order by e.event_id
    limit 1
  ) ids on true
  left join lateral (
    select e.version, e.generation, e.lifecycle from eventplane.events e
    where e.tenant_id = p_tenant and e.aggregate_type = p_aggregate_type and e.aggregate_id = p_aggregate_id
    order by e.version desc
    limit 1
  ) streams on true;
  if v_known then return null; end if;
  if v_version is null then
    v_version := 0;
    v_generation := 0;
    v_lifecycle := 'n';
  end if;
  v_code := eventplane.append_refusal(p_effect, v_lifecycle, p_expected_generation, v_generation, p_expected, v_version);
  if v_code = 'nothing' then return null; end if;
  if v_code is not null then
    return concat_ws(e'\x1f', v_code, '', v_version, v_generation, v_lifecycle, '', '');
  end if;

  insert into eventplane.events (
    position, version, recorded_at, occurred_at, generation, schema_version, log_epoch, tenant_id, event_id, correlation_id,
    causation_id, kind, lifecycle, aggregate_type, aggregate_id, type, source, traceparent, hash, proof, finalizers, spec,
    caused_by, key_refs
  )
  values (
    v_position + 1, v_version + 1, v_recorded_at, p_occurred_at, v_generation + (p_effect < 4)::integer, p_schema_version, v_epoch,
    p_tenant, p_id, p_correlation, p_causation, case p_kind when 'intent' then 'i'::"char" else 'f' end,
    case p_effect when 3 then 'd'::"char" when 4 then v_lifecycle else 'l' end, p_aggregate_type, p_aggregate_id, p_type, p_source,
    p_traceparent,
    eventplane.chain_hash(v_hash, v_position + 1, v_version + 1, v_recorded_us,
      eventplane.published_digest(
        eventplane.content_hash(p_tenant, p_id, p_kind, p_type, p_aggregate_type, p_aggregate_id, p_source,
          coalesce(p_correlation, p_id), p_causation, p_occurred_at, p_spec),
        p_schema_version, p_key_refs, p_finalizers, p_traceparent, sha256(convert_to(p_caused_by, 'UTF8'))),
      sha256('\x00000000'::bytea || p_proof)),
    '\x00000000'::bytea || p_proof, p_finalizers::json, p_spec::json, p_caused_by::json, p_key_refs::json
  )
  returning hash, generation, lifecycle into v_hash, v_generation, v_lifecycle;
  update eventplane.heads set position = v_position + 1, recorded_at = v_recorded_at, hash = v_hash where tenant_id = p_tenant;
  return concat_ws(e'\x1f', '', v_position + 1, v_version + 1, v_generation, v_lifecycle, encode(v_hash, 'hex'), v_recorded_us);
end
$$;

do $make$
declare
  v_function record;
  -- The fields of each event, typed, and their hashes. Each `offset 0` keeps a step apart, so that the next one works on
  -- plain columns; only then are the functions inlined (a tenfold difference).
  v_hashed constant text := $hashed$
      select id, allowed, :digest as digest
      from (
        select *,
               eventplane.content_hash(tenant, id, kind, type, aggregate_type, aggregate_id, source, correlation_id, causation_id,
                 occurred_at, spec) as content,
               tenant is not null and cause_hash is not null and is_of_stream and left(spec, 1) = '{' and coalesce(left(finalizers, 1), '{') = '{'
               -- Names that an index could not hold, or escapes in names, of which some are no text.
               and octet_length(aggregate_type) <= 64 and octet_length(aggregate_id) <= 128 and octet_length(type) <= 128
               and (strpos(finalizers, chr(92)) = 0) is not false
               -- What could not be read again: microseconds beyond a safe integer.
               and (occurred_at between '1684-07-28 00:12:25.259009+00' and '2255-06-05 23:47:34.740991+00') is not false
               and :allowed as allowed
        from (
          select t_tenant[v_tenant[i]] as tenant, c_hash[v_cause[i]] as cause_hash, v_effect[i] as effect,
                 v_tenant[i] = v_tenant[first] and f[b + 3] = f[first * 8 - 5] and f[b + 4] = f[first * 8 - 4] as is_of_stream,
                 case f[b + 1] when 'i' then 'intent' when 'f' then 'fact' when 'n' then 'internal' end as kind,
                 f[b + 2]::uuid as id, f[b + 3] as aggregate_type, f[b + 4] as aggregate_id, f[b + 5] as type,
                 f[b + 6]::bigint as schema_version, f[b + 7] as spec, coalesce(r[1], f[b + 2])::uuid as correlation_id,
                 r[2]::uuid as causation_id, r[3]::timestamptz as occurred_at, r[4] as source, r[5] as traceparent,
                 r[6] as key_refs, r[7] as finalizers, r[8] as status:decided
          from (
            select i, i * 8 - 8 as b, s_first[v_stream[i]] as first, string_to_array(f[i * 8], e'\x1e', '') as r
            from generate_series(1, n) i
            offset 0
          ) at_field
          offset 0
        ) typed
        offset 0
      ) named
$hashed$;
  v_body constant text := $body$
#variable_conflict use_column
declare
  v_part text[] := string_to_array(p_call, e'\x1d');
  t_tenant uuid[] := string_to_array(v_part[1], e'\x1f')::uuid[];
  p_proof text[] := string_to_array(v_part[2], e'\x1f');
  c_text text[] := string_to_array(v_part[3], e'\x1f');
  x text[] := string_to_array(v_part[5], e'\x1f', '');
  f text[] := string_to_array(v_part[6], e'\x1f', '');
  n integer := cardinality(f) / 8;
  a_last integer[] := x[1]::integer[];
  s_first integer[] := x[2]::integer[];
  v_tenant integer[] := x[3]::integer[];
  v_stream integer[] := x[4]::integer[];
  v_proof integer[] := x[5]::integer[];
  v_leaf smallint[] := x[6]::smallint[];
  v_cause integer[] := x[7]::integer[];
  v_effect integer[] := x[8]::integer[];
  v_expected bigint[] := x[9]::bigint[];
  v_expected_generation bigint[] := x[10]::bigint[];
  v_twin integer[] := x[11]::integer[];
  c_json json[];
  c_hash bytea[];
  -- One element an event of the call.
  v_id uuid[];
  v_digest bytea[];
  v_same boolean[];
  v_outcome integer[];
  v_code text[];
  v_position bigint[];
  v_version bigint[];
  v_generation integer[];
  v_lifecycle "char"[];
  v_stored_proof bytea[];
  v_cause_back smallint[];
  v_hash bytea[];
  v_holder integer[];
  -- One element a stream: what earlier events of the call made of it.
  s_version bigint[];
  s_generation integer[];
  s_lifecycle "char"[];
  -- What an append under way has made of streams that it has left, to undo it.
  u_stream integer[];
  u_version bigint[];
  u_generation integer[];
  u_lifecycle "char"[];
  -- One element a tenant.
  t_position bigint[];
  t_recorded_at timestamptz[];
  t_recorded_us bigint[];
  t_hash bytea[];
  t_epoch integer[];
  v_misplaced text;
  v_leases text[];
  v_known boolean;
  v_repeated boolean;
  v_refer boolean := false;
  v_refers text;
  v_first integer := 1;
  v_last integer;
  v_bad integer;
  v_bad_code text;
  v_unknown integer;
  v_differs boolean;
  v_state "char";
  v_version_now bigint;
  v_generation_now integer;
  v_position_now bigint;
  v_position_before bigint;
  v_hash_now bytea;
  v_hash_before bytea;
  v_proof_now integer;
  v_proof_before integer;
  v_cause_now integer;
  v_cause_at bigint;
  v_carrier bigint;
  v_carrier_before bigint;
  k integer;
  s integer;
  t integer := 0;
begin
  if octet_length(p_call) > 8388608 or n not between 1 and 1000 or cardinality(f) % 8 <> 0 or cardinality(v_part) <> 6
     or strpos(v_part[5], '[') > 0 or a_last[cardinality(a_last)] is distinct from n then
    raise exception 'eventplane: a call of % bytes and % events is no call of append', octet_length(p_call), n
      using errcode = 'protocol_violation';
  end if;
  for t in 2 .. cardinality(t_tenant) loop
    if (t_tenant[t - 1] < t_tenant[t]) is not true then
      raise exception 'eventplane: the tenants of a call ascend' using errcode = 'protocol_violation';
    end if;
  end loop;

  -- Hashes, before the locks.
  for k in 1 .. cardinality(c_text) loop
    c_hash[k] := case when left(c_text[k], 1) = '{' then sha256(convert_to(c_text[k], 'UTF8')) end;
  end loop;
  select array_agg(id), array_agg(digest), string_agg(case when allowed then null else coalesce(id::text, 'null') end, ', ')
    into v_id, v_digest, v_misplaced
  from (:hashed) hashed;
  if v_misplaced is not null then
    raise exception 'eventplane: the :tier tier may not append %', v_misplaced using errcode = 'insufficient_privilege';
  end if;

  -- Heads: missing ones first, then all locked in the order of tenants, by statements of their own: what follows must
  -- see what the holders of the locks before us wrote. Who waits for an insertion holds no lock that another waits for,
  -- so a call of several tenants inserts before it locks; a call of one tenant need not look twice.
  for pass in 1 .. 2 loop
    if pass = 2 or cardinality(t_tenant) > 1 then
      insert into eventplane.heads (tenant_id, position, recorded_at, log_epoch, hash)
      select tenant, 0, 'epoch', 1, eventplane.genesis_hash(tenant, 1)
      from unnest(t_tenant) tenant
      where not exists (select from eventplane.heads h where h.tenant_id = tenant)
      order by tenant
      on conflict (tenant_id) do nothing;
    end if;
    -- The clock is read under the locks, or a later position could get an earlier time.
    select array_agg(position), array_agg(recorded_at), array_agg(eventplane.us(recorded_at)), array_agg(hash), array_agg(log_epoch)
      into t_position, t_recorded_at, t_recorded_us, t_hash, t_epoch
    from (
      select position, greatest(clock_timestamp(), recorded_at) as recorded_at, hash, log_epoch
      from (
        select position, recorded_at, hash, log_epoch from eventplane.heads where tenant_id = any (t_tenant) order by tenant_id for update
      ) locked
      offset 0
    ) now_locked;
    exit when t_position is not null;
  end loop;

  -- Which ids are known, with which content, and where the streams stand.
  select ids.same, ids.known, streams.version, streams.generation, streams.lifecycle
    into v_same, v_known, s_version, s_generation, s_lifecycle
  from (
    select array_agg(known.same) as same, bool_or(known.same is not null) as known
    from (
      select t_tenant[v_tenant[i]] as tenant, v_id[i] as id, i * 8 - 8 as b from generate_series(1, n) i offset 0
    ) event
    left join lateral (
      select (e.kind::text, e.type, e.aggregate_type, e.aggregate_id,
              coalesce(e.correlation_id, e.event_id), e.spec::text)
               = (f[b + 1], f[b + 5], f[b + 3], f[b + 4], coalesce(r[1]::uuid, event.id), f[b + 7])
             and e.source is not distinct from r[4] and e.causation_id is not distinct from r[2]::uuid
             and e.occurred_at is not distinct from r[3]::timestamptz
             and (':tier' = 'edge' or (e.status::text is not distinct from r[8] and e.finalizers::text is not distinct from r[7]))
             as same
      from eventplane.events e, lateral (select string_to_array(f[b + 8], e'\x1e', '') as r offset 0) rest
      where e.tenant_id = event.tenant and e.event_id >= event.id and e.event_id <= event.id
      order by e.event_id
      limit 1
    ) known on true
  ) ids, (
    select array_agg(coalesce(stream.version, 0)) as version, array_agg(coalesce(stream.generation, 0)) as generation,
           array_agg(coalesce(stream.lifecycle, 'n')) as lifecycle
    from (
      select t_tenant[v_tenant[first]] as tenant, f[first * 8 - 5] collate "C" as aggregate_type,
             f[first * 8 - 4] collate "C" as aggregate_id
      from unnest(s_first) first offset 0
    ) name
    left join lateral (
      select e.version, e.generation, e.lifecycle
      from eventplane.events e
      where e.tenant_id = name.tenant and e.aggregate_type = name.aggregate_type and e.aggregate_id = name.aggregate_id
      order by e.version desc
      limit 1
    ) stream on true
  ) streams;
  -- An id twice in the call is looked at like one that is known.
  v_known := v_known or v_twin is not null;

  -- The appends, in the order in which they came.
  for a in 1 .. cardinality(a_last) loop
    v_last := a_last[a];
    if (v_last >= v_first) is not true then
      raise exception 'eventplane: the appends of a call follow each other' using errcode = 'protocol_violation';
    end if;
    v_bad := 0;
    v_repeated := false;

    -- Ids first (P5): an id twice in one append, known ids, other content.
    if v_known then
      v_unknown := 0;
      v_differs := false;
      for i in v_first .. v_last loop
        k := coalesce(nullif(v_twin[i], 0), i);
        if k < 0 or k > i then
          v_bad := i;
          v_bad_code := 'content_mismatch';
          exit;
        end if;
        if v_holder[k] is not null and v_same[i] is null then
          k := v_holder[k];
          v_same[i] := v_id[i] = v_id[k] and v_tenant[i] = v_tenant[k] and (
            select (f[b + 1], f[b + 3], f[b + 4], f[b + 5], f[b + 7]) = (f[d + 1], f[d + 3], f[d + 4], f[d + 5], f[d + 7])
                   and (r[1], r[2], r[3]::timestamptz, r[4]) is not distinct from (q[1], q[2], q[3]::timestamptz, q[4])
                   and (':tier' = 'edge' or (r[7], r[8]) is not distinct from (q[7], q[8]))
            from (select i * 8 - 8 as b, k * 8 - 8 as d, string_to_array(f[i * 8], e'\x1e', '') as r,
                         string_to_array(f[k * 8], e'\x1e', '') as q offset 0) both_of);
        end if;
        if v_same[i] is null then
          -- A deletion that has nothing to do left no id behind when it was appended.
          if v_effect[i] = 3 and s_lifecycle[v_stream[i]] in ('d', 'x') then continue; end if;
          if v_unknown = 0 then v_unknown := i; end if;
        else
          v_repeated := true;
          if not v_same[i] then
            v_differs := true;
            if v_bad = 0 then v_bad := i; end if;
          end if;
        end if;
      end loop;
      if v_bad_code is not null then
        v_repeated := false;
      elsif v_repeated then
        v_differs := v_differs or v_unknown > 0;
        if ':tier' = 'edge' and v_differs then
          v_bad_code := 'content_mismatch';
          if v_bad = 0 then v_bad := v_unknown; end if;
        else
          v_bad := 0;
          v_refer := true;
          v_code := coalesce(v_code, array_fill(null::text, array[n]));
          for i in v_first .. v_last loop
            v_outcome[i] := case when v_same[i] is not null then 2 when ':tier' = 'edge' then 3 else 0 end;
            v_version[i] := s_version[v_stream[i]];
            v_position[i] := null;
            v_generation[i] := null;
            v_lifecycle[i] := null;
            v_hash[i] := null;
            if v_differs then v_code[i] := 'content_differs'; end if;
          end loop;
        end if;
      end if;
    end if;

    -- Then, event by event: lifecycle, generation, version, and the chain. Each sees those before it. The first event of a
    -- commit keeps its proof, the others refer to it.
    if v_bad_code is null and not v_repeated then
      if v_tenant[v_first] <> t then
        if t > 0 then
          t_position[t] := v_position_now;
          t_hash[t] := v_hash_now;
        end if;
        t := v_tenant[v_first];
        v_position_now := t_position[t];
        v_hash_now := t_hash[t];
        v_proof_now := 0;
        v_carrier := null;
      end if;
      if v_last > v_first or ':tier' = 'runtime' then
        v_position_before := v_position_now;
        v_hash_before := v_hash_now;
        v_proof_before := v_proof_now;
        v_carrier_before := v_carrier;
      end if;
      s := 0;
      v_cause_now := 0;
      for i in v_first .. v_last loop
        if v_stream[i] <> s then
          if v_tenant[i] <> t then
            raise exception 'eventplane: an append is of one tenant' using errcode = 'protocol_violation';
          end if;
          if s > 0 then
            u_stream := u_stream || s;
            u_version := u_version || s_version[s];
            u_generation := u_generation || s_generation[s];
            u_lifecycle := u_lifecycle || s_lifecycle[s];
            s_version[s] := v_version_now;
            s_generation[s] := v_generation_now;
            s_lifecycle[s] := v_state;
          end if;
          s := v_stream[i];
          v_version_now := s_version[s];
          v_generation_now := s_generation[s];
          v_state := s_lifecycle[s];
        end if;
        v_bad_code := eventplane.append_refusal(v_effect[i], v_state, v_expected_generation[i], v_generation_now, v_expected[i], v_version_now);
        if v_bad_code is null then
          v_version_now := v_version_now + 1;
          if v_effect[i] < 4 then
            v_generation_now := v_generation_now + 1;
            v_state := case v_effect[i] when 3 then 'd' else 'l' end;
          elsif v_effect[i] = 6 then
            v_state := 'x';
          end if;
          v_position_now := v_position_now + 1;
          if v_proof[i] <> v_proof_now then
            v_proof_now := v_proof[i];
            v_carrier := v_position_now;
            v_stored_proof[i] := int2send(v_leaf[i]) || '\x0000'::bytea || decode(p_proof[v_proof_now], 'hex');
          else
            v_stored_proof[i] := int2send(v_leaf[i]) || int2send((v_position_now - v_carrier)::smallint);
          end if;
          if v_cause[i] <> v_cause_now then
            v_cause_now := v_cause[i];
            v_cause_at := v_position_now;
          else
            v_cause_back[i] := v_position_now - v_cause_at;
          end if;
          v_hash_now := eventplane.chain_hash(v_hash_now, v_position_now, v_version_now, t_recorded_us[t], v_digest[i], sha256(v_stored_proof[i]));
          v_outcome[i] := 1;
          v_position[i] := v_position_now;
          v_version[i] := v_version_now;
          v_generation[i] := v_generation_now;
          v_lifecycle[i] := v_state;
          v_hash[i] := v_hash_now;
        elsif v_bad_code = 'nothing' then
          v_bad_code := null;
          v_outcome[i] := 3;
          v_position[i] := null;
          v_version[i] := v_version_now;
          v_generation[i] := null;
          v_lifecycle[i] := null;
          v_hash[i] := null;
          v_refer := true;
        else
          v_bad := i;
          exit;
        end if;
      end loop;
      :settle
      if v_bad_code is null then
        s_version[s] := v_version_now;
        s_generation[s] := v_generation_now;
        s_lifecycle[s] := v_state;
        if v_known then
          for i in v_first .. v_last loop
            if v_outcome[i] = 1 then v_holder[coalesce(nullif(v_twin[i], 0), i)] := i; end if;
          end loop;
        end if;
      elsif v_last > v_first or ':tier' = 'runtime' then
        v_position_now := v_position_before;
        v_hash_now := v_hash_before;
        v_proof_now := v_proof_before;
        v_carrier := v_carrier_before;
        for k in reverse coalesce(cardinality(u_stream), 0) .. 1 loop
          s_version[u_stream[k]] := u_version[k];
          s_generation[u_stream[k]] := u_generation[k];
          s_lifecycle[u_stream[k]] := u_lifecycle[k];
        end loop;
      end if;
      if u_stream is not null then
        u_stream := null;
        u_version := null;
        u_generation := null;
        u_lifecycle := null;
      end if;
    end if;
    if v_bad_code is not null then
      v_code := coalesce(v_code, array_fill(null::text, array[n]));
      for i in v_first .. v_last loop
        v_outcome[i] := 0;
        v_position[i] := null;
        v_version[i] := null;
        v_generation[i] := null;
        v_lifecycle[i] := null;
        v_hash[i] := null;
      end loop;
      s := v_stream[v_bad];
      v_outcome[v_bad] := 4;
      v_code[v_bad] := v_bad_code;
      v_version[v_bad] := s_version[s];
      v_generation[v_bad] := s_generation[s];
      v_lifecycle[v_bad] := s_lifecycle[s];
      v_bad_code := null;
    end if;
    v_first := v_last + 1;
  end loop;

  if t > 0 then
    t_position[t] := v_position_now;
    t_hash[t] := v_hash_now;
    c_json := c_text::json[];
    insert into eventplane.events (
      position, version, recorded_at, occurred_at, decided_at, basis_version, generation, schema_version, log_epoch, step,
      tenant_id, event_id, correlation_id, causation_id, kind, lifecycle, aggregate_type, aggregate_id, type, component, source,
      traceparent, hash, proof, status, finalizers, spec, caused_by, cause_back, emits, lookups, key_refs
    )
    select v_position[i], v_version[i], t_recorded_at[t], r[3]::timestamptz, r[12]::timestamptz, r[10]::bigint, v_generation[i],
           f[b + 6]::integer, t_epoch[t], r[11]::integer, t_tenant[t], v_id[i], r[1]::uuid, r[2]::uuid, f[b + 1]::"char",
           v_lifecycle[i], f[b + 3], f[b + 4], f[b + 5], r[9], r[4], r[5], v_hash[i], v_stored_proof[i], r[8]::json, r[7]::json,
           f[b + 7]::json, case when v_cause_back[i] is null then c_json[v_cause[i]] end, v_cause_back[i], r[13]::json, r[14]::json, r[6]::json
    from (
      select i, i * 8 - 8 as b, v_tenant[i] as t, string_to_array(f[i * 8], e'\x1e', '') as r
      from generate_series(1, n) i
      where v_outcome[i] = 1
      offset 0
    ) placed;
    update eventplane.heads h
    set position = moved.position, recorded_at = moved.recorded_at, hash = moved.hash
    from unnest(t_tenant, t_position, t_recorded_at, t_hash) moved (tenant, position, recorded_at, hash)
    where h.tenant_id = moved.tenant and h.position <> moved.position;
  end if;

  if v_refer then
    select string_agg(concat_ws(e'\x1e', i, e.position, e.version, e.generation, e.lifecycle, encode(e.hash, 'hex'),
             eventplane.us(e.recorded_at), e.event_id, e.aggregate_type, e.aggregate_id, coalesce(e.correlation_id, e.event_id)),
             e'\x1d' order by i)
      into v_refers
    from (
      select i, t_tenant[v_tenant[i]] as tenant, v_id[i] as id, f[i * 8 - 5] as aggregate_type, f[i * 8 - 4] as aggregate_id
      from generate_series(1, n) i
      offset 0
    ) wanted, lateral (
      (select e.position, e.version, e.generation, e.lifecycle, e.hash, e.recorded_at, e.event_id, e.aggregate_type,
              e.aggregate_id, e.correlation_id
       from eventplane.events e
       where v_outcome[i] = 2 and e.tenant_id = wanted.tenant and e.event_id >= wanted.id and e.event_id <= wanted.id
       order by e.event_id
       limit 1)
      union all
      (select e.position, e.version, e.generation, e.lifecycle, e.hash, e.recorded_at, e.event_id, e.aggregate_type,
              e.aggregate_id, e.correlation_id
       from eventplane.events e
       where v_outcome[i] = 3 and e.tenant_id = wanted.tenant and e.aggregate_type = wanted.aggregate_type
         and e.aggregate_id = wanted.aggregate_id and e.version >= v_version[i]
       order by e.version
       limit 1)
    ) e;
  end if;
  return concat_ws(e'\x1f', array_to_string(v_outcome, ','), coalesce(array_to_string(v_code, ',', ''), ''),
    array_to_string(v_position, ',', ''), array_to_string(v_version, ',', ''), array_to_string(v_generation, ',', ''),
    array_to_string(v_lifecycle, ',', ''), array_to_string(v_hash, ',', ''), array_to_string(t_recorded_us, ','), v_refers);
end
$body$;
begin
  for v_function in
    select * from (values
      ('append_edge', 'edge',
       $$eventplane.published_digest(content, schema_version, key_refs, finalizers, traceparent, cause_hash)$$,
       $$get_byte(uuid_send(id), 6) >> 4 in (4, 7, 8) and status is null and (rare > 8) is not true
         and case kind when 'intent' then source is null and effect between 1 and 3
                       when 'fact' then (source is null) = (effect = 4) and effect between 1 and 4
                       else false end$$,
       $$, cardinality(r) as rare$$,
       ''),
      ('append_derived', 'runtime',
       $$eventplane.event_digest(content, schema_version, key_refs, status, finalizers, component, basis_version, step, decided_at,
           emits, lookups, traceparent, cause_hash)$$,
       $$source is null and component is not null and step is not null
         -- Intents that controllers emit to other resources (docs/adr/0019-controllers-change-over-living-resources.md): they
         -- have the controller's name, and are never in the platform's log.
         and (kind in ('fact', 'internal') and effect in (5, 6)
           or kind = 'intent' and effect in (1, 2, 3) and starts_with(component, 'emit:') and status is null
             and tenant <> '624c1930-4ffa-5d50-9675-ee7758543b83')
         and get_byte(uuid_send(id), 6) >> 4 = 5 and coalesce(left(status, 1), '{') = '{'
         and (basis_version between 0 and 9007199254740991) is true
         and (decided_at between '1684-07-28 00:12:25.259009+00' and '2255-06-05 23:47:34.740991+00') is true
         -- Readers hash these two as JSON.stringify writes what it read: no white space, no name twice, none like a number.
         and (emits ~ '^[[]("[0-9a-f-]{36}"(,(?=")|(?=[]])))*]$') is not false
         and (lookups ~ '^[{]("[a-z][a-z0-9_-]*/[A-Za-z0-9._:-]+":(0|[1-9][0-9]{0,14})(,(?=")|(?=})))*}$') is not false
         and (lookups ~ e'[{,]("[^"]*":).*,\\1') is not true$$,
       $$, r[9] as component, r[10]::bigint as basis_version, r[11]::bigint as step, r[12]::timestamptz as decided_at,
                 r[13] as emits, r[14] as lookups$$,
       $$-- Last, the leases: settled only when everything else holds.
      if v_bad_code is null and v_part[4] <> '' then
        v_leases := coalesce(v_leases, string_to_array(v_part[4], e'\x1f', ''));
        for k in 1 .. cardinality(v_leases) / 6 loop
          if v_leases[k * 6 - 5]::integer = a and not eventplane.work_settle(t_tenant[v_tenant[v_first]], v_leases[k * 6 - 4],
               v_leases[k * 6 - 3], v_leases[k * 6 - 2], v_leases[k * 6 - 1]::uuid, v_leases[k * 6]::bigint) then
            v_bad := v_first;
            v_bad_code := 'lease_lost';
          end if;
        end loop;
      end if;$$)
    ) f (name, tier, digest, allowed, decided, settle)
  loop
    execute format(
      'create function eventplane.%I(p_call text) returns text
       language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
       as %L',
      v_function.name,
      replace(replace(replace(v_body, ':hashed', replace(replace(replace(v_hashed, ':digest', v_function.digest), ':allowed', v_function.allowed), ':decided', v_function.decided)),
        ':settle', v_function.settle), ':tier', v_function.tier)
    );
  end loop;
end
$make$;

-- ---- Owners and rights ---------------------------------------------------------------------------------------------

revoke all on all functions in schema eventplane from public;
grant create on schema eventplane to :prefix_appender;
alter function eventplane.append_edge(text) owner to :prefix_appender;
alter function eventplane.append_edge_one owner to :prefix_appender;
alter function eventplane.append_derived(text) owner to :prefix_appender;
revoke create on schema eventplane from :prefix_appender;
grant execute on function eventplane.append_refusal to :prefix_appender;
grant execute on function eventplane.append_edge(text) to :prefix_edge;
grant execute on function eventplane.append_edge_one to :prefix_edge;
grant execute on function eventplane.append_derived(text) to :prefix_runtime;

-- append_edge and append_derived: the only way into the log (docs/adr/0004-append-function.md).

-- A call is a flat list of fields apart by 0x1f; an empty field is null. The first field is the list of appends, apart by
-- 0x1e, six to an append: tenant_id, then of the lease aggregate_type, aggregate_id, component, token, due_after_ms.
-- The other fields are events, 27 to an event: 1 number of its append, 2 effect, 3 expected version (-1 any, -2 some, 0 none),
-- 4 expected generation, 5 id, 6 kind, 7 aggregate_type, 8 aggregate_id, 9 type, 10 schema_version, 11 correlation_id,
-- 12 causation_id, 13 occurred_at, 14 source, 15 traceparent, 16 component, 17 basis_version, 18 step, 19 decided_at,
-- 20 emits, 21 lookups, 22 key_refs, 23 status, 24 finalizers, 25 spec, 26 caused_by, 27 proof (hex).
--
-- Returns one row for each event that is added (1), was there before (2: the id, 3: deletes that had nothing to do),
-- or refused its append (4). Expected outcomes are rows; only broken callers meet exceptions.
--
-- One body makes both functions; a function around a shared one would cost every call a tenth.
do $make$
declare
  v_function record;
  -- The fields of each event of :rows, typed, and their hashes. Each `offset 0` keeps a step apart, so that the next one
  -- works on plain columns; only then are the functions inlined (a tenfold difference).
  v_hashed constant text := $hashed$
      select i, append_no, tenant, effect, expected, expected_generation, id, correlation_id, aggregate_type, aggregate_id, allowed,
             content, proof,
             eventplane.event_digest(content, schema_version, key_refs, status, finalizers, component, basis_version, step,
               decided_at, emits, lookups, traceparent, caused_by_hash) || sha256(proof) as link
      from (
        select *,
               eventplane.content_hash(tenant, id, kind, type, aggregate_type, aggregate_id, source, correlation_id,
                 causation_id, occurred_at, spec) as content,
               case when caused_by = f[27] then v_caused_by_hash else eventplane.json_hash(caused_by) end as caused_by_hash,
               case v_tier
                 when 'edge' then component is null and basis_version is null and step is null and decided_at is null
                   and emits is null and lookups is null and status = '{}' and id_version in ('4', '7', '8')
                   and case when kind = 'intent' then source is null and effect in ('creates', 'updates', 'deletes')
                            when kind <> 'fact' then false
                            when source is null then effect = 'system'
                            else effect in ('creates', 'updates', 'deletes') end
                 else component is not null and basis_version is not null and step is not null and decided_at is not null
                   and source is null and kind in ('fact', 'internal') and effect in ('derived', 'finishes')
                   and id_version = '5' and basis_version between 0 and 9007199254740991
                   and decided_at between '1684-07-28 00:12:25.259009+00' and '2255-06-05 23:47:34.740991+00'
               end
               and tenant is not null
               -- What could not be read again: microseconds beyond a safe integer, a payload that is no object.
               and (occurred_at between '1684-07-28 00:12:25.259009+00' and '2255-06-05 23:47:34.740991+00') is not false
               and left(spec, 1) = '{' and left(status, 1) = '{' and left(finalizers, 1) = '{' and left(caused_by, 1) = '{'
                 as allowed
        from (
          select i, f[b + 1]::integer as append_no, a[f[b + 1]::integer * 6 - 5]::uuid as tenant, f[b + 2] as effect,
                 f[b + 3]::bigint as expected, f[b + 4]::bigint as expected_generation, f[b + 5]::uuid as id,
                 -- Of the stored id: a text may spell the same id with its hyphens elsewhere.
                 substr(f[b + 5]::uuid::text, 15, 1) as id_version, f[b + 6] as kind, f[b + 7] collate "C" as aggregate_type,
                 f[b + 8] collate "C" as aggregate_id, f[b + 9] as type, f[b + 10]::bigint as schema_version,
                 f[b + 11]::uuid as correlation_id, f[b + 12]::uuid as causation_id, f[b + 13]::timestamptz as occurred_at,
                 f[b + 14] as source, f[b + 15] as traceparent, f[b + 16] as component, f[b + 17]::bigint as basis_version,
                 f[b + 18]::bigint as step, f[b + 19]::timestamptz as decided_at, f[b + 20] as emits, f[b + 21] as lookups,
                 f[b + 22] as key_refs, f[b + 23] as status, f[b + 24] as finalizers, f[b + 25] as spec,
                 f[b + 26] as caused_by, decode(f[b + 27], 'hex') as proof
          from :rows at_field
          offset 0
        ) typed
        offset 0
      ) named
      offset 0
$hashed$;
  v_body constant text := $body$
#variable_conflict use_column
declare
  v_tier constant text := ':tier';
  f text[] := string_to_array(p_call, e'\x1f', '');
  a text[] := string_to_array(f[1], e'\x1e', '');
  n integer := (cardinality(f) - 1) / 27;
  -- Of the first event: all events of a request have the same.
  v_caused_by json := f[27];
  v_caused_by_hash bytea := eventplane.json_hash(f[27]);
  v_misplaced text;
  -- One element an event of the call.
  v_append integer[];
  v_tenant integer[];
  v_stream integer[];
  v_id integer[];
  v_effect text[];
  v_expected bigint[];
  v_expected_generation bigint[];
  v_content bytea[];
  v_link bytea[];
  v_event_id uuid[];
  v_correlation uuid[];
  v_proof bytea[];
  v_same boolean[];
  v_outcome integer[];
  v_code text[];
  v_position bigint[];
  v_version bigint[];
  v_generation integer[];
  v_lifecycle text[];
  v_hash bytea[];
  v_previous bytea[];
  v_before_generation integer[];
  v_before_lifecycle text[];
  -- One element a stream, and one an id: what earlier events of the call made of them.
  s_version bigint[];
  s_generation integer[];
  s_lifecycle text[];
  i_holder integer[];
  i_append integer[];
  -- One element a tenant.
  t_tenant uuid[];
  t_position bigint[];
  t_recorded_at timestamptz[];
  t_recorded_us bigint[];
  t_hash bytea[];
  t_epoch integer[];
  v_now timestamptz;
  v_refer boolean := false;
  v_first integer := 1;
  v_last integer;
  v_bad integer;
  v_bad_code text;
  v_known integer;
  v_unknown integer;
  v_differs boolean;
  i integer;
  k integer;
  s integer;
  t integer;
  v_state text;
  v_effect_now text;
begin
  if octet_length(p_call) > 8388608 or n not between 1 and 1000 or cardinality(f) % 27 <> 1 or cardinality(a) % 6 <> 0 then
    raise exception 'eventplane: a call of % bytes and % events is no call of append', octet_length(p_call), n
      using errcode = 'protocol_violation';
  end if;
  if cardinality(a) = 6 then
    t_tenant := array[a[1]::uuid];
  else
    t_tenant := array(select distinct a[x]::uuid from generate_series(1, cardinality(a), 6) x order by 1);
  end if;
  if cardinality(t_tenant) > 64 then
    raise exception 'eventplane: a call is of at most 64 tenants' using errcode = 'protocol_violation';
  end if;

  -- All that needs no lock: numbers of tenants, streams and ids, tier, and the hashes of what will be stored. What is dear
  -- to parse (ids, proofs) is kept. A lone event needs no sorting.
  if n = 1 and cardinality(a) = 6 then
    select array[1], array[1], array[1], array[1], array[effect], array[expected], array[expected_generation], array[content],
           array[link], array[id], array[correlation_id], array[proof], case when allowed then null else id::text end
      into v_append, v_tenant, v_stream, v_id, v_effect, v_expected, v_expected_generation, v_content, v_link, v_event_id,
           v_correlation, v_proof, v_misplaced
    from (:hashed_one) hashed;
  else
    select array_agg(append_no), array_agg(array_position(t_tenant, tenant)), array_agg(stream_no), array_agg(id_no), array_agg(effect),
           array_agg(expected), array_agg(expected_generation), array_agg(content), array_agg(link), array_agg(id),
           array_agg(correlation_id), array_agg(proof), string_agg(case when allowed then null else id::text end, ', ')
      into v_append, v_tenant, v_stream, v_id, v_effect, v_expected, v_expected_generation, v_content, v_link, v_event_id,
           v_correlation, v_proof, v_misplaced
    from (
      select i, append_no, tenant, effect, expected, expected_generation, id, correlation_id, content, link, proof, allowed,
             dense_rank() over (order by tenant, aggregate_type, aggregate_id) as stream_no,
             dense_rank() over (order by tenant, id) as id_no
      from (:hashed_all) hashed
      order by i
    ) numbered;
  end if;
  if v_misplaced is not null then
    raise exception 'eventplane: the % tier may not append %', v_tier, v_misplaced using errcode = 'insufficient_privilege';
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
    select array_agg(position), array_agg(recorded_at), array_agg(hash), array_agg(log_epoch)
      into t_position, t_recorded_at, t_hash, t_epoch
    from (
      select position, recorded_at, hash, log_epoch from eventplane.heads where tenant_id = any (t_tenant) order by tenant_id for update
    ) locked;
    exit when t_position is not null;
  end loop;
  -- The clock is read under the locks, or a later position could get an earlier time.
  v_now := clock_timestamp();
  t_recorded_us := t_position;
  for t in 1 .. cardinality(t_tenant) loop
    t_recorded_at[t] := greatest(v_now, t_recorded_at[t]);
    t_recorded_us[t] := eventplane.us(t_recorded_at[t]);
  end loop;

  -- Which ids are known, with which content, and where the streams stand.
  select array_agg(same), array_agg(version), array_agg(generation), array_agg(lifecycle)
    into v_same, v_version, v_generation, v_lifecycle
  from (
    select known.same, stream.version, stream.generation, stream.lifecycle
    from generate_series(1, n) i,
         lateral (
           select i * 27 - 26 as b, t_tenant[v_tenant[i]] as tenant, v_event_id[i] as id offset 0
         ) at_field
    left join lateral (
      select (e.kind, e.type, e.aggregate_type, e.aggregate_id, e.correlation_id, e.spec::text)
               = (f[b + 6], f[b + 9], f[b + 7], f[b + 8], v_correlation[i], f[b + 25])
             and e.source is not distinct from f[b + 14] and e.causation_id is not distinct from f[b + 12]::uuid
             and e.occurred_at is not distinct from f[b + 13]::timestamptz
             and (v_tier = 'edge' or (e.status::text = f[b + 23] and e.finalizers::text = f[b + 24])) as same
      from eventplane.events e
      where e.tenant_id = at_field.tenant and e.event_id >= at_field.id and e.event_id <= at_field.id
      order by e.event_id
      limit 1
    ) known on true
    left join lateral (
      select e.version, e.generation, e.lifecycle
      from eventplane.events e
      where e.tenant_id = at_field.tenant and e.aggregate_type = f[b + 7] and e.aggregate_id = f[b + 8]
      order by e.version desc
      limit 1
    ) stream on true
  ) found;

  s_version := array_fill(0::bigint, array[n]);
  s_generation := array_fill(0, array[n]);
  s_lifecycle := array_fill('none'::text, array[n]);
  i_holder := array_fill(0, array[n]);
  i_append := i_holder;
  v_outcome := i_holder;
  v_code := array_fill(null::text, array[n]);
  v_before_generation := i_holder;
  v_before_lifecycle := s_lifecycle;
  v_position := array_fill(null::bigint, array[n]);
  v_hash := array_fill(null::bytea, array[n]);
  v_previous := v_hash;
  for i in 1 .. n loop
    if v_version[i] is not null then
      s := v_stream[i];
      s_version[s] := v_version[i];
      s_generation[s] := v_generation[i];
      s_lifecycle[s] := v_lifecycle[i];
    end if;
  end loop;

  -- The appends, in the order in which they came.
  while v_first <= n loop
    v_last := v_first;
    while v_last < n and v_append[v_last + 1] = v_append[v_first] loop
      v_last := v_last + 1;
    end loop;
    v_bad := 0;

    -- Ids first (P5): an id twice in one append, known ids, other content.
    v_known := 0;
    v_unknown := 0;
    v_differs := false;
    for i in v_first .. v_last loop
      k := v_id[i];
      if i_append[k] = v_append[i] then
        v_bad := i;
        exit;
      end if;
      i_append[k] := v_append[i];
    end loop;
    if v_bad > 0 then
      v_bad_code := 'content_mismatch';
    else
      for i in v_first .. v_last loop
        k := i_holder[v_id[i]];
        if k > 0 then
          v_same[i] := v_content[i] = v_content[k]
            and (v_tier = 'edge' or (f[i * 27 - 3] = f[k * 27 - 3] and f[i * 27 - 2] = f[k * 27 - 2]));
        end if;
        if v_same[i] is null then
          -- A deletion that has nothing to do left no id behind when it was appended.
          if v_effect[i] = 'deletes' and s_lifecycle[v_stream[i]] in ('deleting', 'deleted') then continue; end if;
          v_differs := true;
          if v_unknown = 0 then v_unknown := i; end if;
        else
          v_known := v_known + 1;
          if not v_same[i] then
            v_differs := true;
            if v_bad = 0 then v_bad := i; end if;
          end if;
        end if;
      end loop;
      if v_known = 0 then
        v_bad := 0;
      elsif v_tier = 'edge' and v_differs then
        v_bad_code := 'content_mismatch';
        if v_bad = 0 then v_bad := v_unknown; end if;
      else
        v_bad := 0;
        v_refer := true;
        for i in v_first .. v_last loop
          if v_same[i] is not null then
            v_outcome[i] := 2;
          elsif v_tier = 'edge' then
            v_outcome[i] := 3;
            v_version[i] := s_version[v_stream[i]];
          end if;
          if v_differs then v_code[i] := 'content_differs'; end if;
        end loop;
      end if;
    end if;

    -- Then, event by event: lifecycle, generation, version. Each sees those before it.
    if v_known = 0 and v_bad = 0 then
      for i in v_first .. v_last loop
        s := v_stream[i];
        v_state := s_lifecycle[s];
        v_effect_now := v_effect[i];
        v_before_generation[i] := s_generation[s];
        v_before_lifecycle[i] := v_state;
        if v_effect_now = 'deletes' and v_state in ('deleting', 'deleted') then
          v_outcome[i] := 3;
          v_version[i] := s_version[s];
          v_refer := true;
          continue;
        end if;
        v_bad_code := case
          when v_effect_now = 'creates' and v_state = 'live' then 'resource_exists'
          when v_effect_now in ('creates', 'updates') and v_state = 'deleting' then 'resource_deleting'
          when v_effect_now = 'updates' and v_state = 'deleted' then 'resource_deleted'
          when v_effect_now in ('deletes', 'derived') and v_state = 'none' then 'wrong_expected_version'
          when v_effect_now = 'finishes' and v_state <> 'deleting' then 'wrong_expected_version'
          when v_expected_generation[i] <> s_generation[s] then 'wrong_expected_generation'
          when v_expected[i] = -1 then null
          when v_expected[i] = -2 then case when s_version[s] = 0 then 'wrong_expected_version' end
          when v_expected[i] <> s_version[s] then 'wrong_expected_version'
        end;
        if v_bad_code is not null then
          v_bad := i;
          exit;
        end if;
        v_outcome[i] := 1;
        s_version[s] := s_version[s] + 1;
        case v_effect_now
          when 'creates', 'updates' then
            s_generation[s] := s_generation[s] + 1;
            s_lifecycle[s] := 'live';
          when 'deletes' then
            s_generation[s] := s_generation[s] + 1;
            s_lifecycle[s] := 'deleting';
          when 'finishes' then
            s_lifecycle[s] := 'deleted';
          else
        end case;
        v_version[i] := s_version[s];
        v_generation[i] := s_generation[s];
        v_lifecycle[i] := s_lifecycle[s];
      end loop;
      -- Last, the lease: settled only when everything else holds.
      k := v_append[v_first] * 6;
      if v_bad = 0 and a[k - 1] is not null
        and not eventplane.work_settle(a[k - 5]::uuid, a[k - 4], a[k - 3], a[k - 2], a[k - 1]::uuid, a[k]::bigint) then
        v_bad := v_first;
        v_bad_code := 'lease_lost';
      end if;
      if v_bad = 0 then
        for i in v_first .. v_last loop
          if v_outcome[i] = 1 then i_holder[v_id[i]] := i; end if;
        end loop;
      else
        for i in reverse v_last .. v_first loop
          if v_outcome[i] = 1 then
            s := v_stream[i];
            s_version[s] := s_version[s] - 1;
            s_generation[s] := v_before_generation[i];
            s_lifecycle[s] := v_before_lifecycle[i];
          end if;
          v_outcome[i] := 0;
        end loop;
      end if;
    end if;
    if v_bad > 0 then
      s := v_stream[v_bad];
      v_outcome[v_bad] := 4;
      v_code[v_bad] := v_bad_code;
      v_version[v_bad] := s_version[s];
      v_generation[v_bad] := s_generation[s];
      v_lifecycle[v_bad] := s_lifecycle[s];
    end if;
    v_first := v_last + 1;
  end loop;

  -- The chain.
  for i in 1 .. n loop
    if v_outcome[i] = 1 then
      t := v_tenant[i];
      t_position[t] := t_position[t] + 1;
      v_position[i] := t_position[t];
      v_previous[i] := t_hash[t];
      t_hash[t] := eventplane.chain_hash(t_hash[t], t_position[t], v_version[i], t_recorded_us[t], v_link[i], '');
      v_hash[i] := t_hash[t];
    end if;
  end loop;

  insert into eventplane.events (
    position, version, recorded_at, occurred_at, decided_at, basis_version, generation, schema_version, log_epoch, step,
    tenant_id, event_id, correlation_id, causation_id, kind, lifecycle, aggregate_type, aggregate_id, type, component, source,
    traceparent, hash, previous_hash, proof, status, finalizers, spec, caused_by, emits, lookups, key_refs
  )
  select v_position[i], v_version[i], t_recorded_at[t], f[b + 13]::timestamptz, f[b + 19]::timestamptz, f[b + 17]::bigint,
         v_generation[i], f[b + 10]::integer, t_epoch[t], f[b + 18]::integer, t_tenant[t], v_event_id[i], v_correlation[i],
         f[b + 12]::uuid, f[b + 6], v_lifecycle[i], f[b + 7], f[b + 8], f[b + 9], f[b + 16], f[b + 14], f[b + 15], v_hash[i],
         v_previous[i], v_proof[i], f[b + 23]::json, f[b + 24]::json, f[b + 25]::json,
         case when f[b + 26] = f[27] then v_caused_by else f[b + 26]::json end, f[b + 20]::json, f[b + 21]::json, f[b + 22]::json
  from (
    select i, i * 27 - 26 as b, v_tenant[i] as t
    from generate_series(1, n) i
    where v_outcome[i] = 1
    -- Neighbours in the indexes become neighbours on disk, and the pages of the indexes stay full.
    order by t, v_position[i]
  ) placed;
  update eventplane.heads h
  set position = moved.position, recorded_at = moved.recorded_at, hash = moved.hash
  from unnest(t_tenant, t_position, t_recorded_at, t_hash) moved (tenant, position, recorded_at, hash)
  where h.tenant_id = moved.tenant and h.position <> moved.position;

  return query
  select i, v_outcome[i], v_code[i], v_position[i], v_version[i], v_generation[i], v_lifecycle[i], encode(v_hash[i], 'hex'),
         t_recorded_us[v_tenant[i]], null::uuid, null::text, null::text, null::uuid
  from generate_series(1, n) i
  where v_outcome[i] in (1, 4);
  if v_refer then
    return query
    select i, v_outcome[i], v_code[i], e.position, e.version, e.generation, e.lifecycle, encode(e.hash, 'hex'),
           eventplane.us(e.recorded_at), e.event_id, e.aggregate_type, e.aggregate_id, e.correlation_id
    from generate_series(1, n) i,
         lateral (
           select t_tenant[v_tenant[i]] as tenant, v_event_id[i] as id, f[i * 27 - 19] as aggregate_type,
                  f[i * 27 - 18] as aggregate_id
           offset 0
         ) wanted,
         lateral (
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
end
$body$;
begin
  for v_function in select name, tier from (values ('append_edge', 'edge'), ('append_derived', 'runtime')) f (name, tier) loop
    execute format(
      'create function eventplane.%I(p_call text)
       returns table (
         item integer, outcome integer, code text, "position" bigint, version bigint, generation integer, lifecycle text,
         hash text, recorded_at_us bigint, event_id uuid, aggregate_type text, aggregate_id text, correlation_id uuid
       )
       language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
       as %L',
      v_function.name,
      replace(replace(replace(v_body, ':hashed_one', replace(v_hashed, ':rows', '(select 1 as i, 1 as b offset 0)')),
        ':hashed_all', replace(v_hashed, ':rows', '(select i, i * 27 - 26 as b from generate_series(1, n) i offset 0)')),
        ':tier', v_function.tier)
    );
  end loop;
end
$make$;

-- ---- Owners and rights ---------------------------------------------------------------------------------------------

revoke all on all functions in schema eventplane from public;
grant create on schema eventplane to :prefix_appender;
alter function eventplane.append_edge(text) owner to :prefix_appender;
alter function eventplane.append_derived(text) owner to :prefix_appender;
revoke create on schema eventplane from :prefix_appender;
grant execute on function eventplane.append_edge(text) to :prefix_edge;
grant execute on function eventplane.append_derived(text) to :prefix_runtime;

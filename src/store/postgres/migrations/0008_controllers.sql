-- Intents that controllers emit to other resources of their tenant, in the append of their decision
-- (docs/adr/0019-controllers-change-over-living-resources.md): append_derived takes them as well, with an id and a decision that
-- name the controller, and never in the platform's log. Its body stays the one that 0004 made, but for that condition.
do $patch$
declare
  v_facts constant text := $$kind in ('fact', 'internal') and effect in (5, 6)$$;
  v_body text;
begin
  select p.prosrc into strict v_body from pg_proc p where p.oid = 'eventplane.append_derived(text)'::regprocedure;
  if position(v_facts in v_body) = 0 then
    raise exception 'eventplane: append_derived is not the function that migration 0004 made';
  end if;
  execute format(
    'create or replace function eventplane.append_derived(p_call text) returns text
     language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
     as %L',
    replace(v_body, v_facts,
      $$(kind in ('fact', 'internal') and effect in (5, 6)
           or kind = 'intent' and effect in (1, 2, 3) and starts_with(component, 'emit:') and status is null
             and tenant <> '624c1930-4ffa-5d50-9675-ee7758543b83')$$)
  );
end
$patch$;

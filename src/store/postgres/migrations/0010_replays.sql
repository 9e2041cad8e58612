-- Replays (docs/adr/0021-dead-letters-and-replays.md). What is wanted of one and what it has come to are events of the
-- platform; this is how far it is: bookkeeping, noted after each slice.

create table eventplane.replays (
  -- The tenant whose history is given.
  tenant_id uuid not null,
  replay_id uuid not null,
  position bigint not null check (position >= 0),
  events bigint not null check (events >= 0),
  -- How often what came of it, by name.
  results jsonb not null,
  first_failure text,
  primary key (tenant_id, replay_id)
) with (fillfactor = 50);

alter table eventplane.replays enable row level security;
alter table eventplane.replays force row level security;

create policy replays_runtime on eventplane.replays to :prefix_runtime using (true) with check (true);
create policy replays_edge on eventplane.replays for select to :prefix_edge
  using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid);

grant select, insert, update on eventplane.replays to :prefix_runtime;
grant select on eventplane.replays to :prefix_edge;

-- Replays have a queue of their own too: their few rows are not looked for among all that waits for controllers.
drop index eventplane.work_due;
alter table eventplane.work drop column queue;
alter table eventplane.work add column queue text collate "C" not null
  generated always as (case when aggregate_type = 'effect' or component = 'replayer' then component else '' end) stored;
create index work_due on eventplane.work (tenant_id, queue, due_at) where state = 'ready';

-- What stands is counted for metrics, whoever it is of.
drop index eventplane.work_standing_effects;
create index work_standing on eventplane.work (component, failure_code) where state = 'dead';

analyze eventplane.replays;
analyze eventplane.work;

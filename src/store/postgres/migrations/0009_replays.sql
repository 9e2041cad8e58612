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

analyze eventplane.replays;

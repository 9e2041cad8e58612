-- What is left of the limits of tenants (docs/adr/0033-limits-are-leased.md): bookkeeping that the edges share. An edge
-- leases tokens from a row and spends them by itself. A row that is forgotten is one that is full.

create table eventplane.allowances (
  tenant_id uuid not null,
  -- Which limit, and of whom: `requests`, `events`, `bytes 2026-01-31`, `requests <principal>` …
  name text not null check (length(name) <= 128),
  -- As the edge that claimed last knew the limit.
  capacity bigint not null check (capacity >= 1),
  per_second double precision not null check (per_second >= 0),
  -- Of the last claim; negative: given back.
  wanted bigint not null,
  granted bigint not null,
  -- Tokens, at that time; since then some came back.
  spent double precision not null check (spent >= 0),
  spent_at timestamptz not null,
  ends_at timestamptz not null,
  primary key (tenant_id, name)
) with (fillfactor = 50);

alter table eventplane.allowances enable row level security;
alter table eventplane.allowances force row level security;

-- One claim is for many tenants at once.
create policy allowances_edge on eventplane.allowances to :prefix_edge using (true) with check (true);

grant select, insert, update, delete on eventplane.allowances to :prefix_edge;

analyze eventplane.allowances;

/** Allowances in PostgreSQL, shared by all edges of the installation. */
import type pg from "pg";
import { ask } from "../../store/postgres/index.js";
import type { AllowanceClaim, AllowanceGrant, AllowanceStore, Holding } from "../port.js";

/**
 * $1 tenants, $2 names, $3 capacities, $4 tokens per second, $5 wanted, $6 seconds to keep; each a list, one entry a claim.
 *
 * Rows are locked in the order of their keys, so two edges never wait for each other. The times are read when a row is locked.
 */
const claim = {
  name: "ep_allowance_claim",
  text: `insert into eventplane.allowances as a
      (tenant_id, name, capacity, per_second, wanted, granted, spent, spent_at, ends_at)
    select c.tenant_id, c.name, c.capacity, c.per_second, c.wanted,
      case when c.wanted < 0 then c.wanted else least(c.wanted, c.capacity) end,
      greatest(0, least(c.wanted, c.capacity)),
      clock_timestamp(), clock_timestamp() + make_interval(secs => c.keep_seconds)
    from unnest($1::uuid[], $2::text[], $3::bigint[], $4::float8[], $5::bigint[], $6::float8[])
      as c (tenant_id, name, capacity, per_second, wanted, keep_seconds)
    order by c.tenant_id, c.name
    on conflict (tenant_id, name) do update set
      capacity = excluded.capacity,
      per_second = excluded.per_second,
      wanted = excluded.wanted,
      (granted, spent, spent_at, ends_at) = (
        select d.granted, greatest(0, d.spent + d.granted), d.now, d.now + (excluded.ends_at - excluded.spent_at)
        from (
          select n.now, n.spent, case
            when excluded.wanted < 0 then excluded.wanted
            else least(excluded.wanted, greatest(0, floor(excluded.capacity - n.spent)))
          end as granted
          from (
            select t.now,
              greatest(0, a.spent - greatest(0, extract(epoch from t.now - a.spent_at)) * excluded.per_second) as spent
            from (select clock_timestamp() as now) t
          ) n
        ) d
      )
    returning a.tenant_id, a.name, a.granted, a.capacity - a.spent as left_tokens`,
};

/**
 * $1 holder, $2 tenants, $3 names, $4 how many are held, $5 seconds to keep. The others are counted as they were before this.
 */
const declare = {
  name: "ep_allowance_declare",
  text: `with given as (
      select h.tenant_id, h.name, h.held
      from unnest($2::uuid[], $3::text[], $4::bigint[]) as h (tenant_id, name, held)
    ), said as (
      insert into eventplane.allowances as a
        (tenant_id, name, capacity, per_second, wanted, granted, spent, spent_at, ends_at)
      select g.tenant_id, g.name || ' ' || $1::text, greatest(1, g.held), 0, g.held, g.held, g.held,
        clock_timestamp(), clock_timestamp() + make_interval(secs => $5::float8)
      from given g
      order by g.tenant_id, g.name
      on conflict (tenant_id, name) do update set
        capacity = excluded.capacity, wanted = excluded.wanted, granted = excluded.granted,
        spent = excluded.spent, spent_at = excluded.spent_at, ends_at = excluded.ends_at
    )
    select g.tenant_id, g.name, (
      select coalesce(sum(a.spent), 0) from eventplane.allowances a
      where a.tenant_id = g.tenant_id and a.name like g.name || ' %' and a.name <> g.name || ' ' || $1::text
        and a.ends_at > clock_timestamp()
    ) as others
    from given g`,
};

const sweptMax = 5_000;
/** What nobody claimed for so long is full again. */
const sweep = {
  name: "ep_allowance_sweep",
  text: `delete from eventplane.allowances where (tenant_id, name) in (
    select tenant_id, name from eventplane.allowances where ends_at < clock_timestamp() limit ${sweptMax} for update skip locked)`,
};

interface GrantRow {
  readonly tenant_id: string;
  readonly name: string;
  readonly granted: string;
  readonly left_tokens: number;
}

interface OthersRow {
  readonly tenant_id: string;
  readonly name: string;
  readonly others: number;
}

/** The table of one database, as `_edge`. */
export class PostgresAllowances implements AllowanceStore {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async claim(claims: readonly AllowanceClaim[]): Promise<readonly AllowanceGrant[]> {
    const column = <Value>(of: (each: AllowanceClaim) => Value): readonly Value[] => claims.map(of);
    const rows = await ask<GrantRow>(this.#pool, claim, [
      column(({ tenantId }) => tenantId),
      column(({ name }) => name),
      column(({ capacity }) => capacity),
      column(({ perSecond }) => perSecond),
      column(({ tokens }) => tokens),
      column(({ keepSeconds }) => keepSeconds),
    ]);
    const grants = new Map(rows.map((row) => [`${row.tenant_id} ${row.name}`, decode(row)]));
    // A claim without a row would be a conflict that was passed over; there is none.
    return claims.map(({ tenantId, name }) => grants.get(`${tenantId} ${name}`) ?? { granted: 0, left: 0 });
  }

  async declare(holder: string, holdings: readonly Holding[], keepSeconds: number): Promise<readonly number[]> {
    const rows = await ask<OthersRow>(this.#pool, declare, [
      holder,
      holdings.map(({ tenantId }) => tenantId),
      holdings.map(({ name }) => name),
      holdings.map(({ held }) => held),
      keepSeconds,
    ]);
    const others = new Map(rows.map((row) => [`${row.tenant_id} ${row.name}`, Number(row.others)]));
    return holdings.map(({ tenantId, name }) => others.get(`${tenantId} ${name}`) ?? 0);
  }

  async sweep(): Promise<void> {
    await ask(this.#pool, sweep, []);
  }
}

function decode({ granted, left_tokens: left }: GrantRow): AllowanceGrant {
  return { granted: Number(granted), left: Number(left) };
}

/** Reads of materialized resources under the row security of their tenant. */
import type pg from "pg";
import type { Phase, Resource } from "../../event/index.js";
import { assert, limits, type TenantId } from "../../kernel/index.js";
import { askInTenant } from "../../store/postgres/index.js";
import type { StreamName } from "../port.js";
import * as sql from "./statements.js";

/** Which resources of one type; keyset by aggregate id. */
export interface ResourceListQuery {
  readonly aggregateType: string;
  /** Aggregate ids greater than this one. */
  readonly after?: string;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly phase?: Phase;
}

/** A page; `next` goes into `after` of the next one. */
export interface ResourceListPage {
  readonly resources: readonly Resource[];
  readonly next: string | null;
}

interface Row {
  readonly resource: string;
}

/**
 * For the roles `_edge`, `_reader` and `_auditor`. Who asked for a generation stays in the log: the `causedByText` of
 * an origin read here is `{}`. Every method throws `unavailable` (retryable) when the store cannot be reached.
 */
export class PostgresResourceReader {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async get(tenantId: TenantId, { aggregateType, aggregateId }: StreamName): Promise<Resource | undefined> {
    const [row] = await askInTenant<Row>(this.#pool, tenantId, {
      ...sql.one,
      values: [tenantId, aggregateType, aggregateId],
    });
    return row === undefined ? undefined : decode(row);
  }

  async list(tenantId: TenantId, query: ResourceListQuery): Promise<ResourceListPage> {
    const { aggregateType, after = "", limit, phase } = query;
    assert(
      Number.isInteger(limit) && limit >= 1 && limit <= limits.readPageMax,
      `a page has 1 to ${limits.readPageMax} resources`,
    );
    const values = [tenantId, aggregateType, after, limit];
    const rows = await askInTenant<Row>(
      this.#pool,
      tenantId,
      phase === undefined ? { ...sql.page, values } : { ...sql.pageOfPhase, values: [...values, phase] },
    );
    const resources = rows.map(decode);
    return { resources, next: resources.length < limit ? null : (resources.at(-1)?.aggregateId ?? null) };
  }

  /** How many resources the tenant has, deleted ones included; counting ends at `max`. */
  async count(tenantId: TenantId, max: number): Promise<number> {
    const values = [tenantId, max];
    const [row] = await askInTenant<{ resources: string }>(this.#pool, tenantId, { ...sql.count, values });
    return Number(row?.resources ?? 0);
  }

  /** Every event of the tenant up to this position is in its resources. */
  async position(tenantId: TenantId): Promise<number> {
    const [row] = await askInTenant<{ position: string }>(this.#pool, tenantId, { ...sql.cursor, values: [tenantId] });
    return row === undefined ? 0 : Number(row.position);
  }
}

function decode({ resource: text }: Row): Resource {
  const resource = JSON.parse(text) as Resource; // the projector wrote it
  const { origin } = resource;
  return origin === null ? resource : { ...resource, origin: { ...origin, causedByText: "{}" } };
}

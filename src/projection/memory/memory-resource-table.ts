/** Materialized resources in memory: for unit tests. */
import type { Resource } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import type { Cursor } from "../cursor.js";
import type { ResourceTable, StreamName } from "../port.js";

/** The table of one process, over the log that the reader gives. */
export class MemoryResourceTable implements ResourceTable {
  readonly #log: { readonly reader: LogReader; tenants(): readonly TenantId[] };
  readonly #cursors = new Map<TenantId, Cursor>();
  readonly #folds = new Map<string, Resource>();

  constructor(log: { readonly reader: LogReader; tenants(): readonly TenantId[] }) {
    this.#log = log;
  }

  async tenantsWithNews(after: string, limit: number): Promise<readonly TenantId[]> {
    const found: TenantId[] = [];
    for (const tenantId of [...this.#log.tenants()].sort()) {
      if (tenantId <= after || found.length === limit) continue;
      const { position } = await this.#log.reader.head(tenantId);
      if (position !== (this.#cursors.get(tenantId)?.position ?? 0)) found.push(tenantId);
    }
    return found;
  }

  async cursor(tenantId: TenantId): Promise<Cursor | undefined> {
    return this.#cursors.get(tenantId);
  }

  async folds(tenantId: TenantId, streams: readonly StreamName[]): Promise<readonly Resource[]> {
    return streams.map((stream) => this.#folds.get(keyOf(tenantId, stream))).filter((fold) => fold !== undefined);
  }

  /** As the reader of PostgreSQL gives it: who asked for the generation stays in the log. */
  async get(tenantId: TenantId, stream: StreamName): Promise<Resource | undefined> {
    const fold = this.#folds.get(keyOf(tenantId, stream));
    return fold === undefined ? undefined : shown(fold);
  }

  /** One page of the resources of a type, in the order of their ids. */
  async list(
    tenantId: TenantId,
    {
      aggregateType,
      after = "",
      limit,
    }: { readonly aggregateType: string; readonly after?: string; readonly limit: number },
  ): Promise<{ readonly resources: readonly Resource[]; readonly next: string | null }> {
    const all = [...this.#folds.values()]
      .filter((fold) => fold.tenantId === tenantId && fold.aggregateType === aggregateType && fold.aggregateId > after)
      .sort((one, other) => (one.aggregateId < other.aggregateId ? -1 : 1));
    const resources = all.slice(0, limit).map(shown);
    return { resources, next: all.length > limit ? (resources.at(-1)?.aggregateId ?? null) : null };
  }

  /** How many resources the tenant has, deleted ones included; counting ends at `max`. */
  async count(tenantId: TenantId, max: number): Promise<number> {
    return Math.min(max, [...this.#folds.values()].filter((fold) => fold.tenantId === tenantId).length);
  }

  /** Everything up to this position of the tenant's log is in the resources. */
  async position(tenantId: TenantId): Promise<number> {
    return this.#cursors.get(tenantId)?.position ?? 0;
  }

  async apply(
    tenantId: TenantId,
    {
      from,
      to,
      folds,
    }: { readonly from: Cursor | undefined; readonly to: Cursor; readonly folds: readonly Resource[] },
  ): Promise<boolean> {
    if (this.#cursors.get(tenantId)?.position !== from?.position) return false;
    this.#cursors.set(tenantId, to);
    for (const fold of folds) this.#folds.set(keyOf(tenantId, fold), fold);
    return true;
  }
}

function keyOf(tenantId: TenantId, { aggregateType, aggregateId }: StreamName): string {
  return `${tenantId} ${aggregateType} ${aggregateId}`;
}

function shown(fold: Resource): Resource {
  return fold.origin === null ? fold : { ...fold, origin: { ...fold.origin, causedByText: "{}" } };
}

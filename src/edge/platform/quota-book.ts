/** The quotas that operators set, folded from the platform log. */
import type { EventRow } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import { type QuotaMember, type QuotaSpec, quotaMemberNames } from "../../quota/index.js";
import { specOf } from "./row-values.js";

/** The quota of a tenant, as it was set last. */
export interface QuotaEntry {
  readonly spec: QuotaSpec;
  /** The generation of its stream: how often it was set; 0 when it never was. */
  readonly version: number;
  /** Microseconds since 1970; null when it never was. */
  readonly setAtUs: number | null;
}

const unset: QuotaEntry = { spec: {}, version: 0, setAtUs: null };

/** All quotas. */
export class QuotaBook {
  readonly #entries = new Map<TenantId, QuotaEntry>();

  /** What is set for a tenant; one object until it is set anew. */
  of(tenantId: TenantId): QuotaEntry {
    return this.#entries.get(tenantId) ?? unset;
  }

  /** Folds a verified `quota.set`. Members that this release does not know limit nothing here. */
  apply(row: EventRow): void {
    const given = specOf(row);
    const known = quotaMemberNames.flatMap((name): [QuotaMember, number][] => {
      const value = given[name];
      return typeof value === "number" ? [[name, value]] : [];
    });
    const tenantId = row.aggregateId as TenantId; // the administration makes the stream of a tenant
    // The names are those of the table.
    const spec = Object.fromEntries(known) as QuotaSpec;
    this.#entries.set(tenantId, { spec, version: row.generation, setAtUs: row.recordedAtUs });
  }
}

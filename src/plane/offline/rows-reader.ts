/** Reads rows that are in memory, as far as a ruling is made again from them. */
import type { EventRow } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";

type Reader = Pick<LogReader, "read" | "readByIds" | "readStream">;

/** A reader of whole logs, each in position order. */
export function readerOfRows(rows: readonly EventRow[]): Reader {
  const byId = new Map(rows.map((row) => [`${row.tenantId} ${row.id}`, row]));
  const of = (tenantId: TenantId): readonly EventRow[] => rows.filter((row) => row.tenantId === tenantId);
  return {
    read: async (tenantId, { filter = {}, direction = "forwards", before, after = 0, limit = 100 }) => {
      const found = of(tenantId).filter(
        ({ position, type }) =>
          position > after &&
          position < (before ?? Number.POSITIVE_INFINITY) &&
          (filter.type === undefined || filter.type === type),
      );
      return (direction === "backwards" ? found.toReversed() : found).slice(0, limit);
    },
    readByIds: async (tenantId, ids) => ids.flatMap((id) => byId.get(`${tenantId} ${id}`) ?? []),
    readStream: async (tenantId, { aggregateType, aggregateId }, { afterVersion = 0, limit = 100 } = {}) =>
      of(tenantId)
        .filter(
          (row) => row.aggregateType === aggregateType && row.aggregateId === aggregateId && row.version > afterVersion,
        )
        .slice(0, limit),
  };
}

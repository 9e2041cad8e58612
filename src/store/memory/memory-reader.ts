/** Reads of logs in memory. */
import type { EventRow } from "../../event/index.js";
import { assert, limits, type TenantId } from "../../kernel/index.js";
import type { LogReader, ReadQuery } from "../port.js";
import { matchesFilter } from "../read-filter.js";
import { streamKey, type TenantLog } from "./tenant-log.js";

const defaultLimit = 100;

/** A reader over the logs that `logOf` gives. */
export function createMemoryReader(logOf: (tenantId: TenantId) => TenantLog): LogReader {
  return {
    read: async (tenantId, query) => page(logOf(tenantId).rows, query),
    readByIds: async (tenantId, ids) => {
      assert(ids.length <= limits.readPageMax, `at most ${limits.readPageMax} ids a read`);
      const { byId } = logOf(tenantId);
      return [...new Set(ids)].map((id) => byId.get(id)).filter((row) => row !== undefined);
    },
    readStream: async (tenantId, stream, { afterVersion = 0, limit = limits.readPageMax } = {}) => {
      assertLimit(limit);
      return (logOf(tenantId).streams.get(streamKey(stream)) ?? []).slice(afterVersion, afterVersion + limit);
    },
    head: async (tenantId) => logOf(tenantId).head(),
  };
}

function assertLimit(limit: number): void {
  assert(
    Number.isInteger(limit) && limit >= 1 && limit <= limits.readPageMax,
    `a page has 1 to ${limits.readPageMax} events`,
  );
}

function page(rows: readonly EventRow[], query: ReadQuery): readonly EventRow[] {
  const { filter = {}, after = 0, before = rows.length + 1, direction = "forwards", limit = defaultLimit } = query;
  assertLimit(limit);
  // Position p is at index p - 1.
  const first = Math.max(after, 0);
  const last = Math.min(before, rows.length + 1) - 2;
  const found: EventRow[] = [];
  const step = direction === "forwards" ? 1 : -1;
  for (let index = step === 1 ? first : last; index >= first && index <= last && found.length < limit; index += step) {
    const row = rows[index];
    if (row !== undefined && matchesFilter(filter, row)) found.push(row);
  }
  return found;
}

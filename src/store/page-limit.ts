/** How many events a reader asks for at once: as many as memory can hold, whatever their size. */
import type { EventRow } from "../event/index.js";
import { limits } from "../kernel/index.js";

/** Rows of the first page; later ones are larger or smaller by how large the rows are. */
export const firstPageLimit: number = 100;
const pageLimitMin = 16;
const pageBytesAim = 1_048_576;

/**
 * The limit of the page after `page`, which was read with `limit`.
 *
 * @param bytesAim what a page should hold, about; default 1 MiB
 */
export function nextPageLimit(limit: number, page: readonly EventRow[], bytesAim: number = pageBytesAim): number {
  const bytes = page.reduce((sum, row) => sum + rowBytes(row), 0);
  if (bytes > bytesAim * 2) return Math.max(pageLimitMin, Math.floor(limit / 2));
  return page.length === limit && bytes < bytesAim / 2 ? Math.min(limits.readPageMax, limit * 2) : limit;
}

/** About how much memory a row holds. */
export function rowBytes(row: EventRow): number {
  return 1_000 + row.specText.length + row.statusText.length + row.causedByText.length;
}

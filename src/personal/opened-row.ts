/** A row as a reader is shown it. It is never appended, and its proof does not hold: that is of what is stored. */
import type { EventRow } from "../event/index.js";

/** The row with its texts opened. */
export function openedRow(row: EventRow, open: (text: string) => string): EventRow {
  return { ...row, specText: open(row.specText), statusText: open(row.statusText) };
}

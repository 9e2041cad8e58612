/** What this process has just appended, as rows to fold: the receipts add what the store decided. */
import type { AppendItem, FoldableRow, Lifecycle } from "../event/index.js";
import { assert, parseUs } from "../kernel/index.js";
import type { Receipt } from "../store/index.js";

/** The rows of an append with outcome `appended`, in order; `lifecycle` is that of the basis. */
export function ownRows(
  items: readonly AppendItem[],
  receipts: readonly Receipt[],
  lifecycle: Lifecycle,
): readonly FoldableRow[] {
  return items.map(({ event, effect }, index) => {
    const receipt = receipts[index];
    const recordedAtUs = parseUs(receipt?.recordedAt ?? "");
    assert(receipt !== undefined && recordedAtUs !== undefined, "every appended event has a receipt with its time");
    const { version, position, generation } = receipt;
    return {
      ...event,
      version,
      position,
      generation,
      recordedAtUs,
      lifecycle: effect === "finishes" ? "deleted" : lifecycle,
    };
  });
}

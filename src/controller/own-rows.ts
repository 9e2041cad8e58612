/** What this process has just appended or is about to, as rows to fold. */
import type { AppendItem, FoldableRow, Lifecycle, Resource } from "../event/index.js";
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

/** The same rows before the append, if nobody else comes first: as of the decision's time, right after the basis. */
export function expectedRows(items: readonly AppendItem[], basis: Resource, nowUs: number): readonly FoldableRow[] {
  return items.map(({ event, effect }, index) => ({
    ...event,
    version: basis.version + 1 + index,
    position: basis.position + 1 + index,
    generation: basis.generation,
    recordedAtUs: nowUs,
    lifecycle: effect === "finishes" ? "deleted" : basis.lifecycle,
  }));
}

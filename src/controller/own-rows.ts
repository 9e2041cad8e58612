/** What this process has just appended or is about to, as rows to fold. */
import type { AppendItem, FoldableRow, Resource } from "../event/index.js";
import { assert, parseUs } from "../kernel/index.js";
import type { Receipt } from "../store/index.js";

/** The rows of an append with outcome `appended` that are of the basis's own stream, in order. */
export function ownRows(
  items: readonly AppendItem[],
  receipts: readonly Receipt[],
  basis: Resource,
): readonly FoldableRow[] {
  return items.flatMap(({ event, effect }, index) => {
    if (!isOwn({ event }, basis)) return [];
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
      lifecycle: effect === "finishes" ? "deleted" : basis.lifecycle,
    };
  });
}

/** Whether an item is of the stream that was decided on; the others are intents that its controllers emit. */
export function isOwn({ event }: Pick<AppendItem, "event">, basis: Resource): boolean {
  return event.aggregateType === basis.aggregateType && event.aggregateId === basis.aggregateId;
}

/** The same rows before the append, if nobody else comes first: as of the decision's time, right after the basis. */
export function expectedRows(items: readonly AppendItem[], basis: Resource, nowUs: number): readonly FoldableRow[] {
  const own = items.filter((item) => isOwn(item, basis));
  return own.map(({ event, effect }, index) => ({
    ...event,
    version: basis.version + 1 + index,
    position: basis.position + 1 + index,
    generation: basis.generation,
    recordedAtUs: nowUs,
    lifecycle: effect === "finishes" ? "deleted" : basis.lifecycle,
  }));
}

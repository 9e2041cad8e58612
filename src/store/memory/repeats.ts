/** Permanent idempotency (P5): what an append means whose ids, or some of them, are already in the log. */
import { contentHash, type DraftEvent, type EventRow } from "../../event/index.js";
import { sha256 } from "../../kernel/index.js";
import type { AppendItem, AppendOutcome } from "../port.js";
import { receiptOf } from "../receipt.js";

/** The outcome, or the index of the item whose content does not fit; undefined when no id was known. */
export type Repeat = AppendOutcome | { readonly result: "mismatch"; readonly index: number } | undefined;

/** The index of the first id that an earlier item of the same append has. */
export function duplicateIndex(items: readonly AppendItem[]): number | undefined {
  const seen = new Set<string>();
  const index = items.findIndex(({ event }) => seen.size === seen.add(event.id).size);
  return index === -1 ? undefined : index;
}

/**
 * Edge tier: all known with equal content → repeated; some known, or other content → mismatch. A deletion that has nothing
 * to do left no id behind when it was appended; its receipt is that of its stream's last event (`unchanged`).
 */
export function repeatOfPublished(
  items: readonly AppendItem[],
  known: readonly (EventRow | undefined)[],
  unchanged: (item: AppendItem) => EventRow | undefined,
): Repeat {
  if (known.every((row) => row === undefined)) return undefined;
  const other = items.findIndex(({ event }, index) => {
    const row = known[index];
    return row !== undefined && !contentHash(event).equals(contentHash(row));
  });
  if (other !== -1) return { result: "mismatch", index: other };
  const rows = items.map((item, index) => known[index] ?? unchanged(item));
  const missing = rows.indexOf(undefined);
  if (missing !== -1) return { result: "mismatch", index: missing };
  const receipts = rows.filter((row) => row !== undefined).map(receiptOf);
  return { result: "repeated", receipts, contentDiffers: false };
}

/**
 * Runtime tier: any id known → the receipts of those that are known, in the order of the items. The basis version in
 * every id makes it the same reconcile, so another content is counted and otherwise ignored.
 */
export function repeatOfDerived(items: readonly AppendItem[], known: readonly (EventRow | undefined)[]): Repeat {
  const rows = known.filter((row) => row !== undefined);
  if (rows.length === 0) return undefined;
  const contentDiffers = items.some(({ event }, index) => {
    const row = known[index];
    return row === undefined || !derivedContent(event).equals(derivedContent(row));
  });
  return { result: "repeated", receipts: rows.map(receiptOf), contentDiffers };
}

function derivedContent(event: DraftEvent): Buffer {
  return sha256(contentHash(event), sha256(event.statusText), sha256(event.finalizersText));
}

/** The receipt of a stored event. */
import type { EventRow } from "../event/index.js";
import { formatUs } from "../kernel/index.js";
import type { Receipt } from "./port.js";

/** What the publisher gets to know of `row`; the same for the first append and for every repetition. */
export function receiptOf(row: EventRow): Receipt {
  return {
    id: row.id,
    tenantId: row.tenantId,
    aggregateType: row.aggregateType,
    aggregateId: row.aggregateId,
    version: row.version,
    position: row.position,
    generation: row.generation,
    correlationId: row.correlationId,
    hash: Buffer.from(row.hash).toString("hex"),
    recordedAt: formatUs(row.recordedAtUs),
  };
}

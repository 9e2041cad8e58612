/** The id of a dead letter. */
import { uuid8 } from "../kernel/index.js";
import type { WorkKey } from "./port.js";

/** UUIDv8 of the parts of the row's key: the same for ever, safe in URLs, and the aggregateId of `dead-letter.*` facts. */
export function deadLetterId(key: WorkKey): string {
  return uuid8("eventplane.dead-letter.v1", key.tenantId, key.aggregateType, key.aggregateId, key.component);
}

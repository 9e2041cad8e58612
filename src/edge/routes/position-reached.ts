/** Whether a log has come to the position that somebody wants to go on from. */
import { EventplaneError } from "../../kernel/index.js";
import type { Caller, EdgeParts } from "./context.js";

/**
 * A place beyond the log's end would be passed over in silence; it comes from another log, or from one that was restored.
 *
 * @returns the end of the log
 * @throws EventplaneError `request_invalid`
 */
export async function assertReached(
  { reader }: Pick<EdgeParts, "reader">,
  { tenantId }: Pick<Caller, "tenantId">,
  after: number,
): Promise<number> {
  const { position } = await reader.head(tenantId);
  if (after <= position) return position;
  const message = `The log ends at position ${position}, before the position to begin after. Was an older backup restored?`;
  throw new EventplaneError("request_invalid", message, { details: { position } });
}

/** A ruling of the past, made again from files. Whoever starts a command that does not ask for it loads nothing of it. */
import type { JsonObject } from "../../kernel/index.js";
import type { LogFiles } from "./explain-offline.js";

/**
 * The explanation that an edge over these logs would give.
 *
 * @param id of an event of the tenant's log, or of a ruling
 * @throws EventplaneError `not_found`; `usage`, `event_corrupt`, `verification_failed`, `key_unknown` for files that do not hold
 */
export async function explainFromFiles(id: string, files: LogFiles): Promise<JsonObject> {
  const { explainOffline } = await import("./explain-offline.js");
  return explainOffline(id, files);
}

/** A ruling made again from files, without a running plane. */
import { Authorizer, basePolicySet, Cedar, explainRuling, policyApplyType } from "../../edge/index.js";
import { createVerifier, type EventRow, KeyDirectory } from "../../event/index.js";
import { EventplaneError, type JsonObject } from "../../kernel/index.js";
import { readLogFile } from "./log-file.js";
import { readerOfRows } from "./rows-reader.js";

/** Where the events are. */
export interface LogFiles {
  /** The tenant's log. */
  readonly log: string;
  /** The platform's: the keys that signed, and the policies of then. The same file when the platform's own ruling is asked for. */
  readonly platformLog: string;
  /** base64url, from the verifier's owner. */
  readonly rootPublicKey: string;
}

/** See explainFromFiles, which loads this when it is called. */
export async function explainOffline(id: string, { log, platformLog, rootPublicKey }: LogFiles): Promise<JsonObject> {
  const verifier = createVerifier(new KeyDirectory(rootPublicKey));
  // First the platform's: the keys of the other log are introduced in it.
  const platform = withGenerations(await readLogFile(platformLog, verifier));
  const own = log === platformLog ? platform : await readLogFile(log, verifier);
  const [first] = own;
  if (first === undefined) throw new EventplaneError("not_found", `${log} has no event.`);
  const reader = readerOfRows(own === platform ? platform : [...platform, ...own]);
  const report = (): void => undefined; // an engine that fails denies; nobody's log is here to tell it
  const policies = { policySet: () => basePolicySet };
  const authorizer = new Authorizer({ cedar: new Cedar(), policies, report });
  return explainRuling({ reader, authorizer }, first.tenantId, id);
}

/** Generations are not hashed, so they are not in the file: of policies, each application opens one. */
function withGenerations(rows: readonly EventRow[]): readonly EventRow[] {
  const counts = new Map<string, number>();
  return rows.map((row) => {
    if (row.type !== policyApplyType) return row;
    const generation = (counts.get(row.aggregateId) ?? 0) + 1;
    counts.set(row.aggregateId, generation);
    return { ...row, generation };
  });
}

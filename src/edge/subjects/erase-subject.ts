/** The erasure of a data subject. Who may ask for it is decided before. */
import { type CausedBy, EventFactory } from "../../event/index.js";
import { assert, type IdSource, type TenantId } from "../../kernel/index.js";
import { subjectErased } from "../../personal/index.js";
import type { Receipt } from "../../store/index.js";
import type { EdgeDependencies } from "../dependencies.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";

/** What became of it. */
export interface Erasure {
  /** Of `subject.erased`. */
  readonly receipt: Receipt;
  /** The subject had been erased before. */
  readonly repeated: boolean;
}

/** What it takes. */
export interface ErasureParts extends Pick<EdgeDependencies, "log" | "personal"> {
  readonly dataKeys: Pick<EdgeDependencies["dataKeys"], "destroy">;
  readonly ids: IdSource;
}

/**
 * Notes the erasure and destroys the key. Again is harmless.
 *
 * The event first, because it is what counts: from its commit on no process is given the key any more. Whoever is cut off
 * between the two asks again, and so does the hourly sweep.
 *
 * @throws EventplaneError `busy`, `unavailable`: it may have happened, and is to be asked for again
 */
export async function eraseSubject(
  { log, dataKeys, personal, ids }: ErasureParts,
  { tenantId, subject, stamp }: { readonly tenantId: TenantId; readonly subject: string; readonly stamp: CausedBy },
): Promise<Erasure> {
  const factory = new EventFactory({ app: platformApp, ids });
  const item = factory.systemFact(subjectErased(tenantId, subject), stamp);
  const outcome = await log.append({ tenantId, items: [item] });
  if (outcome.result === "refused") throw refusalError(outcome);
  await dataKeys.destroy(tenantId, subject);
  personal.forget(tenantId, subject);
  const [receipt] = outcome.receipts;
  assert(receipt !== undefined, "every event has a receipt");
  return { receipt, repeated: outcome.result === "repeated" };
}

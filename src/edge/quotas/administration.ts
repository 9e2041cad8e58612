/** Quotas as intents in the platform's log: set by operators, read by them and by the tenant itself. */
import { type CausedBy, EventFactory } from "../../event/index.js";
import {
  compileSchema,
  EventplaneError,
  formatUs,
  type JsonObject,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
  uuid8,
} from "../../kernel/index.js";
import { type QuotaSpec, quotaDefaults, quotaDefinition, quotaSetType, tenantLimits } from "../../quota/index.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";

/** What is to be set. */
export interface QuotaWish {
  readonly tenantId: TenantId;
  /** All of it; what is left out is the platform's default again. */
  readonly spec: JsonObject;
  /** The version that it follows; 0 when nobody ever set any. */
  readonly follows: number;
}

const checkSpec = compileSchema(quotaDefinition.specSchema);

/**
 * Sets a quota in the place of the version that it follows.
 *
 * @throws EventplaneError `schema_violation`, `wrong_expected_generation`
 */
export async function setQuota(parts: EdgeParts, wish: QuotaWish, stamp: CausedBy): Promise<void> {
  const { tenantId, spec, follows } = wish;
  assertFits(spec);
  const specText = JSON.stringify(spec);
  const item = new EventFactory({ app: platformApp, ids: parts.ids }).intent(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: quotaSetType,
      // The same wish again is the same event, so an answer that was lost costs nothing.
      id: uuid8(PLATFORM_TENANT_ID, quotaSetType, tenantId, String(follows), sha256(specText).toString("hex")),
      idFromOutsideKey: true,
      aggregateId: tenantId,
      spec,
      specText,
      expectedGeneration: follows,
    },
    stamp,
  );
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  await parts.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts[0]?.position);
  if (outcome.result === "refused") throw refusalError(outcome);
}

function assertFits(spec: JsonObject): void {
  const problems = checkSpec(spec);
  if (problems.length === 0) return;
  const said = problems.map(({ pointer, message }) => `${pointer} ${message}`).join("; ");
  const pointers = problems.map(({ pointer }) => pointer);
  throw new EventplaneError("schema_violation", `The quota does not fit: ${said}.`, { details: { pointers } });
}

/** The quota of a tenant as it is: what is set, and what is in force. */
export function quotaOf(
  { platform, ...parts }: Pick<EdgeParts, "platform" | "quotaDefaults">,
  tenantId: TenantId,
): JsonObject & { readonly version: number } {
  const { spec, version, setAtUs } = platform.state.quotas.of(tenantId);
  const limits = tenantLimits(spec, { ...quotaDefaults, ...parts.quotaDefaults });
  const { requests, events, principalRequests, principalEvents, bytesPerDay, connections, streams } = limits;
  const inForce: QuotaSpec = {
    requestsPerSecond: requests.perSecond,
    requestsBurst: requests.burst,
    eventsPerSecond: events.perSecond,
    eventsBurst: events.burst,
    principalRequestsPerSecond: principalRequests.perSecond,
    principalRequestsBurst: principalRequests.burst,
    principalEventsPerSecond: principalEvents.perSecond,
    principalEventsBurst: principalEvents.burst,
    bytesPerDay,
    connections,
    ...(streams === undefined ? {} : { streams }),
  };
  const setAt = setAtUs === null ? null : formatUs(setAtUs);
  return { tenantId, version, setAt, quota: { ...spec }, limits: { ...inForce } };
}

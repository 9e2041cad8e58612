/** What administrators ask of controllers: system facts in the platform's log. */
import type { EventRow } from "../../event/index.js";
import { formatUs, isUuid, type JsonObject, type TenantId } from "../../kernel/index.js";

/** The stream of the requests about one controller is (`controller`, its name). */
export const changeAggregate = "controller";

/** The types of the facts. */
export const changeTypes = {
  backfill: "controller.backfill-requested",
  retire: "controller.retire-requested",
} as const;

/** One request. */
export type ControllerChange = {
  /** Id of the fact. */
  readonly requestId: string;
  /** When it was recorded, RFC 3339 UTC with microseconds. */
  readonly requestedAt: string;
  readonly controller: string;
  readonly tenantId: TenantId;
} & (
  | { readonly change: "backfill"; readonly aggregateType: string }
  | { readonly change: "retire"; readonly reason: string }
);

/** What a verified fact asks for; undefined when it is no such request. */
export function changeOf(row: EventRow): ControllerChange | undefined {
  const { tenantId, aggregateType, reason } = JSON.parse(row.specText) as JsonObject; // the store takes objects only
  if (typeof tenantId !== "string" || !isUuid(tenantId)) return undefined;
  const requestedAt = formatUs(row.recordedAtUs);
  const whose = { requestId: row.id, requestedAt, controller: row.aggregateId, tenantId: tenantId as TenantId }; // a UUID of the edge's own
  if (row.type === changeTypes.backfill && typeof aggregateType === "string")
    return { ...whose, change: "backfill", aggregateType };
  if (row.type === changeTypes.retire && typeof reason === "string") return { ...whose, change: "retire", reason };
  return undefined;
}

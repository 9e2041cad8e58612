/** The fact with which somebody gives the result of an effect. */
import type { EffectResult, EventRow, SystemFactRequest } from "../event/index.js";
import { uuid8 } from "../kernel/index.js";

/** One for each effect, in the trace of what asked for it: an edge that takes a second one answers that the first counts. */
export function effectResolved(ask: EventRow, worker: string, result: EffectResult): SystemFactRequest {
  const { tenantId, id, correlationId } = ask;
  return {
    tenantId,
    type: "effect.resolved",
    id: uuid8("eventplane.effect-resolved.v1", tenantId, id),
    aggregateId: id,
    causationId: id,
    correlationId,
    spec: "ok" in result ? { worker, ok: result.ok } : { worker, failed: { ...result.failed } },
  };
}

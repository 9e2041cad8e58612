/** A subscription of one's own, for those who have no hub. */
import type { Clock, Doorbell, TenantId } from "../kernel/index.js";
import type { LogReader } from "./port.js";
import type { SubscribeOptions, SubscriptionItem } from "./subscription.js";
import { createLogHub } from "./subscription-hub.js";

/**
 * Gives the events of a tenant in position order: those in the log, then live ones, without gap or repetition. A
 * server with many subscribers uses one {@link createLogHub} for all of them.
 *
 * @throws EventplaneError while iterating, as `LogHub.pages`
 */
export async function* subscribe(
  ports: { readonly reader: LogReader; readonly doorbell: Doorbell; readonly clock: Clock },
  tenantId: TenantId,
  options: SubscribeOptions & { readonly pollMs?: number } = {},
): AsyncGenerator<SubscriptionItem, void, undefined> {
  const { pollMs, ...subscribeOptions } = options;
  const hub = createLogHub({ ...ports, ...(pollMs === undefined ? {} : { pollMs }) });
  try {
    yield* hub.subscribe(tenantId, subscribeOptions);
  } finally {
    await hub.close();
  }
}

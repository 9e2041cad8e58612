/** The doorbell of one process, on the bus: who appends rings, who waits for news listens. */
import { EventBus, MemoryDeadLetters } from "../../bus/index.js";
import type { Doorbell, TenantId } from "../../kernel/index.js";

/** Topic → position that the tenant's log reached. */
type Rings = Readonly<Record<`log.${string}`, number>>;

/** How to make a doorbell. */
export interface DoorbellOptions {
  /** What a listener threw; it is listening still, and the others were called. */
  readonly onError?: (error: unknown) => void;
}

const everyTenant = "log.*";
const topicOf = (tenantId: TenantId): `log.${string}` => `log.${tenantId}`;

/**
 * A doorbell without listeners. Each tenant is a topic, so a ring costs as much as those who listen to the tenant or to all, however many others
 * there are. Listeners run within `ring`, so they must be short; when one of them rings itself, that ring follows the one under way.
 *
 * At most 100,000 listen; `listen` throws EventplaneError `busy` beyond that. No ring is lost but of more than 10,000 that listeners ring within
 * one ring: those cost a polling interval.
 */
export function createDoorbell(options: DoorbellOptions = {}): Doorbell {
  const bus = new EventBus<Rings>({
    // A tenant may come at any time.
    unknownTopics: "allow",
    historyMax: 0,
    // A missed ring is made up for by the next one or by polling.
    deadLetters: new MemoryDeadLetters({ lettersMax: 1 }),
    onFailure: ({ error }) => options.onError?.(error),
  });
  return {
    ring: (tenantId, position) => {
      try {
        void bus.publish(topicOf(tenantId), position);
      } catch (error) {
        options.onError?.(error);
      }
    },
    listen: (listener, tenantId) => {
      const call = ({ topic, payload }: { readonly topic: string; readonly payload: number }): void =>
        // The rest of a topic is the tenant that rang.
        listener((tenantId ?? topic.slice("log.".length)) as TenantId, payload);
      const subscription = bus.on(tenantId === undefined ? everyTenant : topicOf(tenantId), call);
      return () => void subscription.unsubscribe();
    },
  };
}

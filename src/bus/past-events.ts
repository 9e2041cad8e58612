/** What a stream needs of its subscription, beside the events that are published from now on. */
import type { BusEvent } from "./accepted-event.js";
import type { Consumer } from "./consumer.js";
import { passes } from "./event-filter.js";
import type { Space } from "./space.js";

/** The events of the past that a subscription of this name is given first, and how many its queue has dropped. */
export function streamFrom(
  events: readonly BusEvent[],
  space: Pick<Space, "registry" | "host">,
  name: string,
): { readonly past: Iterator<BusEvent, undefined>; readonly dropped: () => number } {
  const consumer = space.registry.byName(name)?.consumer;
  // Its signal had aborted before it began.
  if (consumer === undefined) return { past: [].values(), dropped: () => 0 };
  return { past: wantedOf(events, space, consumer), dropped: () => consumer.counters.dropped };
}

/**
 * Those of the events that the subscription would be given now. Each is looked at when it is asked for: a permit that was withdrawn
 * meanwhile holds.
 */
function* wantedOf(
  events: readonly BusEvent[],
  space: Pick<Space, "registry" | "host">,
  consumer: Consumer,
): Generator<BusEvent, undefined> {
  for (const event of events)
    if (space.registry.match(event.topic).includes(consumer) && isWanted(consumer, event, space)) yield event;
  return undefined;
}

/** A filter that fails is told, as it is for an event that is published. */
function isWanted({ name, settings }: Consumer, event: BusEvent, { host }: Pick<Space, "host">): boolean {
  try {
    return passes(settings.filter, event);
  } catch (error) {
    host.failed({ event, subscription: name, attempts: 0, error });
    return false;
  }
}

/** What a subscription is given of the history, before what is published from now on. */
import type { BusEvent } from "./accepted-event.js";
import type { Consumer } from "./consumer.js";
import type { Space } from "./space.js";

/**
 * Those of the events that the subscription of this name would be given now. Each is looked at when it is asked for: a permit that was withdrawn
 * meanwhile holds.
 */
export function* wantedOf(
  events: readonly BusEvent[],
  space: Pick<Space, "registry" | "host">,
  name: string,
): Generator<BusEvent, undefined> {
  const consumer = space.registry.byName(name)?.consumer;
  if (consumer === undefined) return undefined;
  for (const event of events)
    if (space.registry.match(event.topic).includes(consumer) && passes(consumer, event, space)) yield event;
  return undefined;
}

/** A filter that throws has failed, as it does for an event that is published. */
function passes({ name, settings }: Consumer, event: BusEvent, { host }: Pick<Space, "host">): boolean {
  try {
    return settings.filter === undefined || settings.filter(event);
  } catch (error) {
    host.failed({ event, subscription: name, attempts: 0, error });
    return false;
  }
}

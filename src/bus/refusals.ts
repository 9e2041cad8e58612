/** Why a publication is refused, beside its topic and payload. */
import { EventplaneError } from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";

// Made outside of the functions that throw them, which are run for every event and are compiled into one another while they are small.

/** The context has ended. */
export function contextClosed(name: string): EventplaneError {
  return new EventplaneError(
    "unavailable",
    `The context ${name} is closed: nothing is published or subscribed any more.`,
  );
}

/** The context's rate limit. */
export function rateLimited(name: string): EventplaneError {
  return new EventplaneError("rate_limited", `The context ${name} publishes faster than its rate limit allows.`, {
    details: { context: name },
  });
}

/** A queue that lets nobody wait. */
export function queueFull(name: string): EventplaneError {
  return new EventplaneError("busy", `The queue of ${name} is full: nobody got the event. Publish it again later.`, {
    details: { subscription: name },
  });
}

/** Handlers publish without end. */
export function tooManyNested(): EventplaneError {
  return new EventplaneError(
    "busy",
    `More than ${busLimits.nestedMax} events were published while one was handed out.`,
  );
}

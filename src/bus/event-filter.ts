/** Whether a subscription's filter lets an event through. */
import { EventplaneError } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import { answerOf } from "./callback.js";

/** Whether it may pass; also when the filter fails, because that failure is to be seen. */
export function mayPass(filter: ((event: BusEvent) => boolean) | undefined, event: BusEvent): boolean {
  try {
    return passes(filter, event);
  } catch {
    return true;
  }
}

/**
 * Asks the filter; without one everything passes.
 *
 * @throws what the filter throws; EventplaneError `config_invalid` when it answers neither true nor false, as an asynchronous one does
 */
export function passes(filter: ((event: BusEvent) => boolean) | undefined, event: BusEvent): boolean {
  if (filter === undefined) return true;
  const answer: unknown = filter(event);
  if (typeof answer === "boolean") return answer;
  answerOf(() => answer);
  throw new EventplaneError("config_invalid", "A filter answers true or false, and not later.");
}

/** What follows a failed call: another attempt later, or the end of the delivery. */
import { backoffMs, type EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { AwaitedCalls } from "./awaited-calls.js";
import type { CallGate } from "./call-gate.js";
import type { ConsumerCounters } from "./consumer-counters.js";
import type { ConsumerHost } from "./consumer-parts.js";
import type { Delivery } from "./delivery.js";
import type { SubscriptionSettings } from "./subscription-options.js";
import type { TopicPermit } from "./topic-permit.js";

/** Whose calls they are. */
export interface FailedCallsParts {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly permit: TopicPermit;
  readonly gate: CallGate | undefined;
  readonly host: ConsumerHost;
  readonly counters: Omit<ConsumerCounters, "done">;
  readonly calls: AwaitedCalls;
  /** Whether nothing is tried again. */
  readonly isClosed: () => boolean;
  /** Calls the handler again. */
  readonly call: (delivery: Delivery) => void;
  /** The delivery has given its slot back. */
  readonly slotFree: () => void;
}

/** Tries deliveries again and gives them up, within the bounds that the subscription chose. */
export class FailedCalls {
  readonly #parts: FailedCallsParts;

  constructor(parts: FailedCallsParts) {
    this.#parts = parts;
  }

  /** A call failed with `error`. */
  failed(delivery: Delivery, error: unknown): void {
    const { name, settings, permit, gate, host, counters, calls, isClosed } = this.#parts;
    counters.attemptsFailed++;
    gate?.fail();
    const isLast = delivery.attempts >= settings.attempts || isEventplaneError(error, "terminal_error");
    const { event, attempts } = delivery;
    if (isLast || isClosed() || !permit.covers(event.topic)) return this.giveUp(delivery, error);
    host.attemptFailed({ event, subscription: name, attempts: delivery.attemptsBefore + attempts, error });
    calls.underWay.add(delivery);
    this.#tryAgainIn(backoffMs(attempts, { ...settings.backoff, random: host.random }), delivery);
  }

  /** The delivery has failed for good; its slot is free. */
  giveUp(delivery: Delivery, error: unknown): void {
    const { name, host, counters, slotFree } = this.#parts;
    const { event, attempts, settlement } = delivery;
    this.stop(delivery, isEventplaneError(error) ? error : undefined);
    counters.failed++;
    host.failed({ event, subscription: name, attempts: delivery.attemptsBefore + attempts, error });
    settlement?.end({ subscription: name, outcome: "failed", attempts, error });
    slotFree();
  }

  /** It is called no more. */
  stop(delivery: Delivery, reason?: EventplaneError): void {
    const { host, calls } = this.#parts;
    if (delivery.timer !== undefined) host.wheel.cancel(delivery.timer);
    delivery.timer = undefined;
    calls.end(delivery, reason);
  }

  /** The slot is kept, so that what follows does not overtake. */
  #tryAgainIn(ms: number, delivery: Delivery): void {
    const { gate, host, call } = this.#parts;
    delivery.timer = host.wheel.after(ms, () => {
      const waitMs = gate?.breakerWaitMs() ?? 0;
      if (waitMs > 0) return this.#tryAgainIn(waitMs, delivery);
      this.stop(delivery);
      gate?.beginAgain();
      call(delivery);
    });
  }
}

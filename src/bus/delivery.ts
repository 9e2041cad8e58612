/** One event on its way to one subscription. */
import type { AcceptedEvent } from "./accepted-event.js";
import { type Guard, guardListeners } from "./guarded-signal.js";
import { type Laned, laneOf } from "./lane-queue.js";
import type { Settlement } from "./settlement.js";
import type { WheelTimer } from "./timer-wheel.js";

/** What a handler is told beside the event. */
export interface HandlerContext {
  /** Which call for this event it is, from 1. */
  readonly attempt: number;
  /** Aborts when the time-out of the call ends, or the subscription. Made when it is first read. What its listeners throw is counted, and otherwise ignored. */
  readonly signal: AbortSignal;
}

/** What the handler of a stream rejects with when the loop never took the event: it is dropped then. */
export const notTaken: unique symbol = Symbol("not taken");

/** A call whose promise is waited for; it forgets the delivery when nobody does any more. */
export interface AwaitedCall {
  delivery: Delivery | undefined;
}

/** A delivery: in a queue, under way, or waiting for its next attempt. */
export class Delivery implements Laned {
  readonly event: AcceptedEvent;
  readonly settlement: Settlement | undefined;
  /** Calls for the event that are told of in a dead letter. */
  readonly attemptsBefore: number;
  /** Calls begun. */
  attempts = 0;
  /** The call that is waited for. */
  call: AwaitedCall | undefined = undefined;
  /** When its time is over, if it is bounded. */
  dueMs = 0;
  /** What the handler of that call was told, if it takes it. */
  attempt: Attempt | undefined = undefined;
  /** The backoff under way. */
  timer: WheelTimer | undefined = undefined;
  /** Its index among those that have a slot. */
  place = -1;

  constructor(event: AcceptedEvent, settlement: Settlement | undefined, attemptsBefore = 0) {
    this.event = event;
    this.settlement = settlement;
    this.attemptsBefore = attemptsBefore;
  }

  get lane(): number {
    return laneOf(this.event.priority);
  }

  /** The call under way is over; `reason`: it is to stop. */
  end(reason?: Error): void {
    if (this.call !== undefined) this.call.delivery = undefined;
    this.call = undefined;
    if (reason !== undefined) this.attempt?.abort(reason);
    this.attempt = undefined;
  }
}

/** A delivery whose first call has begun. */
export function firstDelivery(event: AcceptedEvent, settlement: Settlement | undefined): Delivery {
  const delivery = new Delivery(event, settlement);
  delivery.attempts = 1;
  return delivery;
}

/** One call of a handler. */
export class Attempt implements HandlerContext {
  readonly attempt: number;
  readonly #guard: Guard;
  #controller: AbortController | undefined = undefined;
  #reason: Error | undefined = undefined;

  /** `guard` calls the listeners of its signal. */
  constructor(attempt: number, guard: Guard) {
    this.attempt = attempt;
    this.#guard = guard;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      guardListeners(this.#controller.signal, this.#guard);
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal, also one that is read later. */
  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

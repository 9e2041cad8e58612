/** What a subscription at work is made of, uses, and counts. */
import type { Clock, Random } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import type { CoarseClock } from "./coarse-clock.js";
import type { HandlerContext } from "./delivery.js";
import type { TimerWheel } from "./timer-wheel.js";
import type { TopicPermit } from "./topic-permit.js";

/** A handler as the core sees it: it may return anything; a promise is waited for. */
export type AnyHandler = (event: BusEvent, context: HandlerContext) => unknown;

/** What makes a consumer itself. */
export interface ConsumerParts {
  readonly name: string;
  readonly handler: AnyHandler;
  readonly permit: TopicPermit;
  readonly spent?: () => void;
  readonly ended: () => void;
}

/** A delivery that ended without success and will not be tried again by itself. */
export interface DeliveryFailure {
  readonly event: BusEvent;
  readonly subscription: string;
  readonly attempts: number;
  /** As it was thrown: anything, also undefined. */
  readonly error: unknown;
}

/** What a consumer uses of its bus. */
export interface ConsumerHost {
  readonly wheel: TimerWheel;
  readonly coarse: CoarseClock;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Random;
  /** How many consumers of the context are full, so that a publication need not look at each. */
  readonly queues: { full: number };
  /** For good, or to be tried again. Neither throws. */
  readonly failed: (failure: DeliveryFailure) => void;
  readonly attemptFailed: (failure: DeliveryFailure) => void;
  /** Calls a callback of the user; that it threw, or its promise rejects, is counted. Never throws. */
  readonly callback: (call: () => unknown) => void;
}

/** Events of one context that are published later: checked when they are accepted, authorized again when their time comes. */
import { EventplaneError } from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";
import type { TimerWheel, WheelTimer } from "./timer-wheel.js";

/** What became of a delayed event. `refused`: its time came, or the context ended, and it could not be published. */
export type DelayedOutcome =
  | { readonly outcome: "published" | "cancelled" }
  | { readonly outcome: "refused"; readonly error: EventplaneError };

/** An event that waits for its time. */
export interface DelayedEvent {
  readonly id: string;
  /** Never rejects; resolves once it was published to all queues, was cancelled, or was refused. */
  readonly settled: Promise<DelayedOutcome>;
  /** Takes it back. @returns whether that was in time: false when it was published, refused, or cancelled before */
  cancel(): boolean;
}

/** A delayed event, or the end of an operation, that never reached anybody. */
export interface Unpublished {
  /** Of the event, or of the operation. */
  readonly id: string;
  readonly topic: string;
  readonly context: string;
  /** Why, as of `publish`; `aborted` for a delayed event at the end of its context. */
  readonly error: EventplaneError;
}

/** What waits, and how it is published. */
export interface Delayable {
  readonly id: string;
  /** Publishes it; throws when it is refused. A promise when a full queue makes it wait. */
  readonly publish: () => void | Promise<void>;
  /** Tells that it was refused. Never throws. */
  readonly refused: (error: EventplaneError) => void;
}

interface Waiting {
  readonly event: Delayable;
  readonly settle: (outcome: DelayedOutcome) => void;
  readonly timer: WheelTimer;
}

/** A bounded number of waiting events on the timer wheel of the bus. They are in memory only: the end of the process is theirs. */
export class DelayedEvents {
  readonly #wheel: TimerWheel;
  readonly #waiting = new Set<Waiting>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  /** Events that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** @throws EventplaneError `request_invalid` for a delay out of its range; `busy` when too many wait */
  assertTakes(delayMs: number): void {
    if (!(delayMs >= 0 && delayMs <= busLimits.delayMsMax))
      throw new EventplaneError("request_invalid", `The option delayMs is 0 to ${busLimits.delayMsMax}.`);
    if (this.#waiting.size < busLimits.delayedMax) return;
    throw new EventplaneError("busy", `${busLimits.delayedMax} delayed events wait already. Publish it again later.`);
  }

  /** Lets an event wait. */
  add(event: Delayable, delayMs: number): DelayedEvent {
    let settle: (outcome: DelayedOutcome) => void = () => undefined;
    const settled = new Promise<DelayedOutcome>((resolve) => {
      settle = resolve;
    });
    const waiting: Waiting = { event, settle, timer: this.#wheel.after(delayMs, () => this.#due(waiting)) };
    this.#waiting.add(waiting);
    return { id: event.id, settled, cancel: () => this.#cancel(waiting) };
  }

  /** Refuses all that wait, as `aborted`. */
  close(context: string): void {
    for (const waiting of this.#waiting) {
      this.#wheel.cancel(waiting.timer);
      this.#refuse(waiting, new EventplaneError("aborted", `The context ${context} was closed before its time came.`));
    }
  }

  #cancel(waiting: Waiting): boolean {
    if (!this.#wheel.cancel(waiting.timer)) return false;
    this.#waiting.delete(waiting);
    waiting.settle({ outcome: "cancelled" });
    return true;
  }

  #due(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    try {
      const blocked = waiting.event.publish();
      if (blocked === undefined) waiting.settle({ outcome: "published" });
      else void blocked.then(() => waiting.settle({ outcome: "published" }));
    } catch (error) {
      this.#refuse(waiting, error as EventplaneError); // publications are refused with nothing else
    }
  }

  #refuse(waiting: Waiting, error: EventplaneError): void {
    this.#waiting.delete(waiting);
    waiting.event.refused(error);
    waiting.settle({ outcome: "refused", error });
  }
}

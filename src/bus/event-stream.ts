/** A subscription as an async iterable: its queue holds what the loop has not asked for yet. */
import { assert } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import { notTaken } from "./delivery.js";
import type { Past } from "./history.js";
import type { Subscription } from "./subscription.js";
import type { SubscriptionOptions } from "./subscription-options.js";

/** Choices of a stream; the others of a subscription are the loop's own affair. */
export interface StreamOptions<Event = BusEvent>
  extends Omit<SubscriptionOptions<Event>, "concurrency" | "timeoutMs" | "retry" | "breaker"> {
  /** Begins with the events of the history that came after the one with this id, as far as patterns, filter and permit let them through. */
  readonly afterId?: string;
}

/** A subscription as an async iterable. */
export interface BusStream<Event> extends AsyncIterableIterator<Event, undefined> {
  readonly subscription: Subscription;
  /** False when `afterId` is not in the history any more: events may be missing before the first one. */
  readonly isWhole: boolean;
  /** Whether events right before the one that was given last are missing, because the full queue dropped them. */
  readonly hasGap: boolean;
}

/** Nothing is asked of the history. */
export const noPast: Past = { events: [], isWhole: true };

interface Waiting {
  readonly resolve: (result: IteratorResult<BusEvent, undefined>) => void;
}

/**
 * Hands each event to whoever asks next. The delivery of an event ends when the one after it is asked for, so at most one is outside of the
 * subscription's queue, and the queue's bounds hold.
 */
export class EventStream implements BusStream<BusEvent> {
  readonly isWhole: boolean;
  #asking: Waiting[] = [];
  /** The event that waits to be asked for, and the end of the delivery of the one that was given. */
  #offered: BusEvent | undefined = undefined;
  #done: ((result?: PromiseLike<void>) => void) | undefined = undefined;
  #isEnded = false;
  #subscription: Subscription | undefined = undefined;
  #past: Iterator<BusEvent, undefined> | undefined = undefined;
  #dropped: () => number = () => 0;
  #droppedBefore = 0;
  #offeredGap = false;
  #hasGap = false;

  /** `isWhole`: of the past that it begins with. */
  constructor(isWhole: boolean) {
    this.isWhole = isWhole;
  }

  get subscription(): Subscription {
    assert(this.#subscription !== undefined, "a stream has begun");
    return this.#subscription;
  }

  /** The handler of the subscription. */
  readonly handler = (event: BusEvent): Promise<void> => {
    const dropped = this.#dropped();
    this.#offeredGap = dropped > this.#droppedBefore;
    this.#droppedBefore = dropped;
    const first = this.#asking.shift();
    if (first === undefined) this.#offered = event;
    else first.resolve(this.#give(event));
    // Somebody asks for the next one already.
    if (this.#asking.length > 0 || this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  };

  get hasGap(): boolean {
    return this.#hasGap;
  }

  /** Sets the subscription that leaving the loop ends, what is given before its events, and how many its queue has dropped. */
  begin(
    subscription: Subscription,
    from: { readonly past: Iterator<BusEvent, undefined>; readonly dropped: () => number },
  ): void {
    this.#subscription = subscription;
    this.#past = from.past;
    this.#dropped = from.dropped;
  }

  next(): Promise<IteratorResult<BusEvent, undefined>> {
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    const past = this.#past?.next();
    if (past?.done === false) return Promise.resolve(past);
    this.#past = undefined;
    const offered = this.#offered;
    if (offered !== undefined) {
      this.#offered = undefined;
      return Promise.resolve(this.#give(offered));
    }
    return new Promise((resolve) => {
      this.#asking.push({ resolve });
      const done = this.#done;
      this.#done = undefined;
      done?.();
    });
  }

  return(): Promise<IteratorResult<BusEvent, undefined>> {
    this.#subscription?.unsubscribe();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The subscription has ended; whoever asks is told. Calling it again is harmless. */
  end(): void {
    this.#isEnded = true;
    const untaken = this.#offered;
    this.#offered = undefined;
    for (const { resolve } of this.#asking) resolve({ done: true, value: undefined });
    this.#asking = [];
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- nobody sees it but the subscription
    this.#done?.(untaken === undefined ? undefined : Promise.reject(notTaken));
  }

  #give(value: BusEvent): IteratorResult<BusEvent, undefined> {
    this.#hasGap = this.#offeredGap;
    return { done: false, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

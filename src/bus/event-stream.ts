/** A subscription as an async iterable: its queue holds what the loop has not asked for yet. */
import type { BusEvent } from "./accepted-event.js";

interface Waiting {
  readonly resolve: (result: IteratorResult<BusEvent, undefined>) => void;
}

/**
 * Hands each event to whoever asks next. The delivery of an event ends when the one after it is asked for, so at most one is outside of the
 * subscription's queue, and the queue's bounds hold.
 */
export class EventStream implements AsyncIterableIterator<BusEvent, undefined> {
  #asking: Waiting[] = [];
  /** The event that waits to be asked for, and the end of the delivery of the one that was given. */
  #offered: BusEvent | undefined = undefined;
  #done: (() => void) | undefined = undefined;
  #isEnded = false;
  #left: () => void = () => undefined;

  /** The handler of the subscription. */
  readonly handler = (event: BusEvent): Promise<void> => {
    const first = this.#asking.shift();
    if (first === undefined) this.#offered = event;
    else first.resolve({ done: false, value: event });
    // Somebody asks for the next one already.
    if (this.#asking.length > 0 || this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  };

  /** Sets what is called when the loop is left. */
  onLeft(left: () => void): void {
    this.#left = left;
  }

  next(): Promise<IteratorResult<BusEvent, undefined>> {
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    const offered = this.#offered;
    if (offered !== undefined) {
      this.#offered = undefined;
      return Promise.resolve({ done: false, value: offered });
    }
    return new Promise((resolve) => {
      this.#asking.push({ resolve });
      const done = this.#done;
      this.#done = undefined;
      done?.();
    });
  }

  return(): Promise<IteratorResult<BusEvent, undefined>> {
    this.#left();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The subscription has ended; whoever asks is told. Calling it again is harmless. */
  end(): void {
    this.#isEnded = true;
    this.#offered = undefined;
    for (const { resolve } of this.#asking) resolve({ done: true, value: undefined });
    this.#asking = [];
    this.#done?.();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

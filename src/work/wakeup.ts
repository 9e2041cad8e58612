/** A loop's bell: rung by whoever has news, waited for with an upper bound. */
import { type Clock, isEventplaneError } from "../kernel/index.js";

/** Remembers one ring: a ring while nobody waits ends the next wait at once. */
export class Wakeup {
  readonly #clock: Clock;
  #rung = false;
  #waiter: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#waiter?.abort();
  }

  /** Returns after `ms`, at a ring, or when `signal` aborts. One waiter at a time. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#rung || signal?.aborted) {
      this.#rung = false;
      return;
    }
    const waiter = new AbortController();
    this.#waiter = waiter;
    const stop = (): void => waiter.abort();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await this.#clock.sleep(ms, waiter.signal);
    } catch (error) {
      if (!isEventplaneError(error, "aborted")) throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#waiter = undefined;
      this.#rung = false;
    }
  }
}

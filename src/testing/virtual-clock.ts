/** A clock that stands still until the test advances it. */
import { type Clock, EventplaneError } from "../kernel/index.js";

interface Sleep {
  readonly endMs: number;
  readonly wake: () => void;
}

const defaultStartUs = Date.UTC(2026, 0, 1) * 1000;

/** Time as the test wants it: the wall clock begins at `startUs`, 2026-01-01T00:00:00Z by default, the monotonic one at 0. */
export class VirtualClock implements Clock {
  readonly #startUs: number;
  readonly #sleeps: Set<Sleep> = new Set();
  #nowMs = 0;

  constructor(startUs: number = defaultStartUs) {
    this.#startUs = startUs;
  }

  /** Sleeps that have not ended. */
  get sleeping(): number {
    return this.#sleeps.size;
  }

  nowUs(): number {
    return this.#startUs + Math.floor(this.#nowMs * 1000);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#sleeps.delete(sleep);
        reject(new EventplaneError("aborted", "The wait was aborted by its caller."));
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleep: Sleep = { endMs: this.#nowMs + Math.max(0, ms), wake };
      this.#sleeps.add(sleep);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Lets `ms` milliseconds pass: ends every sleep that ends in them, in the order of their ends, each after the work
   * that the one before it set off. Work that needs sockets or threads is not waited for.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let sleep = this.#nextUntil(endMs); sleep !== undefined; sleep = this.#nextUntil(endMs)) {
      this.#sleeps.delete(sleep);
      this.#nowMs = Math.max(this.#nowMs, sleep.endMs);
      sleep.wake();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /** Monotonic time of the next end of a sleep; Infinity when nobody sleeps. */
  get nextEndMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#sleeps].map(({ endMs }) => endMs));
  }

  /** As a machine that slept: `ms` milliseconds pass at once, and every sleep that should have ended ends now, in order. */
  async jump(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (let sleep = this.#nextUntil(this.#nowMs); sleep !== undefined; sleep = this.#nextUntil(this.#nowMs)) {
      this.#sleeps.delete(sleep);
      sleep.wake();
    }
    await settled();
  }

  /** Resolves after everything that can go on without a timer, a socket or a thread. */
  turn(): Promise<void> {
    return settled();
  }

  #nextUntil(endMs: number): Sleep | undefined {
    return [...this.#sleeps].filter((sleep) => sleep.endMs <= endMs).toSorted((a, b) => a.endMs - b.endMs)[0];
  }
}

/** After all promises that can go on without a timer, a socket or a thread. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

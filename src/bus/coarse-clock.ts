/** The time of the hot path: a clock read costs more than everything else that a publish does. */
import type { Clock } from "../kernel/index.js";

/** How old a time may be, milliseconds, while the thread is free; and how many may be given out while it is not. */
const staleAfterMs = 10;
const readEvery = 16;

/**
 * Milliseconds, read once in 16 calls and after 10 ms. While one turn of the event loop lasts, a time can be as old as its
 * last 15 calls; never goes back.
 */
export class CoarseClock {
  readonly #clock: Clock;
  #left = 0;
  #monotonicMs = 0;
  #wallMs = 0;
  #isWaiting = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Monotonic milliseconds. */
  monotonicMs(): number {
    if (--this.#left < 0) this.#read();
    return this.#monotonicMs;
  }

  /** Whole milliseconds since 1970. */
  wallMs(): number {
    if (--this.#left < 0) this.#read();
    return this.#wallMs;
  }

  #read(): void {
    this.#left = readEvery;
    this.#monotonicMs = this.#clock.monotonicMs();
    this.#wallMs = Math.floor(this.#clock.nowUs() / 1000);
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#clock.sleep(staleAfterMs).then(() => {
      this.#isWaiting = false;
      this.#left = 0;
    });
  }
}

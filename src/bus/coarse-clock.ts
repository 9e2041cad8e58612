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
  readonly #monotonic: Reading = { left: 0, ms: 0 };
  readonly #wall: Reading = { left: 0, ms: 0 };
  #isWaiting = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Monotonic milliseconds. */
  monotonicMs(): number {
    const reading = this.#monotonic;
    if (--reading.left < 0) this.#renew(reading, this.#clock.monotonicMs());
    return reading.ms;
  }

  /** Whole milliseconds since 1970. */
  wallMs(): number {
    const reading = this.#wall;
    if (--reading.left < 0) this.#renew(reading, Math.floor(this.#clock.nowUs() / 1000));
    return reading.ms;
  }

  #renew(reading: Reading, ms: number): void {
    reading.left = readEvery;
    reading.ms = ms;
    if (this.#isWaiting) return;
    const waited = (): void => {
      this.#isWaiting = false;
      this.#monotonic.left = 0;
      this.#wall.left = 0;
    };
    // It rejects when the publisher's stack is full.
    void this.#clock.sleep(staleAfterMs).then(waited, waited);
    this.#isWaiting = true;
  }
}

interface Reading {
  /** Times that it may still be given out. */
  left: number;
  ms: number;
}

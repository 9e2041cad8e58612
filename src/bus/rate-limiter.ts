/** A token bucket. */
import type { CoarseClock } from "./coarse-clock.js";

/** How much, on average and at once. */
export interface RateLimit {
  /** Tokens that come back in a second. */
  readonly perSecond: number;
  /** Tokens that a full bucket holds; as many as come in a second by default, at least 1. */
  readonly burst?: number;
}

/** Takes between two looks at the clock, as long as there are tokens. */
const looksEvery = 16;

/** Gives at most `burst + perSecond · seconds` tokens in any time, and what 16 takes took, because it looks at the clock so seldom. */
export class RateLimiter {
  readonly #clock: CoarseClock;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAtMs: number;
  #takes = 0;

  constructor({ perSecond, burst = Math.max(1, perSecond) }: RateLimit, clock: CoarseClock) {
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Takes `count` tokens, all or none. */
  take(count: number): boolean {
    if (this.#tokens < count || ++this.#takes >= looksEvery) this.#fill();
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Milliseconds until one token is there. */
  get waitMs(): number {
    return Math.max(0, Math.ceil((1 - this.#tokens) / this.#perMs));
  }

  #fill(): void {
    this.#takes = 0;
    const now = this.#clock.monotonicMs();
    if (now === this.#filledAtMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = now;
  }
}

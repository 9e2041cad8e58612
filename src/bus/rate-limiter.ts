/** A token bucket. */
import type { CoarseClock } from "./coarse-clock.js";

/** How much, on average and at once. */
export interface RateLimit {
  /** Tokens that come back in a second, from 0.00001 on: about one a day. */
  readonly perSecond: number;
  /** Tokens that a full bucket holds; as many as come in a second by default, at least 1. */
  readonly burst?: number;
}

/** Tokens taken out of the bucket at one look at the clock: a 64th of what it holds when full, within these bounds. */
const grantRange = { from: 1, to: 16 };

/** Gives at most `burst + perSecond · seconds` tokens in any time, and one 64th of the burst, because it looks at the clock so seldom. */
export class RateLimiter {
  readonly #clock: CoarseClock;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #grantMax: number;
  /** Whole tokens taken out of the bucket and not given yet: giving one of them is a subtraction. */
  #granted = 0;
  #tokens: number;
  #filledAtMs: number;

  constructor({ perSecond, burst = Math.max(1, perSecond) }: RateLimit, clock: CoarseClock) {
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#grantMax = Math.max(grantRange.from, Math.min(grantRange.to, Math.floor(burst / 64)));
    this.#tokens = burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Takes `count` tokens, all or none. */
  take(count: number): boolean {
    if (this.#granted < count && !this.#grant(count)) return false;
    this.#granted -= count;
    return true;
  }

  /** Takes a token for what does not wait: what comes after it waits the longer. */
  owe(): void {
    this.#fill();
    this.#tokens--;
  }

  /** Whole tokens that are there now. */
  get room(): number {
    this.#fill();
    return Math.max(0, this.#granted + Math.floor(this.#tokens));
  }

  /** Milliseconds until one token is there. */
  get waitMs(): number {
    return Math.max(0, Math.ceil((1 - this.#granted - this.#tokens) / this.#perMs));
  }

  #grant(count: number): boolean {
    this.#fill();
    const missing = count - this.#granted;
    if (this.#tokens < missing) return false;
    const granted = Math.max(missing, Math.min(this.#grantMax, Math.floor(this.#tokens)));
    this.#granted += granted;
    this.#tokens -= granted;
    return true;
  }

  #fill(): void {
    const now = this.#clock.monotonicMs();
    if (now === this.#filledAtMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = now;
  }
}

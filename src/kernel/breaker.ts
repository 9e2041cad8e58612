/** A circuit breaker: a service that does not answer is left alone for a while (Nygard, "Release It!", ch. 5). */
import type { Clock } from "./time.js";

/** How many failures open it, and for how long. */
export interface BreakerOptions {
  readonly failures: number;
  readonly openMs: number;
}

/**
 * Closed until `failures` calls in a row brought no answer; then open for `openMs`; then one call may try: its answer
 * closes it, its failure opens it again. Calls that were under way when it opened count too.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #failures = 0;
  #opensAtMs: number | undefined;
  #isTrying = false;

  constructor(options: BreakerOptions, clock: Pick<Clock, "monotonicMs">) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Whether calls are held back. */
  get isOpen(): boolean {
    return this.#opensAtMs !== undefined;
  }

  /** How many calls may begin now. */
  get room(): number {
    if (this.#opensAtMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#isTrying || this.#clock.monotonicMs() < this.#opensAtMs ? 0 : 1;
  }

  /** Monotonic time of the next try; undefined when none is waited for. */
  get triesAtMs(): number | undefined {
    return this.#isTrying ? undefined : this.#opensAtMs;
  }

  /** A call begins. */
  begin(): void {
    if (this.#opensAtMs !== undefined) this.#isTrying = true;
  }

  /** A call brought an answer, also when the answer is no. */
  succeed(): void {
    this.#failures = 0;
    this.#opensAtMs = undefined;
    this.#isTrying = false;
  }

  /** A call brought none. @returns whether this opened it */
  fail(): boolean {
    this.#failures += 1;
    this.#isTrying = false;
    const wasOpen = this.#opensAtMs !== undefined;
    if (!wasOpen && this.#failures < this.#options.failures) return false;
    this.#opensAtMs = this.#clock.monotonicMs() + this.#options.openMs;
    return !wasOpen;
  }

  /** A call ended without a word about the service. */
  forget(): void {
    this.#isTrying = false;
  }
}

/** Whether a subscription's handler may be called now: its breaker and its rate limit. */
import { Breaker } from "../kernel/index.js";
import type { ConsumerHost } from "./consumer-parts.js";
import { RateLimiter } from "./rate-limiter.js";
import type { SubscriptionSettings } from "./subscription-options.js";
import type { WheelTimer } from "./timer-wheel.js";

/** Says no, and calls `wake` when it may be asked again. */
export class CallGate {
  readonly #host: ConsumerHost;
  readonly #wake: () => void;
  readonly #breaker: Breaker | undefined;
  readonly #limiter: RateLimiter | undefined;
  #timer: WheelTimer | undefined = undefined;
  /** Whether the breaker has seen no failure since the last success: it need not be asked then. */
  #isCalm = true;

  constructor(settings: SubscriptionSettings, host: ConsumerHost, wake: () => void) {
    this.#host = host;
    this.#wake = wake;
    this.#breaker = settings.breaker === undefined ? undefined : new Breaker(settings.breaker, host.coarse);
    this.#limiter = settings.rateLimit === undefined ? undefined : new RateLimiter(settings.rateLimit, host.coarse);
  }

  /** Whether the breaker holds calls back. */
  get isBreakerOpen(): boolean {
    return this.#breaker?.isOpen ?? false;
  }

  /** How many calls may begin now. */
  get room(): number {
    return Math.min(this.#breaker?.room ?? Number.POSITIVE_INFINITY, this.#limiter?.room ?? Number.POSITIVE_INFINITY);
  }

  /** Whether a call may begin, which begins with that; takes the rate limit's token for it. */
  mayCall(): boolean {
    if (!this.#isCalm && !this.#breakerLets()) return false;
    if (this.#limiter !== undefined && !this.#limiter.take(1)) {
      this.#wakeIn(this.#limiter.waitMs);
      return false;
    }
    if (!this.#isCalm) this.#breaker?.begin();
    return true;
  }

  /** Milliseconds until the breaker lets a call through; 0 when it does. */
  breakerWaitMs(): number {
    const breaker = this.#breaker;
    if (breaker === undefined || breaker.room > 0) return 0;
    const now = this.#host.coarse.monotonicMs();
    return Math.max(1, (breaker.triesAtMs ?? now) - now);
  }

  /** An event is tried again, without being asked about: the rate limit counts that, and lets the next events wait. */
  beginAgain(): void {
    this.#limiter?.owe();
    this.#breaker?.begin();
  }

  /** A call succeeded. */
  succeed(): void {
    if (this.#isCalm) return;
    this.#isCalm = true;
    this.#breaker?.succeed();
  }

  /** A call failed. */
  fail(): void {
    this.#isCalm = false;
    this.#breaker?.fail();
  }

  /** Nobody is to be woken any more. */
  close(): void {
    if (this.#timer !== undefined) this.#host.wheel.cancel(this.#timer);
    this.#timer = undefined;
  }

  #breakerLets(): boolean {
    const breaker = this.#breaker;
    if (breaker === undefined || breaker.room > 0) return true;
    // While another call tries, its end leads to the next question.
    if (breaker.triesAtMs !== undefined) this.#wakeIn(this.breakerWaitMs());
    return false;
  }

  #wakeIn(ms: number): void {
    this.#timer ??= this.#host.wheel.after(ms, () => {
      this.#timer = undefined;
      this.#wake();
    });
  }
}

/** One timer for all waits of a bus: time-outs, backoffs, delayed events. */
import { assert, type Clock } from "../kernel/index.js";

const slotMs = 10;
const slots = 512;

/** A wait under way. */
export interface WheelTimer {
  readonly dueMs: number;
  readonly fire: () => void;
  readonly slot: Set<WheelTimer>;
}

/**
 * A hashed timing wheel (Varghese and Lauck, 1987): starting and stopping a wait is one insertion and one removal, whatever their number.
 * No wait ends early; it ends up to 20 ms late, and later while the thread is held. The wheel stands still when nothing waits.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: readonly Set<WheelTimer>[] = Array.from({ length: slots }, () => new Set());
  #size = 0;
  #tick = 0;
  #isTurning = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits under way. */
  get size(): number {
    return this.#size;
  }

  /** Calls `fire`, which must not throw, once after `ms` milliseconds. */
  after(ms: number, fire: () => void): WheelTimer {
    assert(ms >= 0 && Number.isFinite(ms), "a wait has a length");
    const now = this.#clock.monotonicMs();
    if (!this.#isTurning) this.#tick = Math.floor(now / slotMs);
    const dueMs = now + ms;
    // Never a slot that the hand has passed.
    const tick = Math.max(this.#tick + 1, Math.ceil(dueMs / slotMs));
    const slot = this.#slots[tick % slots];
    assert(slot !== undefined, "a wheel has all its slots");
    const timer: WheelTimer = { dueMs, fire, slot };
    slot.add(timer);
    this.#size++;
    if (!this.#isTurning) void this.#turn();
    return timer;
  }

  /** Ends a wait without calling anything; harmless for one that has ended. @returns whether it was under way */
  cancel(timer: WheelTimer): boolean {
    if (!timer.slot.delete(timer)) return false;
    this.#size--;
    return true;
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    while (this.#size > 0) {
      await this.#clock.sleep(slotMs);
      const now = this.#clock.monotonicMs();
      const last = Math.floor(now / slotMs);
      // After a whole turn every slot was looked at.
      const first = Math.max(this.#tick + 1, last - slots + 1);
      this.#tick = last;
      for (let tick = first; tick <= last; tick++) this.#fireSlot(tick, now);
    }
    this.#isTurning = false;
  }

  #fireSlot(tick: number, now: number): void {
    for (const timer of this.#slots[tick % slots] ?? []) {
      if (timer.dueMs > now) continue;
      this.cancel(timer);
      timer.fire();
    }
  }
}

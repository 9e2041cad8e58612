/** One timer for all waits of a bus: time-outs, backoffs, delayed events. */
import { assert, type Clock } from "../kernel/index.js";
import type { CoarseClock } from "./coarse-clock.js";

const slotMs = 10;
const slots = 512;

/** A wait: a place in the list of its slot while it is under way. It may be started again when it has ended. */
export class WheelTimer {
  dueMs = 0;
  readonly fire: () => void;
  /** Neighbours in the ring of the slot; undefined once the wait has ended. */
  before: WheelTimer | undefined = undefined;
  after: WheelTimer | undefined = undefined;

  /** `fire` must not throw. */
  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/** How much later a wait ends whose beginning was read from a clock that may be 10 ms old. */
export const coarseSlackMs = 10;

/**
 * A hashed timing wheel (Varghese and Lauck, 1987): starting and stopping a wait is one insertion and one removal, whatever their number.
 * No wait ends early; it ends up to 20 ms late, and later while the thread is held. The wheel stands still when nothing waits.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #coarse: CoarseClock;
  /** The head of each slot's ring; it never fires. */
  readonly #slots: readonly WheelTimer[] = Array.from({ length: slots }, emptyRing);
  #size = 0;
  #tick = 0;
  #isTurning = false;

  constructor(clock: Clock, coarse: CoarseClock) {
    this.#clock = clock;
    this.#coarse = coarse;
  }

  /** Waits under way. */
  get size(): number {
    return this.#size;
  }

  /** Calls `fire`, which must not throw, once after `ms` milliseconds. */
  after(ms: number, fire: () => void): WheelTimer {
    const timer = new WheelTimer(fire);
    this.#add(timer, this.#clock.monotonicMs(), ms);
    return timer;
  }

  /**
   * As {@link TimerWheel.after} at a fraction of the cost, for bounds that nearly never are reached: up to 30 ms late. While the thread is held, it can be
   * early by as long as the last 16 readings of the coarse clock took.
   */
  afterAbout(ms: number, fire: () => void): WheelTimer {
    const timer = new WheelTimer(fire);
    this.startAt(timer, this.#coarse.monotonicMs() + ms + coarseSlackMs);
    return timer;
  }

  /** Starts a timer that is not under way, up to 20 ms late; `dueMs` is of the monotonic clock. */
  startAt(timer: WheelTimer, dueMs: number): void {
    const now = this.#coarse.monotonicMs();
    this.#add(timer, now, Math.max(0, dueMs - now));
  }

  /** Ends a wait without calling anything; harmless for one that has ended. @returns whether it was under way */
  cancel(timer: WheelTimer): boolean {
    const { before, after } = timer;
    if (before === undefined || after === undefined) return false;
    before.after = after;
    after.before = before;
    timer.before = undefined;
    timer.after = undefined;
    this.#size--;
    return true;
  }

  #add(timer: WheelTimer, now: number, ms: number): void {
    assert(ms >= 0 && Number.isFinite(ms), "a wait has a length");
    assert(timer.before === undefined, "a timer that is under way is not started");
    timer.dueMs = now + ms;
    if (!this.#isTurning) this.#tick = Math.floor(now / slotMs);
    // Never a slot that the hand has passed.
    const head = this.#slotOf(Math.max(this.#tick + 1, Math.ceil(timer.dueMs / slotMs)));
    const last = head.before;
    assert(last !== undefined, "a ring is closed");
    timer.before = last;
    timer.after = head;
    last.after = timer;
    head.before = timer;
    this.#size++;
    if (!this.#isTurning) void this.#turn();
  }

  #slotOf(tick: number): WheelTimer {
    const head = this.#slots[tick % slots];
    assert(head !== undefined, "a wheel has all its slots");
    return head;
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    while (this.#size > 0) {
      // It rejects when the stack is full of whoever began the wait; the stack is empty after that.
      await this.#clock.sleep(slotMs).catch(() => undefined);
      const now = this.#clock.monotonicMs();
      const last = Math.floor(now / slotMs);
      // After a whole turn every slot was looked at.
      const first = Math.max(this.#tick + 1, last - slots + 1);
      this.#tick = last;
      for (let tick = first; tick <= last; tick++) this.#fireSlot(this.#slotOf(tick), now);
    }
    this.#isTurning = false;
  }

  /** Collects first: what fires may start and stop other waits. */
  #fireSlot(head: WheelTimer, now: number): void {
    const due: WheelTimer[] = [];
    for (let timer = head.after; timer !== undefined && timer !== head; timer = timer.after)
      if (timer.dueMs <= now) due.push(timer);
    for (const timer of due) if (this.cancel(timer)) timer.fire();
  }
}

function emptyRing(): WheelTimer {
  const head = new WheelTimer(() => undefined);
  head.before = head;
  head.after = head;
  return head;
}

/** What waits for one subscription, and what happens when that is too much. */
import { busLimits } from "./bus-limits.js";
import type { Delivery } from "./delivery.js";
import { LaneQueue } from "./lane-queue.js";
import type { OverflowPolicy } from "./subscription-options.js";

interface Blocked {
  readonly delivery: Delivery;
  readonly admit: () => void;
}

/** What became of a delivery that was to wait. */
export interface Queued {
  /** What has no place any more: an older delivery, or this one. */
  readonly dropped?: Delivery;
  /** Resolves when the delivery, which waits at the door, is in the queue or gone. */
  readonly admitted?: Promise<void>;
}

const taken: Queued = {};

/** A bounded queue with lanes, and the door before it where `block` lets publishers wait. */
export class SubscriptionQueue {
  readonly #queue = new LaneQueue<Delivery>();
  readonly #queueMax: number;
  readonly #overflow: OverflowPolicy;
  #blocked: Blocked[] = [];

  constructor(options: { readonly queueMax: number; readonly overflow: OverflowPolicy }) {
    this.#queueMax = options.queueMax;
    this.#overflow = options.overflow;
  }

  /** Deliveries that wait, at the door too. */
  get size(): number {
    return this.#queue.size + this.#blocked.length;
  }

  /** Whether the next delivery has to wait at the door or is refused. */
  get isFull(): boolean {
    return this.#overflow !== "drop-oldest" && this.#queue.size >= this.#queueMax;
  }

  /** How many more are taken before one would be refused; without end where older ones make room. */
  get room(): number {
    const free = this.#queueMax - this.#queue.size;
    if (this.#overflow === "drop-oldest") return Number.POSITIVE_INFINITY;
    return this.#overflow === "reject" ? free : free + busLimits.blockedMax - this.#blocked.length;
  }

  /** Takes a delivery in, or says what that costs. */
  push(delivery: Delivery): Queued {
    if (this.#queue.size < this.#queueMax) {
      this.#queue.push(delivery);
      return taken;
    }
    if (this.#overflow === "drop-oldest") return this.#pushOverOldest(delivery);
    if (this.#overflow === "reject" || this.#blocked.length >= busLimits.blockedMax) return { dropped: delivery };
    const { blocked, admitted } = waitAtDoor(delivery);
    this.#blocked.push(blocked);
    return { admitted };
  }

  /** Takes the next delivery out and lets one in from the door. */
  take(): Delivery | undefined {
    const next = this.#queue.take();
    if (next !== undefined) this.#letIn();
    return next;
  }

  /** Takes out every delivery that `isWanted` names, also at the door. */
  takeWhere(isWanted: (delivery: Delivery) => boolean): readonly Delivery[] {
    const out = [...this.#queue.takeWhere(isWanted)];
    const atDoor = this.#blocked;
    this.#blocked = [];
    for (const one of atDoor) {
      if (isWanted(one.delivery)) {
        out.push(one.delivery);
        one.admit();
      } else this.#blocked.push(one);
    }
    while (this.#blocked.length > 0 && this.#queue.size < this.#queueMax) this.#letIn();
    return out;
  }

  #pushOverOldest(delivery: Delivery): Queued {
    const dropped = this.#queue.takeOldest(delivery.lane);
    // All that waits is more urgent.
    if (dropped === undefined) return { dropped: delivery };
    this.#queue.push(delivery);
    return { dropped };
  }

  #letIn(): void {
    const first = this.#blocked.shift();
    if (first === undefined) return;
    this.#queue.push(first.delivery);
    first.admit();
  }
}

function waitAtDoor(delivery: Delivery): { readonly blocked: Blocked; readonly admitted: Promise<void> } {
  let admit = (): void => undefined;
  const admitted = new Promise<void>((resolve) => {
    admit = resolve;
  });
  return { blocked: { delivery, admit }, admitted };
}

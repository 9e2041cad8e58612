/** The deliveries that have a slot, for the day when all of them are given up. */
import type { Delivery } from "./delivery.js";

/** A set that an entry joins and leaves at the cost of an assignment; each delivery is in one at most. */
export class DeliverySet {
  readonly #deliveries: Delivery[] = [];

  /** Adds one that is in no set. */
  add(delivery: Delivery): void {
    delivery.place = this.#deliveries.length;
    this.#deliveries.push(delivery);
  }

  /** Removes one; harmless for one that is not in it. The last one takes its place. */
  delete(delivery: Delivery): void {
    const { place } = delivery;
    if (place < 0) return;
    const last = this.#deliveries.pop();
    if (last !== undefined && last !== delivery) {
      this.#deliveries[place] = last;
      last.place = place;
    }
    delivery.place = -1;
  }

  /** How many there are. */
  get size(): number {
    return this.#deliveries.length;
  }

  /** All of them, as of now. */
  all(): readonly Delivery[] {
    return [...this.#deliveries];
  }
}

/** Which controllers have lately cost a thread, and for whom: they never get the last one. */

import type { ReconcileCall } from "../../controller/index.js";
import { type Clock, LruMap } from "../../kernel/index.js";

const suspectMs = 60_000;
const suspectsMax = 4_096;

/** Remembers each pair of tenant and controller for a minute. */
export class Suspects {
  readonly #clock: Clock;
  readonly #sinceMs = new LruMap<string, number>(suspectsMax);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The call has cost a thread. */
  note(call: ReconcileCall): void {
    this.#sinceMs.set(keyOf(call), this.#clock.monotonicMs());
  }

  /** Whether one of its tenant and controller has, in the last minute. */
  has(call: ReconcileCall): boolean {
    const sinceMs = this.#sinceMs.get(keyOf(call));
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs < suspectMs;
  }
}

function keyOf({ controller, resource }: ReconcileCall): string {
  return `${resource.tenantId} ${controller}`;
}

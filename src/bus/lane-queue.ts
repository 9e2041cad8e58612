/** What waits for one subscription: a lane for each priority, taken from in turn by weight. */
import type { Priority } from "./priority.js";

/** How many a lane gives before it is the turn of the lower ones, as long as those have something. */
const weights = [8, 4, 2, 1] as const;

const lanes: Readonly<Record<Priority, number>> = { critical: 0, high: 1, normal: 2, low: 3 };

/** Something with a place in a lane. */
export interface Laned {
  /** 0 is the most urgent. */
  readonly lane: number;
}

/** The lane of a priority. */
export function laneOf(priority: Priority): number {
  return lanes[priority];
}

/**
 * Four first-in-first-out lanes. While all of them have something, 15 takes give 8, 4, 2 and 1 of them: the lowest lane always
 * progresses (weighted round robin).
 */
export class LaneQueue<Entry extends Laned> {
  /** Made for their first entries: most subscriptions never have to queue. */
  readonly #lanes: (Fifo<Entry> | undefined)[] = [];
  readonly #credits: number[] = [...weights];
  /** Where the last one came from: nearly always all that waits is in one lane. */
  #last: Fifo<Entry> | undefined = undefined;
  #size = 0;

  /** Entries in all lanes. */
  get size(): number {
    return this.#size;
  }

  /** Adds an entry at the end of its lane. */
  push(entry: Entry): void {
    (this.#lanes[entry.lane] ??= new Fifo()).push(entry);
    this.#size++;
  }

  /** Takes the next entry. */
  take(): Entry | undefined {
    if (this.#size === 0) return undefined;
    // Alone, a lane needs no credit: there is nobody to give way to.
    const isAlone = this.#last?.size === this.#size;
    this.#size--;
    return isAlone ? this.#last?.shift() : (this.#takeWithCredit() ?? this.#takeAfterAll());
  }

  /** Takes the oldest entry of the lowest lane that has one, if that lane is not above `lane`. */
  takeOldest(lane: number): Entry | undefined {
    for (let at = weights.length - 1; at >= lane; at--) {
      const entry = this.#lanes[at]?.shift();
      if (entry === undefined) continue;
      this.#size--;
      return entry;
    }
    return undefined;
  }

  /** Takes out every entry that `isWanted` names, in order. */
  takeWhere(isWanted: (entry: Entry) => boolean): readonly Entry[] {
    const taken = this.#lanes.flatMap((lane) => lane?.takeWhere(isWanted) ?? []);
    this.#size -= taken.length;
    return taken;
  }

  #takeWithCredit(): Entry | undefined {
    for (let at = 0; at < weights.length; at++) {
      const credit = this.#credits[at] ?? 0;
      if (credit === 0) continue;
      const lane = this.#lanes[at];
      const entry = lane?.shift();
      if (entry === undefined) continue;
      this.#credits[at] = credit - 1;
      this.#last = lane;
      return entry;
    }
    return undefined;
  }

  #takeAfterAll(): Entry | undefined {
    for (let at = 0; at < weights.length; at++) this.#credits[at] = weights[at] ?? 0;
    return this.#takeWithCredit();
  }
}

/** Empty places at the head of a list before it is closed up. */
const closeUpAt = 1_024;

/** A list that is taken from at its beginning in constant time. */
class Fifo<Entry> {
  #entries: (Entry | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  shift(): Entry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head++] = undefined;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= closeUpAt && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  takeWhere(isWanted: (entry: Entry) => boolean): readonly Entry[] {
    const taken: Entry[] = [];
    const kept: Entry[] = [];
    for (const entry of this.#entries) if (entry !== undefined) (isWanted(entry) ? taken : kept).push(entry);
    this.#entries = kept;
    this.#head = 0;
    return taken;
  }
}

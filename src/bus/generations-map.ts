/** A bounded map for what can be made again, whose look-ups write nothing in the usual case. */

/**
 * Holds at most `entriesMax` entries in two generations: when the young one is half of that, it becomes the old one and the old one is
 * forgotten. What is looked up in time moves back to the young. Unlike a least-recently-used list, a hit costs one look-up.
 */
export class GenerationsMap<Key, Value> {
  readonly #youngMax: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  constructor(entriesMax: number) {
    this.#youngMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  /** Entries now held. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The value, if it is still held. */
  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) {
      this.#old.delete(key);
      this.set(key, old);
    }
    return old;
  }

  /** Adds an entry. */
  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#youngMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** Forgets one entry. */
  delete(key: Key): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** Forgets all. */
  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }
}

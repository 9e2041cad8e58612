/** A bounded map that forgets what was used least recently. */
import { assert } from "./errors.js";

/**
 * A Map of at most `entriesMax` entries. Reading an entry makes it the most recent; adding one to a full map drops the oldest.
 *
 * Every operation takes constant time: a JavaScript Map keeps its order of insertion.
 */
export class LruMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    assert(Number.isSafeInteger(entriesMax) && entriesMax >= 1, "an LRU map holds at least one entry");
    this.#entriesMax = entriesMax;
  }

  /** Entries now held. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value, which becomes the most recent one; undefined when it is not held. */
  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined && !this.#entries.has(key)) return undefined;
    this.#entries.delete(key);
    // The entry was there, so its value has the map's type, `undefined` included.
    this.#entries.set(key, value as Value);
    return value;
  }

  /** True when the key is held; its age stays. */
  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  /** Sets the most recent entry and drops the oldest one when there are too many. */
  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#entriesMax) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** Forgets one entry; true when it was held. */
  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }

  /** Forgets all. */
  clear(): void {
    this.#entries.clear();
  }
}

/** The ids of a bus's events. */

const radix = 36;

/** Every ending of two digits. */
const endings: readonly string[] = Array.from({ length: radix ** 2 }, (_, number) =>
  number.toString(radix).padStart(2, "0"),
);

/**
 * A number becomes an id by a prefix that no other process has. It is made whenever it is read, so the part that 1,296 neighbours share is kept:
 * writing a number takes as long as all the rest of handing an event to a handler.
 */
export class EventIds {
  readonly #prefix: string;
  #block = -1;
  #blockText = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The id of event `number`, a whole number from 0. */
  of(number: number): string {
    const block = Math.floor(number / endings.length);
    if (block !== this.#block) {
      this.#block = block;
      this.#blockText = this.#prefix + block.toString(radix);
    }
    return this.#blockText + (endings[number % endings.length] ?? "");
  }
}

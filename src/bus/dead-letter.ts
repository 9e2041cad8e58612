/** Deliveries that failed for good: what is kept of them, and where. */
import { cleanText, EventplaneError } from "../kernel/index.js";
import type { DeliveryFailure } from "./consumer-parts.js";
import type { EventJson } from "./event-json.js";
import { type KeptError, keptError } from "./kept-error.js";
import type { Redaction } from "./redaction.js";

/** An event that one subscription could not handle. */
export interface DeadLetter {
  /** Unique in its store; later ones are greater. */
  readonly number: number;
  readonly subscription: string;
  readonly event: EventJson;
  /** Calls for this event, those of earlier redrives included. */
  readonly attempts: number;
  /** What the last call threw. */
  readonly error: KeptError;
  readonly failedAtMs: number;
}

/** What a store is given; it adds the number. */
export type NewDeadLetter = Omit<DeadLetter, "number">;

/** Keeps dead letters of all contexts of a bus, a bounded number of them. Every call is finished when it returns, except for the disk. */
export interface DeadLetterStore {
  /** Letters that are kept, and those that made room for newer ones. */
  readonly size: number;
  readonly dropped: number;
  /** Adds one; at the bound the oldest makes room. Never throws. */
  add(letter: NewDeadLetter): DeadLetter;
  /** All of them, the oldest first. */
  all(): Iterable<DeadLetter>;
  /** The one of this number, if it is there. */
  get(number: number): DeadLetter | undefined;
  /** Removes one. @returns whether it was there */
  remove(number: number): boolean;
  /** Resolves when everything that was added and removed before is kept. */
  flush(): Promise<void>;
}

const lettersMaxDefault = 1_000;
const lettersMaxMax = 1_000_000;

/** Keeps dead letters in memory; 1,000 by default, at most 1,000,000. */
export class MemoryDeadLetters implements DeadLetterStore {
  readonly #lettersMax: number;
  readonly #letters = new Map<number, DeadLetter>();
  #last = 0;
  #dropped = 0;

  /** @throws EventplaneError `config_invalid` */
  constructor(options: { readonly lettersMax?: number } = {}) {
    this.#lettersMax = checkedLettersMax(options.lettersMax);
  }

  get size(): number {
    return this.#letters.size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  add(letter: NewDeadLetter): DeadLetter {
    const kept = { ...letter, number: this.#last + 1 };
    this.restore(kept);
    return kept;
  }

  all(): Iterable<DeadLetter> {
    return this.#letters.values();
  }

  get(number: number): DeadLetter | undefined {
    return this.#letters.get(number);
  }

  remove(number: number): boolean {
    return this.#letters.delete(number);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** The greatest number that was given out. */
  get last(): number {
    return this.#last;
  }

  /** Gives out greater numbers than this one from now on. */
  continueAfter(number: number): void {
    this.#last = Math.max(this.#last, number);
  }

  /** Puts a letter back as it was kept; for a store that reads letters from somewhere, the oldest first. */
  restore(letter: DeadLetter): void {
    this.continueAfter(letter.number);
    this.#letters.set(letter.number, letter);
    if (this.#letters.size <= this.#lettersMax) return;
    const [oldest] = this.#letters.keys();
    if (oldest !== undefined) this.#letters.delete(oldest);
    this.#dropped++;
  }
}

/** @throws EventplaneError `config_invalid` */
function checkedLettersMax(lettersMax: number = lettersMaxDefault): number {
  if (Number.isSafeInteger(lettersMax) && lettersMax >= 1 && lettersMax <= lettersMaxMax) return lettersMax;
  throw new EventplaneError("config_invalid", `The option lettersMax is a whole number from 1 to ${lettersMaxMax}.`);
}

/** What is kept of a failure: the event as it was, to be redriven; the error without what is redacted in the event. */
export function letterOf(failure: DeliveryFailure, failedAtMs: number, redaction: Redaction): NewDeadLetter {
  const { event, subscription, attempts, error: thrown } = failure;
  const { found } = redaction.redact(event.topic, event);
  const error = keptError(thrown, (text, max) => cleanText(found.replace(text), max));
  return { subscription, event: event.toJSON(), attempts, error, failedAtMs };
}

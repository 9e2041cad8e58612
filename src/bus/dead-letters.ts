/** The dead letters of one context: looking at them, trying them again, throwing them away. */
import { EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { DeadLetter, DeadLetterStore } from "./dead-letter.js";
import type { EventLog } from "./event-log.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";
import type { HandlerOutcome } from "./settlement.js";

/** Which dead letters are meant; all of them without any of these. */
export interface DeadLetterFilter {
  readonly subscription?: string;
  /** A pattern of topics. */
  readonly topic?: string;
  /** Code of the error, or its name where it has none. */
  readonly error?: string;
  /** At most so many, the oldest first. */
  readonly limit?: number;
}

/** What became of the dead letters that were tried again. */
export interface RedriveReport {
  readonly done: number;
  /** Failed again: each is a dead letter again, with all of its attempts. */
  readonly failed: number;
  /** Left as they are: their subscription is not there, their payload does not fit its schema any more, or somebody else redrove or purged them meanwhile. */
  readonly left: number;
}

/** Gives one event to one subscription again. */
export type Redeliver = (letter: DeadLetter) => Promise<HandlerOutcome> | undefined;

interface DeadLettersParts {
  readonly store: DeadLetterStore;
  readonly redeliver: Redeliver;
  readonly log: EventLog | undefined;
}

/** Dead letters of one context. */
export class DeadLetters {
  readonly #context: string;
  readonly #store: DeadLetterStore;
  readonly #redeliver: Redeliver;
  readonly #log: EventLog | undefined;
  readonly #underWay = new Set<number>();

  /** Made by the bus. */
  constructor(context: string, { store, redeliver, log }: DeadLettersParts) {
    this.#context = context;
    this.#store = store;
    this.#redeliver = redeliver;
    this.#log = log;
  }

  /** Those that the filter means, the oldest first. Throws `request_invalid` for a pattern or a limit that is none. */
  list(filter: DeadLetterFilter = {}): readonly DeadLetter[] {
    const isMeant = meantBy(filter);
    const found: DeadLetter[] = [];
    for (const letter of this.#store.all()) {
      if (found.length >= (filter.limit ?? Number.POSITIVE_INFINITY)) break;
      if (letter.event.context === this.#context && isMeant(letter)) found.push(letter);
    }
    return found;
  }

  /**
   * Gives one to its subscription again, and to no other: those that succeeded with the event are not called. One that is being redriven is not redriven
   * a second time.
   *
   * @throws EventplaneError `not_found` when there is no such letter in the context, or its subscription is not there; the codes of `publish` when
   * the payload does not fit its schema any more
   */
  async redrive(number: number): Promise<HandlerOutcome> {
    const outcome = this.#begin(number);
    if (outcome === undefined)
      throw new EventplaneError(
        "not_found",
        `There is no dead letter ${number}, or not the subscription that it belongs to.`,
      );
    return outcome;
  }

  /** Gives all that the filter means to their subscriptions again, one after the other. An abort leaves the rest as it is. */
  async redriveAll(
    filter: DeadLetterFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<RedriveReport> {
    const report = { done: 0, failed: 0, left: 0 };
    for (const letter of this.list(filter)) {
      if (options.signal?.aborted === true) break;
      const outcome = await this.#tryToBegin(letter.number);
      if (outcome === undefined) report.left++;
      else if (outcome.outcome === "done") report.done++;
      else report.failed++;
    }
    return report;
  }

  /** Throws away those that the filter means. @returns how many */
  purge(filter: DeadLetterFilter = {}): number {
    const purged = this.list(filter).filter(({ number }) => this.#store.remove(number)).length;
    const fields = { context: this.#context, ...filter, purged };
    this.#log?.happened({ level: "info", message: "dead letters purged", fields });
    return purged;
  }

  async #tryToBegin(number: number): Promise<HandlerOutcome | undefined> {
    try {
      return await this.#begin(number);
    } catch (error) {
      // Its payload does not fit any more: it stays, and the others go on.
      if (isEventplaneError(error)) return undefined;
      throw error;
    }
  }

  /** @returns undefined when it is under way, was done or purged meanwhile, or has no subscription */
  #begin(number: number): Promise<HandlerOutcome> | undefined {
    const letter = this.#underWay.has(number) ? undefined : this.#store.get(number);
    if (letter?.event.context !== this.#context) return undefined;
    // First, because the handler is called at once, and may redrive others itself.
    this.#underWay.add(letter.number);
    const outcome = this.#redeliverOnce(letter);
    return outcome?.then((ended) => {
      this.#underWay.delete(letter.number);
      // One that failed again was added anew; one that was dropped from a queue was not, and stays.
      if (ended.outcome !== "dropped") this.#store.remove(letter.number);
      this.#logRedriven(letter, ended);
      return ended;
    });
  }

  #redeliverOnce(letter: DeadLetter): Promise<HandlerOutcome> | undefined {
    let outcome: Promise<HandlerOutcome> | undefined;
    try {
      outcome = this.#redeliver(letter);
      return outcome;
    } finally {
      if (outcome === undefined) this.#underWay.delete(letter.number);
    }
  }

  #logRedriven({ number: deadLetter, subscription }: DeadLetter, { outcome }: HandlerOutcome): void {
    const fields = { context: this.#context, subscription, deadLetter, outcome };
    this.#log?.happened({ level: "info", message: "dead letter redriven", fields });
  }
}

function meantBy({ subscription, topic, error, limit = 0 }: DeadLetterFilter): (letter: DeadLetter) => boolean {
  // Of a limit that is none, `purge` would take all.
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new EventplaneError("request_invalid", "The limit of dead letters is a whole number from 0.");
  const trie = new PatternTrie<true>();
  trie.add(patternTokens(topic ?? "**"), true);
  return (letter) =>
    (subscription === undefined || letter.subscription === subscription) &&
    (error === undefined || (letter.error.code ?? letter.error.name) === error) &&
    trie.match(topicTokens(letter.event.topic)).size > 0;
}

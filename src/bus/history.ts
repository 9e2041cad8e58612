/** The last events of a context. */
import type { BusEvent } from "./accepted-event.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";

/** Which of them; all without any of these. */
export interface HistoryFilter {
  /** A pattern of topics. */
  readonly topic?: string;
  /** Accepted at or after, and before, milliseconds since 1970. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly correlationId?: string;
  /** At most so many, the newest. */
  readonly limit?: number;
}

/** Events of the past, the oldest first. */
export interface Past {
  readonly events: readonly BusEvent[];
  /** False when there may have been events before the first of them that are not here. */
  readonly isWhole: boolean;
}

/** A ring: adding is one store, and the oldest event makes room. */
export class History {
  readonly #ring: BusEvent[] = [];
  readonly #eventsMax: number;
  #added = 0;

  /** Holds `eventsMax` events; none for 0. */
  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  /** Adds one. */
  add(event: BusEvent): void {
    if (this.#eventsMax > 0) this.#ring[this.#added++ % this.#eventsMax] = event;
  }

  /** Those that the filter means, the oldest first. Throws `request_invalid` for a pattern that is none. */
  list({
    topic = "**",
    fromMs = 0,
    untilMs = Number.POSITIVE_INFINITY,
    correlationId,
    limit,
  }: HistoryFilter = {}): readonly BusEvent[] {
    const trie = new PatternTrie<true>();
    trie.add(patternTokens(topic), true);
    const meant = this.#all().filter(
      (event) =>
        event.atMs >= fromMs &&
        event.atMs < untilMs &&
        (correlationId === undefined || event.correlationId === correlationId) &&
        trie.match(topicTokens(event.topic)).size > 0,
    );
    return limit === undefined ? meant : meant.slice(Math.max(0, meant.length - limit));
  }

  /** The events after the one with this id; all of them, and not whole, when it is not here any more. */
  after(id: string): Past {
    const all = this.#all();
    const index = all.findIndex((event) => event.id === id);
    return { events: all.slice(index + 1), isWhole: index >= 0 };
  }

  #all(): readonly BusEvent[] {
    const start = this.#added > this.#eventsMax ? this.#added % this.#eventsMax : 0;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
  }
}

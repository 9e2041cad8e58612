/** The subscriptions of one context: by name, and by the topics that they take. */
import { EventplaneError } from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";
import type { Consumer } from "./consumer.js";
import { GenerationsMap } from "./generations-map.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";

/** A registered subscription. */
export interface Registration {
  readonly consumer: Consumer;
  readonly patterns: readonly string[];
  readonly principal: string | undefined;
  /** Counts up: those with the same order are served as they came. */
  readonly place: number;
}

/** Looks subscriptions up by topic, and remembers what it found until a subscription that matters comes or goes. */
export class Registry {
  readonly #trie = new PatternTrie<Registration>();
  readonly #byName = new Map<string, Registration>();
  readonly #found = new GenerationsMap<string, readonly Consumer[]>(busLimits.topicsCachedMax);
  #placed = 0;
  #change = 0;

  /** Counts the subscriptions that came and went. */
  get change(): number {
    return this.#change;
  }

  /** All of them, in the order in which they came. */
  get all(): readonly Registration[] {
    return [...this.#byName.values()];
  }

  /** The one of this name. */
  byName(name: string): Registration | undefined {
    return this.#byName.get(name);
  }

  /** A name that no subscription of the context has. */
  freeName(): string {
    for (let number = this.#placed + 1; ; number++)
      if (!this.#byName.has(`handler-${number}`)) return `handler-${number}`;
  }

  /**
   * Adds a subscription.
   *
   * @throws EventplaneError `request_invalid` for a name that is taken or patterns that are none; `busy` when there are too many
   */
  add(consumer: Consumer, patterns: readonly string[], principal: string | undefined): Registration {
    if (patterns.length === 0 || patterns.length > busLimits.patternsMax)
      throw new EventplaneError("request_invalid", `A subscription has 1 to ${busLimits.patternsMax} patterns.`);
    const parsed = patterns.map(patternTokens);
    if (this.#byName.has(consumer.name))
      throw new EventplaneError(
        "request_invalid",
        `There is a subscription named ${consumer.name}; take another name.`,
      );
    if (this.#byName.size >= busLimits.subscriptionsMax)
      throw new EventplaneError("busy", `A context has at most ${busLimits.subscriptionsMax} subscriptions.`);
    const registration = { consumer, patterns, principal, place: ++this.#placed };
    this.#byName.set(consumer.name, registration);
    for (const tokens of parsed) this.#trie.add(tokens, registration);
    this.#forget(patterns);
    return registration;
  }

  /** Removes exactly this subscription, whatever has its name now. @returns whether it was there */
  remove(registration: Registration): boolean {
    if (this.#byName.get(registration.consumer.name) !== registration) return false;
    this.#byName.delete(registration.consumer.name);
    for (const pattern of registration.patterns) this.#trie.remove(patternTokens(pattern), registration);
    this.#forget(registration.patterns);
    return true;
  }

  /**
   * The subscriptions that take a topic, in the order in which they are served. The list never changes.
   *
   * @throws EventplaneError `request_invalid` when it is no topic
   */
  match(topic: string): readonly Consumer[] {
    const known = this.#found.get(topic);
    if (known !== undefined) return known;
    const found = [...this.#trie.match(topicTokens(topic))].filter(({ consumer }) => consumer.permit.covers(topic));
    const matches = found.sort((a, b) => b.consumer.settings.order - a.consumer.settings.order || a.place - b.place);
    const consumers = matches.map(({ consumer }) => consumer);
    this.#found.set(topic, consumers);
    return consumers;
  }

  /** Permits changed: nothing that was found before holds. */
  forgetFound(): void {
    this.#change++;
    this.#found.clear();
  }

  #forget(patterns: readonly string[]): void {
    this.#change++;
    if (patterns.some((pattern) => pattern.includes("*"))) this.#found.clear();
    else for (const pattern of patterns) this.#found.delete(pattern);
  }
}

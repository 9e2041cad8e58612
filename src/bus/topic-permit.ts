/** Which topics a subscription may get. */
import type { Permit } from "./authorization.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";

/** A permit that may change. */
export class TopicPermit {
  #permitted: PatternTrie<true> | undefined;

  /** Throws as {@link TopicPermit.set}. */
  constructor(permit: Permit) {
    this.set(permit);
  }

  /** Throws `request_invalid` for a pattern that is none. */
  set(permit: Permit): void {
    const trie = new PatternTrie<true>();
    for (const pattern of permit === "all" ? [] : permit) trie.add(patternTokens(pattern), true);
    this.#permitted = permit === "all" ? undefined : trie;
  }

  /** Whether there are topics that it may not cover. */
  get isNarrow(): boolean {
    return this.#permitted !== undefined;
  }

  /** Whether it covers the topic. */
  covers(topic: string): boolean {
    return this.#permitted === undefined || this.#permitted.match(topicTokens(topic)).size > 0;
  }
}

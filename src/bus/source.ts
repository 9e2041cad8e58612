/** A source outside of this process: its messages become events once they are verified. */
import { Breaker, EventplaneError, LruMap, scanJson } from "../kernel/index.js";
import type { BusShared } from "./bus-options.js";
import { patternTokens, topicTokens } from "./pattern.js";
import { PatternTrie } from "./pattern-trie.js";
import { type RateLimit, RateLimiter } from "./rate-limiter.js";
import type { Space } from "./space.js";
import { checkedBreaker, checkedRateLimit, whole } from "./subscription-options.js";
import type { SourceMessage, Verifier } from "./verifiers.js";

/** What a source is, and how much of it is taken. */
export interface SourceOptions {
  /** 1 to 128 printable ASCII characters; `event.source` of its events. */
  readonly name: string;
  readonly verify: Verifier;
  /** Patterns of the topics that it may publish. */
  readonly topics: readonly string[];
  /** Messages, verified or not; 100 a second by default. */
  readonly rateLimit?: RateLimit;
  /** Bytes of one body; 262,144 by default, at most 64 MiB. */
  readonly bodyBytesMax?: number;
  /**
   * Messages must say when they were sent, and are refused when that is longer ago, or as far in the future; at most a day, no bound by default. As many ids are remembered as
   * the rate limit lets through in that time, 10,000 at least and 1,000,000 at most.
   */
  readonly maxAgeMs?: number;
  /** After so many verified messages in a row that could not be accepted, or verifiers that threw, the source is left alone for a while. 20 and 10,000 by default. */
  readonly breaker?: { readonly failures: number; readonly openMs: number };
}

/** Counts of a source. */
export interface SourceStatus {
  readonly accepted: number;
  /** Not proven, too old, or sent before. */
  readonly unverified: number;
  /** Verified, but no event of the bus; or more than the limits allow. */
  readonly refused: number;
  readonly isBreakerOpen: boolean;
}

const rateLimitDefault: RateLimit = { perSecond: 100 };
const bodyBytesDefault = 262_144;
const bodyBytesRange = { from: 1, to: 67_108_864 };
const ageMsRange = { from: 1, to: 86_400_000 };
const breakerDefault = { failures: 20, openMs: 10_000 };
/** Ids that are remembered, so that a message that is sent again is known. */
const idsRemembered = { from: 10_000, to: 1_000_000 };
const nameForm = /^[\x21-\x7e]{1,128}$/;

/** A registered source of one context. */
export class Source {
  readonly name: string;
  readonly #options: SourceOptions;
  readonly #space: Space;
  readonly #shared: BusShared;
  readonly #topics = new PatternTrie<true>();
  readonly #limiter: RateLimiter;
  readonly #breaker: Breaker;
  readonly #bodyBytesMax: number;
  readonly #seen: LruMap<string, true>;
  #accepted = 0;
  #unverified = 0;
  #refused = 0;

  /** Made by the bus. Throws `config_invalid` or `request_invalid` naming what cannot be used. */
  constructor(options: SourceOptions, space: Space, shared: BusShared) {
    if (!nameForm.test(options.name) || typeof options.verify !== "function" || options.topics.length === 0)
      throw new EventplaneError("config_invalid", "A source has a printable name, a verifier, and patterns of topics.");
    for (const pattern of options.topics) this.#topics.add(patternTokens(pattern), true);
    this.name = options.name;
    this.#options = options;
    this.#space = space;
    this.#shared = shared;
    const rateLimit = checkedRateLimit("rateLimit", options.rateLimit ?? rateLimitDefault);
    this.#bodyBytesMax = whole("bodyBytesMax", options.bodyBytesMax ?? bodyBytesDefault, bodyBytesRange);
    this.#seen = new LruMap(idsToRemember(rateLimit, options.maxAgeMs));
    this.#limiter = new RateLimiter(rateLimit, shared.coarse);
    this.#breaker = new Breaker(checkedBreaker(options.breaker ?? breakerDefault), shared.clock);
  }

  /** Counts up to now. */
  status(): SourceStatus {
    return {
      accepted: this.#accepted,
      unverified: this.#unverified,
      refused: this.#refused,
      isBreakerOpen: this.#breaker.isOpen,
    };
  }

  /**
   * Verifies a message, and publishes it as an event with this source.
   *
   * @returns the event's id
   * @throws EventplaneError `unauthenticated` when it is not proven to come from the source, is too old, or was sent before; `rate_limited`, `payload_too_large`,
   * `unavailable` (breaker); `forbidden` for a topic that is not the source's; the codes of `publish` and of JSON that is not acceptable
   */
  async receive(message: SourceMessage): Promise<string> {
    try {
      return await this.#receive(message);
    } catch (error) {
      this.#logRefused(message, error);
      throw error;
    }
  }

  #logRefused({ topic }: SourceMessage, error: unknown): void {
    this.#shared.log?.refused({ what: "message", context: this.#space.name, source: this.name, topic, error });
  }

  async #receive(received: SourceMessage): Promise<string> {
    this.#assertTaken(received);
    const { body } = received;
    // Whoever sent it may use its memory again while it is verified.
    const message = { ...received, body: typeof body === "string" ? body : Buffer.from(body) };
    await this.#assertVerified(message);
    try {
      const id = await this.#publish(message);
      this.#accepted++;
      this.#breaker.succeed();
      return id;
    } catch (error) {
      this.#refused++;
      this.#breaker.fail();
      // It may be sent again.
      if (message.id !== undefined) this.#seen.delete(message.id);
      throw error;
    }
  }

  /** Bounds come before the work of verifying. */
  #assertTaken({ body }: SourceMessage): void {
    const error = this.#overBound(body);
    if (error === undefined) return;
    this.#refused++;
    throw error;
  }

  #overBound(body: string | Uint8Array): EventplaneError | undefined {
    if (this.#breaker.isOpen && this.#breaker.room === 0)
      return new EventplaneError(
        "unavailable",
        `The source ${this.name} failed too often and is left alone for a while.`,
      );
    if (!this.#limiter.take(1))
      return new EventplaneError("rate_limited", `The source ${this.name} sends faster than its rate limit allows.`);
    if (typeof body !== "string" && !(body instanceof Uint8Array))
      return new EventplaneError(
        "request_invalid",
        `The body of a message of the source ${this.name} is text or bytes.`,
      );
    if (Buffer.byteLength(body) > this.#bodyBytesMax)
      return new EventplaneError("payload_too_large", `A message of the source ${this.name} is too large.`);
    return undefined;
  }

  async #assertVerified(message: SourceMessage): Promise<void> {
    const isNew = message.id === undefined || !this.#seen.has(message.id);
    const isGood = isNew && this.#isInTime(message.sentAtMs) && (await this.#isGenuine(message));
    // Verifying may take a while: the same message may have come twice meanwhile.
    if (!isGood || (message.id !== undefined && this.#seen.has(message.id))) {
      this.#unverified++;
      throw new EventplaneError(
        "unauthenticated",
        `A message was not proven to come, fresh, from the source ${this.name}.`,
      );
    }
    if (message.id !== undefined) this.#seen.set(message.id, true);
  }

  #isInTime(sentAtMs: number | undefined): boolean {
    const { maxAgeMs } = this.#options;
    if (maxAgeMs === undefined) return true;
    return sentAtMs !== undefined && Math.abs(this.#shared.clock.nowUs() / 1000 - sentAtMs) <= maxAgeMs;
  }

  async #isGenuine(message: SourceMessage): Promise<boolean> {
    try {
      return (await this.#options.verify(message)) === true;
    } catch {
      // A verifier that fails has proven nothing.
      this.#breaker.fail();
      return false;
    }
  }

  async #publish({ topic, body, id }: SourceMessage): Promise<string> {
    if (this.#topics.match(topicTokens(topic)).size === 0)
      throw new EventplaneError("forbidden", `The source ${this.name} does not publish ${topic}.`, {
        details: { topic },
      });
    const payload = scanJson(Buffer.from(body)).value;
    return this.#space.publish(topic, payload, id === undefined ? {} : { id }, this.name);
  }
}

/** As many as can come while a message counts as fresh: from one age before its time to one after it. Throws `config_invalid`. */
function idsToRemember({ perSecond, burst = perSecond }: RateLimit, maxAgeMs: number | undefined): number {
  const { from, to } = idsRemembered;
  if (maxAgeMs === undefined) return from;
  const seconds = (2 * whole("maxAgeMs", maxAgeMs, ageMsRange)) / 1000;
  return Math.min(to, Math.max(from, Math.ceil(burst + perSecond * seconds)));
}

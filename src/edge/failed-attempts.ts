/**
 * Who shows wrong credentials too often is answered 429 before they are looked at: per source address and per key id.
 *
 * Only credentials that are not known to open come here. A key that opens is never counted and never held up, so nobody can
 * lock it out by guessing: neither from its own address nor under its id. An attempt is charged before it is looked at, so
 * that a thousand at once are not free, and given back when it opens.
 */
import { isIP } from "node:net";
import { type Clock, EventplaneError } from "../kernel/index.js";

/** What counting needs. */
export interface FailedAttemptsDependencies {
  readonly clock: Clock;
  /** Failures that an address, or a key id, has in a minute, and at once. */
  readonly perMinute: number;
  /** Hears when an address begins to be held up: its network, not the address itself. */
  readonly onLimited: (network: string) => void;
}

/** Where an attempt comes from, and under which key id. */
export interface Attempt {
  readonly address: string;
  /** Tokens have none. */
  readonly keyId: string | undefined;
}

const minuteMs = 60_000;
/** Addresses and key ids that are remembered; those that failed longest ago are forgotten first. */
const rememberedMax = 10_000;

/** Counts attempts that may fail. */
export class FailedAttempts {
  readonly #dependencies: FailedAttemptsDependencies;
  /** Place → when what it was charged is paid off (GCRA, ITU-T I.371), milliseconds of the monotonic clock. */
  readonly #paidOffAtMs = new Map<string, number>();

  constructor(dependencies: FailedAttemptsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Looks at a credential, and counts it unless it opens or nobody could say.
   *
   * @throws EventplaneError `rate_limited` before anything is looked at; what `look` throws
   */
  async charge<Result>(attempt: Attempt, look: () => Promise<Result>): Promise<Result> {
    const places = placesOf(attempt);
    this.#assertRoom(places, attempt);
    for (const place of places) this.#move(place, this.#costMs);
    try {
      const result = await look();
      this.#giveBack(places);
      return result;
    } catch (error) {
      if (!(error instanceof EventplaneError && error.code === "unauthenticated")) this.#giveBack(places);
      throw error;
    }
  }

  get #costMs(): number {
    return minuteMs / this.#dependencies.perMinute;
  }

  #assertRoom(places: readonly string[], { address }: Attempt): void {
    const now = this.#dependencies.clock.monotonicMs();
    const lateMs = Math.max(
      ...places.map((place) => (this.#paidOffAtMs.get(place) ?? now) + this.#costMs - now - minuteMs),
    );
    // The last bit of a sum of thirds is no reason to refuse.
    if (lateMs < 0.001) return;
    if (lateMs <= this.#costMs) this.#dependencies.onLimited(networkOf(address));
    const retryAfterSeconds = Math.max(1, Math.ceil(lateMs / 1_000));
    throw new EventplaneError(
      "rate_limited",
      `Too many wrong credentials came from this address or under this key's id. Try again in ${retryAfterSeconds} s.`,
      { details: { retryAfterSeconds } },
    );
  }

  #giveBack(places: readonly string[]): void {
    for (const place of places) this.#move(place, -this.#costMs);
  }

  #move(place: string, byMs: number): void {
    const now = this.#dependencies.clock.monotonicMs();
    const paidOffAtMs = Math.max(now, this.#paidOffAtMs.get(place) ?? now) + byMs;
    this.#paidOffAtMs.delete(place);
    if (paidOffAtMs > now) this.#paidOffAtMs.set(place, paidOffAtMs);
    const [oldest] = this.#paidOffAtMs.keys();
    if (this.#paidOffAtMs.size > rememberedMax && oldest !== undefined) this.#paidOffAtMs.delete(oldest);
  }
}

function placesOf({ address, keyId }: Attempt): readonly string[] {
  const from = `from ${isIP(address) === 6 ? prefixOf(address, 4) : address}`;
  return keyId === undefined ? [from] : [from, `under ${keyId}`];
}

/** What may stand in a log: /24 of IPv4, /48 of IPv6. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return `${address.split(".").slice(0, 3).join(".")}.0/24`;
  return `${prefixOf(address, 3)}::/48`;
}

/** The first groups of an IPv6 address: who has one has at least the /64 that it is in. */
function prefixOf(address: string, groups: number): string {
  const [head = "", tail = ""] = address.toLowerCase().split("::");
  const left = head.split(":").filter((group) => group !== "");
  const right = tail.split(":").filter((group) => group !== "");
  const zeros = address.includes("::")
    ? Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0")
    : [];
  return [...left, ...zeros, ...right]
    .slice(0, groups)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}

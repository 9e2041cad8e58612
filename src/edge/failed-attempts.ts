/**
 * Who shows wrong credentials too often is answered 429 before they are looked at: per source address and per key id, over all
 * edges together.
 *
 * Only credentials that are not known to open come here. A key that opens is never counted and never held up, so nobody can
 * lock it out by guessing: neither from its own address nor under its id. An attempt is charged before it is looked at, so
 * that a thousand at once are not free, and given back when it opens.
 *
 * A place that fails a few times is this edge's own affair: an eighth of a minute's attempts are spent before the others are told.
 * So somebody who comes from ever new addresses, under ever new ids, writes nothing into the database.
 */
import { isIP } from "node:net";
import { type Clock, EventplaneError, PLATFORM_TENANT_ID, sha256 } from "../kernel/index.js";
import type { Allowance, AllowanceRule, Allowances, Taken } from "../quota/index.js";
import { type Takeable, takeAll } from "./limits/take-all.js";
import { plainAddress } from "./networks.js";

/** What counting needs. */
export interface FailedAttemptsDependencies {
  readonly allowances: Allowances;
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

const minuteSeconds = 60;
/** An edge may hold such a part of a minute's attempts of one place. */
const leaseShare = 1 / 8;
/** Addresses and key ids that are remembered; those that failed longest ago are forgotten first. */
const rememberedMax = 10_000;
/** Of the hash of a place in the name of what is left of it. */
const hashCharacters = 22;

/** Counts attempts that may fail. */
export class FailedAttempts {
  readonly #dependencies: FailedAttemptsDependencies;
  readonly #places = new Map<string, Place>();

  constructor(dependencies: FailedAttemptsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Looks at a credential, and counts it unless it opens or nobody could say.
   *
   * @throws EventplaneError `rate_limited` before anything is looked at; `busy`, `unavailable` when nobody can say what is left; what `look` throws
   */
  async charge<Result>(attempt: Attempt, look: () => Promise<Result>): Promise<Result> {
    const address = plainAddress(attempt.address);
    const places = placesOf({ ...attempt, address }).map((place) => this.#placeOf(place, address));
    await takeAll(places, 1);
    try {
      const result = await look();
      giveBack(places);
      return result;
    } catch (error) {
      if (!(error instanceof EventplaneError && error.code === "unauthenticated")) giveBack(places);
      throw error;
    }
  }

  #placeOf(name: string, address: string): Place {
    const { allowances, clock, perMinute, onLimited } = this.#dependencies;
    const onShort = (): void => onLimited(networkOf(address));
    const place = this.#places.get(name) ?? new Place(allowances.open(ruleOf(name, perMinute)), { clock, onShort });
    this.#places.delete(name);
    this.#places.set(name, place);
    const [oldest] = this.#places.keys();
    if (this.#places.size > rememberedMax && oldest !== undefined) this.#places.delete(oldest);
    return place;
  }
}

/** An address or a key id. */
class Place implements Takeable {
  readonly #allowance: Allowance;
  readonly #clock: Clock;
  readonly #onShort: () => void;
  /** Somebody was told of it, and hears no more until it has been over for a minute. */
  #toldUntilMs = Number.NEGATIVE_INFINITY;

  constructor(allowance: Allowance, { clock, onShort }: { readonly clock: Clock; readonly onShort: () => void }) {
    this.#allowance = allowance;
    this.#clock = clock;
    this.#onShort = onShort;
  }

  take(tokens: number): Promise<void> | undefined {
    const taken = this.#allowance.take(tokens);
    if (taken instanceof Promise) return taken.then((late) => this.#assertTaken(late));
    this.#assertTaken(taken);
    return undefined;
  }

  putBack(tokens: number): void {
    this.#allowance.putBack(tokens);
  }

  #assertTaken(taken: Taken): void {
    if (taken.result === "taken") return;
    const now = this.#clock.monotonicMs();
    if (now > this.#toldUntilMs) this.#onShort();
    this.#toldUntilMs = now + minuteSeconds * 1_000;
    // The last bit of a sum of thirds is no reason for another second.
    const retryAfterSeconds = Math.max(1, Math.ceil((taken.waitMs - 0.001) / 1_000));
    throw new EventplaneError(
      "rate_limited",
      `Too many wrong credentials came from this address or under this key's id. Try again in ${retryAfterSeconds} s.`,
      { details: { retryAfterSeconds } },
    );
  }
}

function giveBack(places: readonly Place[]): void {
  for (const place of places) place.putBack(1);
}

/** The name says nothing of the address to whoever reads the table. */
function ruleOf(place: string, perMinute: number): AllowanceRule {
  return {
    tenantId: PLATFORM_TENANT_ID,
    name: `attempts ${sha256(place).toString("base64url").slice(0, hashCharacters)}`,
    capacity: perMinute,
    perSecond: perMinute / minuteSeconds,
    leaseTokens: Math.ceil(perMinute * leaseShare),
    keepSeconds: minuteSeconds + 1,
    onCredit: true,
  };
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

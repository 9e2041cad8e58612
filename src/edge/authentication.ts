/**
 * From an Authorization header to a principal. Every kind of wrong credential takes the same path and gets the same answer.
 *
 * A key that another edge made a moment ago is not known here yet. So no key is refused by what is known now: one that does
 * not open waits for the round of the fold that begins next, and is decided once more. All that wait share that round, so
 * who guesses keys makes an edge read its platform log, one read at a time, and nothing else.
 */
import type { KeyDirectory } from "../event/index.js";
import { type Clock, EventplaneError } from "../kernel/index.js";
import { type PresentedKey, readAuthorization, secretMatches } from "./credentials.js";
import type { FailedAttempts } from "./failed-attempts.js";
import type { PlatformFold } from "./platform/fold.js";
import { isKeyUsable } from "./platform/key-book.js";
import type { PlatformState } from "./platform/state.js";
import type { Principal } from "./principal.js";
import { decideStreamToken, type Sender, type StreamTokenDecision } from "./stream-tokens/decide-stream-token.js";
import { streamTokenIn } from "./stream-tokens/stream-token.js";
import { tokenIn } from "./tokens/read-token.js";
import type { TokenVerifier } from "./tokens/token-verifier.js";

/** Credentials that wait for a round at once; further ones are told to come again. */
const waitingMax = 1_000;
/** How long one waits for its round, milliseconds. */
const roundWaitMsMax = 900;

/** What authentication needs. */
export interface AuthenticationDependencies {
  readonly platform: PlatformFold;
  /** Of the edges that sign stream tokens. */
  readonly keys: KeyDirectory;
  readonly clock: Clock;
  readonly tokens: TokenVerifier;
  readonly failures: FailedAttempts;
  /** Hears of each key that opened. */
  readonly onUse: (keyId: string) => void;
}

/** What a request shows of who sends it. */
export interface Shown {
  /** Its Authorization header. */
  readonly header: string | undefined;
  /** The address that it comes from. */
  readonly address: string;
  readonly sender: Sender;
}

/** Finds out who asks. */
export class Authentication {
  readonly #dependencies: AuthenticationDependencies;
  #waiting = 0;

  constructor(dependencies: AuthenticationDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Who shows this: at once when its key is known and opens, else after the next round of the fold, at most 900 ms.
   *
   * @throws EventplaneError, from the call or from its promise: `platform_stale` when the keys cannot be proven fresh,
   * `busy` when 1,000 wait already, `rate_limited` when too many wrong ones came from there or under this key id, `unauthenticated` for everything that is not a usable key, always with the same words
   */
  identify(shown: Shown): Principal | Promise<Principal> {
    const { header, address } = shown;
    const streamToken = streamTokenIn(header);
    if (streamToken !== undefined) return this.#identifyByStreamToken(streamToken, shown);
    const token = tokenIn(header);
    if (token !== undefined) {
      const { tokens, platform, failures } = this.#dependencies;
      const known = tokens.known(token, platform.fresh());
      return known ?? failures.charge({ address, keyId: undefined }, () => this.#identifyByToken(token));
    }
    const presented = readAuthorization(header);
    const decided = this.#decide(presented, address);
    if (decided.result === "opened") return decided.principal;
    // What is no key is none at any edge, and guesses nothing.
    if (!presented.isWellFormed) throw unauthenticated(undefined);
    const { keyId } = presented;
    return this.#dependencies.failures.charge({ address, keyId }, () => this.#identifyLater(presented, address));
  }

  async #identifyLater(presented: PresentedKey, address: string): Promise<Principal> {
    await this.#afterNextRound();
    const decided = this.#decide(presented, address);
    if (decided.result === "opened") return decided.principal;
    throw unauthenticated(decided.cause);
  }

  async #identifyByToken(token: string): Promise<Principal> {
    const { tokens, platform } = this.#dependencies;
    if (!(await this.#counted(() => tokens.verify(token)))) throw unauthenticated(undefined);
    // Its tenant may have been made at another edge a moment ago.
    if (tokens.known(token, platform.fresh()) === undefined) await this.#afterNextRound();
    const principal = tokens.known(token, platform.fresh());
    if (principal === undefined) throw unauthenticated(undefined);
    return principal;
  }

  /** One that was true once guesses nothing; everything else that does not open is charged. */
  #identifyByStreamToken(token: string, { address, sender }: Shown): Principal | Promise<Principal> {
    const { failures } = this.#dependencies;
    const decided = this.#decideStreamToken(token, sender);
    if (decided.result === "opened") return decided.principal;
    if (decided.result === "ended") throw unauthenticated(undefined);
    return failures.charge({ address, keyId: undefined }, async () => {
      if (decided.result === "unknown") await this.#afterNextRound();
      const again = this.#decideStreamToken(token, sender);
      if (again.result !== "opened") throw unauthenticated(undefined);
      return again.principal;
    });
  }

  #decideStreamToken(token: string, sender: Sender): StreamTokenDecision {
    const { keys, platform, clock, onUse } = this.#dependencies;
    const decided = decideStreamToken(token, { keys, state: platform.fresh(), nowUs: clock.nowUs(), sender });
    if (decided.result === "opened") onUse(decided.keyId);
    return decided;
  }

  #decide(presented: PresentedKey, address: string): KeyDecision {
    const { platform, clock, onUse } = this.#dependencies;
    const decided = decideKey(presented, { state: platform.fresh(), nowUs: clock.nowUs(), address });
    if (decided.result === "opened") onUse(presented.keyId);
    return decided;
  }

  /** So many at once, and no more. */
  async #counted<Result>(look: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= waitingMax) {
      throw new EventplaneError("busy", "This edge looks up as many unknown credentials as it can. Try again shortly.");
    }
    this.#waiting++;
    try {
      return await look();
    } finally {
      this.#waiting--;
    }
  }

  async #afterNextRound(): Promise<void> {
    const { platform, clock } = this.#dependencies;
    const ended = new AbortController();
    const late = clock.sleep(roundWaitMsMax, ended.signal).then(
      () => "late" as const,
      () => "ended" as const,
    );
    const round = platform.nextRound().then(
      () => "read" as const,
      () => "failed" as const,
    );
    const outcome = await this.#counted(() => Promise.race([round, late])).finally(() => ended.abort());
    if (outcome === "read") return;
    throw new EventplaneError(
      "platform_stale",
      "This edge cannot look up the latest keys, so it can neither take nor refuse this one. Try again shortly.",
    );
  }
}

function unauthenticated(cause: WrongNetwork | undefined): EventplaneError {
  return new EventplaneError(
    "unauthenticated",
    "No usable credential was sent. Send `Authorization: Bearer …` with an API key or a token that is neither revoked nor expired.",
    { cause },
  );
}

/** What a key is decided by. */
export interface DecidedBy {
  readonly state: PlatformState;
  readonly nowUs: number;
  readonly address: string;
}

/** Why a key with the right secret was refused; never sent, but the refusal is noted as its principal's. */
export class WrongNetwork {
  readonly principal: Principal;

  constructor(principal: Principal) {
    this.principal = principal;
  }
}

/** Whether a key opens. */
export type KeyDecision =
  | { readonly result: "opened"; readonly principal: Principal }
  | { readonly result: "refused"; readonly cause: WrongNetwork | undefined };

/** Decides on a key. One path for all that do not open. */
export function decideKey(presented: PresentedKey, { state, nowUs, address }: DecidedBy): KeyDecision {
  const key = state.key(presented.keyId);
  const matches = secretMatches(presented, key?.secretHash);
  if (key === undefined || !matches || !isKeyUsable(key, nowUs)) return { result: "refused", cause: undefined };
  const { principal, networks } = key;
  if (networks?.has(address) === false) return { result: "refused", cause: new WrongNetwork(principal) };
  return { result: "opened", principal };
}

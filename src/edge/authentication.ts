/**
 * From an Authorization header to a principal. Every kind of wrong credential takes the same path and gets the same answer.
 *
 * A key that another edge made a moment ago is not known here yet. So no key is refused by what is known now: one that does
 * not open waits for the round of the fold that begins next, and is decided once more. All that wait share that round, so
 * who guesses keys makes an edge read its platform log, one read at a time, and nothing else.
 */
import { type Clock, EventplaneError } from "../kernel/index.js";
import { type PresentedKey, readAuthorization, secretMatches } from "./credentials.js";
import type { PlatformFold } from "./platform/fold.js";
import { isKeyUsable, type PlatformState } from "./platform/state.js";
import type { Principal } from "./principal.js";

/** Credentials that wait for a round at once; further ones are told to come again. */
const waitingMax = 1_000;
/** How long one waits for its round, milliseconds. */
const roundWaitMsMax = 900;

/** What authentication needs. */
export interface AuthenticationDependencies {
  readonly platform: PlatformFold;
  readonly clock: Clock;
}

/** Finds out who asks. */
export class Authentication {
  readonly #dependencies: AuthenticationDependencies;
  #waiting = 0;

  constructor(dependencies: AuthenticationDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Who shows this header: at once when its key is known and opens, else after the next round of the fold, at most 900 ms.
   *
   * @throws EventplaneError, from the call or from its promise: `platform_stale` when the keys cannot be proven fresh,
   * `busy` when 1,000 wait already, `unauthenticated` for everything that is not a usable key, always with the same words
   */
  identify(header: string | undefined): Principal | Promise<Principal> {
    const { platform, clock } = this.#dependencies;
    const presented = readAuthorization(header);
    return principalOf(presented, platform.fresh(), clock.nowUs()) ?? this.#identifyLater(presented);
  }

  async #identifyLater(presented: PresentedKey): Promise<Principal> {
    const { platform, clock } = this.#dependencies;
    if (presented.isWellFormed) await this.#afterNextRound();
    const principal = principalOf(presented, platform.fresh(), clock.nowUs());
    if (principal !== undefined) return principal;
    throw new EventplaneError(
      "unauthenticated",
      "No usable API key was sent. Send `Authorization: Bearer epk_…` with a key that is neither revoked nor expired.",
    );
  }

  async #afterNextRound(): Promise<void> {
    if (this.#waiting >= waitingMax) {
      throw new EventplaneError("busy", "This edge looks up as many unknown credentials as it can. Try again shortly.");
    }
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
    this.#waiting++;
    const outcome = await Promise.race([round, late]);
    this.#waiting--;
    ended.abort();
    if (outcome === "read") return;
    throw new EventplaneError(
      "platform_stale",
      "This edge cannot look up the latest keys, so it can neither take nor refuse this one. Try again shortly.",
    );
  }
}

/** Who shows the key; undefined when it does not open. One path for all that do not. */
export function principalOf(presented: PresentedKey, state: PlatformState, nowUs: number): Principal | undefined {
  const key = state.key(presented.keyId);
  const matches = secretMatches(presented, key?.secretHash);
  if (key === undefined || !matches || !isKeyUsable(key, nowUs)) return undefined;
  return { type: "service", id: key.principalId, tenantId: key.tenantId, grants: key.grants, keyId: key.id };
}

/** The leases of the calls under way: prolonged as long as they last; a lost one aborts its call. */
import { type Clock, EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { WorkClaim, WorkStore } from "../work/index.js";

/** What they need. */
export interface HeldLeasesOptions {
  readonly work: Pick<WorkStore, "claim" | "extend">;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly logger: Logger;
}

interface Held {
  readonly abort: AbortController;
  /** Monotonic; by this process's clock, from before the database was asked, so never later than the database's own. */
  endsAtMs: number;
}

/** Claims rows and holds them. */
export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  readonly #held = new Map<WorkClaim, Held>();

  constructor(options: HeldLeasesOptions) {
    this.#options = options;
  }

  /** Claims rows of one worker and holds their leases. */
  async claim(options: {
    readonly components: readonly string[];
    readonly limit: number;
  }): Promise<readonly WorkClaim[]> {
    const { clock, leaseMs, work } = this.#options;
    const endsAtMs = clock.monotonicMs() + leaseMs;
    const claims = await work.claim({ ...options, leaseMs });
    for (const claim of claims) this.#held.set(claim, { abort: new AbortController(), endsAtMs });
    return claims;
  }

  /** Aborts with `lease_lost` when somebody else may have the row, or with what `abortAll` was given. */
  signalOf(claim: WorkClaim): AbortSignal {
    return this.#held.get(claim)?.abort.signal ?? AbortSignal.abort(lost());
  }

  /** The claim was ended. */
  drop(claim: WorkClaim): void {
    this.#held.delete(claim);
  }

  /** Aborts every call. */
  abortAll(reason: EventplaneError): void {
    for (const { abort } of this.#held.values()) abort.abort(reason);
  }

  /** Prolongs the leases until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await clock.sleep(leaseMs / 3, signal);
        await this.#extend();
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        if (error.code !== "aborted")
          logger.warn({ code: error.code }, "Leases could not be prolonged; the next heartbeat tries again");
      }
      this.#abortEnded();
    }
  }

  async #extend(): Promise<void> {
    const { clock, leaseMs, work } = this.#options;
    const claims = [...this.#held.keys()];
    if (claims.length === 0) return;
    const endsAtMs = clock.monotonicMs() + leaseMs;
    // A row that is being settled is not among them; it is gone by the time that its lease would end.
    for (const claim of await work.extend(claims, leaseMs)) {
      const held = this.#held.get(claim);
      if (held !== undefined) held.endsAtMs = endsAtMs;
    }
  }

  /** Those that will have ended before the next heartbeat: another process may call then, so this one does not go on. */
  #abortEnded(): void {
    const { clock, leaseMs } = this.#options;
    for (const { abort, endsAtMs } of this.#held.values()) {
      if (endsAtMs <= clock.monotonicMs() + leaseMs / 3 && !abort.signal.aborted) abort.abort(lost());
    }
  }
}

function lost(): EventplaneError {
  return new EventplaneError("lease_lost", "its lease was lost");
}

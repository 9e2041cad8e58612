/** The loop that takes turns on replays: claim, give a slice, wait for the next one to come due. */
import { replayerComponent } from "../event/index.js";
import {
  backoffMs,
  type Doorbell,
  EventplaneError,
  isEventplaneError,
  PLATFORM_TENANT_ID,
  type Random,
} from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { describeFailure, Wakeup, type WorkClaim } from "../work/index.js";
import { type ReplayTurnOptions, ReplayTurns } from "./turn.js";

/** How to make a runner. */
export interface ReplayRunnerOptions extends Omit<ReplayTurnOptions, "leaseMs"> {
  readonly random: Random;
  readonly logger: Logger;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  /** Upper bound of the wait between two looks for due replays; default 500 ms. */
  readonly pollMs?: number;
  /** Default 30 s; prolonged between the steps of a turn. */
  readonly leaseMs?: number;
}

const pollMsDefault = 500;
const leaseMsDefault = 30_000;
/** Replays that one process works on at once. */
const replaysAtOnce = 4;
/** Attempts of a turn before its replay is rejected. */
const attemptsMax = 5;
const failureBackoff = { baseMs: 1_000, capMs: 60_000 } as const;
const outageBackoff = { baseMs: 1_000, capMs: 5_000 } as const;
/** Rounds of `settle` before it says that a replay never comes to its end. */
const settleRoundsMax = 10_000;

/** Brings the replays of all tenants to their ends. Any number of processes may do so on one database. */
export class ReplayRunner {
  readonly #options: ReplayRunnerOptions;
  readonly #leaseMs: number;
  readonly #turns: ReplayTurns;
  readonly #wakeup: Wakeup;
  readonly #running = new Set<Promise<void>>();
  /** Monotonic time of the next turn that this process knows of. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(options: ReplayRunnerOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? leaseMsDefault;
    this.#turns = new ReplayTurns({ ...options, leaseMs: this.#leaseMs });
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Runs until `signal` aborts, and waits for the turns under way. Failures of the store are logged and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, doorbell, logger, pollMs = pollMsDefault, random } = this.#options;
    const stop = doorbell?.listen(() => this.#wakeup.ring(), PLATFORM_TENANT_ID);
    let failures = 0;
    try {
      while (!signal.aborted) {
        try {
          await this.#claim();
          failures = 0;
          await this.#wakeup.wait(Math.max(0, Math.min(pollMs, this.#dueAtMs - clock.monotonicMs())), signal);
        } catch (error) {
          if (!isEventplaneError(error)) throw error;
          failures += 1;
          logger.warn(
            { code: error.code, failures },
            "The replays' loop could not reach its work rows; it tries again",
          );
          await this.#wakeup.wait(backoffMs(failures, { ...outageBackoff, random }), signal);
        }
      }
    } finally {
      stop?.();
      await Promise.all(this.#running);
    }
  }

  /**
   * Takes turns until none is due now; turns in the future stay. For tests and planes on a virtual clock.
   *
   * @throws EventplaneError `timeout` when replays never come to rest
   */
  async settle(): Promise<void> {
    for (let round = 0; round < settleRoundsMax; round++) {
      const claimed = await this.#claim();
      await Promise.all(this.#running);
      if (claimed === 0) return;
    }
    throw new EventplaneError("timeout", `Replays still had turns after ${settleRoundsMax} rounds.`);
  }

  /** One slow replay does not hold up the others. */
  async #claim(): Promise<number> {
    const { clock, work } = this.#options;
    if (this.#dueAtMs <= clock.monotonicMs()) this.#dueAtMs = Number.POSITIVE_INFINITY;
    const limit = replaysAtOnce - this.#running.size;
    if (limit === 0) return 0;
    const claims = await work.claim({ components: [replayerComponent], limit, leaseMs: this.#leaseMs });
    for (const claim of claims) {
      const running = this.#turn(claim).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
    return claims.length;
  }

  async #turn(claim: WorkClaim): Promise<void> {
    const { clock } = this.#options;
    let dueAfterMs: number | null;
    try {
      dueAfterMs = (await this.#turns.run(claim)).dueAfterMs;
    } catch (error) {
      dueAfterMs = await this.#failed(claim, error);
    }
    if (dueAfterMs !== null) this.#dueAtMs = Math.min(this.#dueAtMs, clock.monotonicMs() + dueAfterMs);
    this.#wakeup.ring();
  }

  /** @returns when the row is due again; null when this process has nothing to do with it any more */
  async #failed(claim: WorkClaim, error: unknown): Promise<number | null> {
    const { logger, random, work } = this.#options;
    const { code, message } = describeFailure(error, "A replay");
    const fields = { replayId: claim.aggregateId, attempt: claim.attempt, code, reason: message };
    if (isEventplaneError(error, "lease_lost")) return null;
    try {
      if (isEventplaneError(error) && error.retryable) {
        logger.warn(fields, "A replay waits because the system was not able to go on");
        const dueAfterMs = backoffMs(claim.attempt, { ...outageBackoff, random });
        await work.release(claim, { dueAfterMs });
        return dueAfterMs;
      }
      if (claim.attempt >= attemptsMax) {
        logger.error(fields, "A replay cannot go on and is given up");
        await this.#turns.reject(claim, { code, message });
        return null;
      }
      logger.warn(fields, "A turn of a replay failed and is taken again");
      const retryAfterMs = backoffMs(claim.attempt, { ...failureBackoff, random });
      await work.fail(claim, { code, message }, { retryAfterMs, generation: null });
      return retryAfterMs;
    } catch (again) {
      const { code: why } = describeFailure(again, "A replay");
      logger.error({ ...fields, why }, "A failure of a replay could not be recorded; its lease runs out by itself");
      return null;
    }
  }
}

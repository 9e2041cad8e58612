/** One claimed effect from its ask to what is written of it. */
import {
  type EffectFailure,
  type EffectResult,
  type EventRow,
  effectResultId,
  mutate,
  type WorkerDefinition,
} from "../event/index.js";
import { backoffMs, type Clock, EventplaneError, formatUs, isEventplaneError, type Random } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { concealed, type OpenedInput, type PersonalData, resealed } from "../personal/index.js";
import type { Append, AppendOutcome } from "../store/index.js";
import { describeFailure, heldCode, type WorkClaim, type WorkFailure, type WorkStore } from "../work/index.js";
import { makeCall } from "./call.js";
import { type EffectLoader, inputMisfitOf, type LoadedEffect } from "./effect-loader.js";
import { type Outcome, outcomeOf } from "./outcome.js";

/**
 * How an attempt ended. `succeeded`, `failed`: its result is in the log. `retried`: it is tried again. `held`: nobody knows,
 * somebody decides. `dead_letter`. `settled`: there was a result already, or somebody gave it. `lost`: another has the
 * lease. `deferred`: the system was not able to; tried again, not counted.
 */
export type EffectEnd = "succeeded" | "failed" | "retried" | "held" | "dead_letter" | "settled" | "lost" | "deferred";

/** What attempts need. */
export interface EffectAttemptOptions {
  readonly work: WorkStore;
  /** The coalescer of the runtime tier. */
  readonly appending: { append(append: Append): Promise<AppendOutcome> };
  readonly loader: EffectLoader;
  /** Opens the personal data in what workers are called with. */
  readonly personal: Pick<PersonalData, "openInput">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly leaseMs: number;
}

/** One attempt. */
export interface EffectAttempt {
  readonly claim: WorkClaim;
  readonly worker: WorkerDefinition;
  /** Aborts when the lease is lost (`lease_lost`) or the process stops. */
  readonly signal: AbortSignal;
  /** Told whether the service answered, for the breaker; not called when no call was made. */
  readonly onCall: (answered: boolean) => void;
}

/** What the end of an attempt means for the loop. */
export interface EffectAttemptEnd {
  readonly result: EffectEnd;
  /** When the row is due again, if it is and this process knows. */
  readonly dueAfterMs?: number;
}

/** A failure, and where in the team's code it was thrown. */
interface PlacedFailure extends EffectFailure {
  readonly at?: string | undefined;
}

const outageBackoff = { baseMs: 1_000, capMs: 1_000 } as const;
/** An answer that the store cannot take is offered again so often; then the lease runs out, and its outcome is unknown. */
const recordAttemptsMax = 8;
const recordBackoff = { baseMs: 250, capMs: 4_000 } as const;

/** Works on claims of effects. It never throws: what goes wrong is written on the row, and if even that fails the lease runs out. */
export class EffectAttempts {
  readonly #options: EffectAttemptOptions;

  constructor(options: EffectAttemptOptions) {
    this.#options = options;
  }

  async run(attempt: EffectAttempt): Promise<EffectAttemptEnd> {
    let isCalled = false;
    const onCall = (answered: boolean): void => {
      isCalled = true;
      attempt.onCall(answered);
    };
    try {
      const effect = await this.#options.loader.load(attempt.claim, attempt.worker);
      return await this.#decide({ ...attempt, onCall }, effect);
    } catch (error) {
      return this.#broken(attempt, error, isCalled || attempt.claim.isAbandoned);
    }
  }

  /** What the log says of the effect decides, whatever woke its row. */
  async #decide(attempt: EffectAttempt, effect: LoadedEffect): Promise<EffectAttemptEnd> {
    const { claim, worker } = attempt;
    if (effect.hasResult) return this.#finish(claim);
    if (effect.resolved !== undefined) {
      await this.#record(claim, effect.ask, { worker, result: effect.resolved });
      return { result: "settled" };
    }
    const lost = `attempt ${claim.attempt - 1} of worker ${worker.name} ended without a word: its process stopped, or lost its lease`;
    if (claim.isAbandoned && worker.onUnknown === "hold") {
      return this.#hold(attempt, effect, { code: "effect_unknown", message: `The ${lost}.` });
    }
    if (claim.attempt > worker.retry.attempts) {
      return this.#giveUp(attempt, effect, { code: "effect_unknown", message: `The last ${lost}.` });
    }
    const open = await this.#options.personal.openInput(claim.tenantId, effect.input);
    if (open.isErased) {
      const message = `Worker ${worker.name} was not called: what it was asked with is of a data subject who has been erased.`;
      await this.#record(claim, effect.ask, { worker, result: { failed: { code: "subject_erased", message } } });
      return { result: "failed" };
    }
    const misfit = inputMisfitOf(worker, open.input);
    if (misfit !== undefined) {
      const message = `What worker ${worker.name} was asked does not fit its input schema any more: ${misfit}. Correct the schema and redrive, or resolve the effect by hand.`;
      return this.#giveUp(attempt, effect, { code: "effect_input_invalid", message });
    }
    return this.#call(attempt, effect, open);
  }

  async #call(attempt: EffectAttempt, effect: LoadedEffect, open: OpenedInput): Promise<EffectAttemptEnd> {
    const { claim, worker, signal } = attempt;
    const { clock } = this.#options;
    const idempotencyKey = effectResultId(claim.tenantId, effect.ask.id, worker.name);
    const end = await makeCall({ worker, input: open.input, idempotencyKey, clock, signal });
    const conceal = (text: string): string => concealed(text, open.opened);
    const outcome = withoutPersonal(outcomeOf(worker, end, conceal), open);
    attempt.onCall(outcome.outcome === "answered" || outcome.outcome === "unfit");
    if (outcome.outcome === "answered") {
      const { result } = outcome;
      await this.#record(claim, effect.ask, { worker, result });
      return { result: "ok" in result ? "succeeded" : "failed" };
    }
    if (isEventplaneError(signal.reason, "lease_lost")) return { result: "lost" };
    return this.#unanswered(attempt, effect, outcome);
  }

  async #unanswered(
    attempt: EffectAttempt,
    effect: LoadedEffect,
    { outcome, failure: told, at }: Exclude<Outcome, { outcome: "answered" }>,
  ): Promise<EffectAttemptEnd> {
    const failure: PlacedFailure = { ...told, at };
    const { claim, worker, signal } = attempt;
    const { random, work } = this.#options;
    if (outcome === "unfit") return this.#giveUp(attempt, effect, failure);
    if (outcome === "unknown" && worker.onUnknown === "hold") return this.#hold(attempt, effect, failure);
    // A stop is no fault of the call: another process makes it again, with the same key.
    if (signal.aborted) return this.#defer(claim, 0);
    if (claim.attempt >= worker.retry.attempts) return this.#giveUp(attempt, effect, failure);
    const retryAfterMs = backoffMs(claim.attempt, { ...worker.retry, random });
    this.#log("warn", attempt, failure, "A worker's call brought no answer and is made again");
    const held = await work.fail(claim, shownToOperators(failure), { retryAfterMs, generation: null });
    return held ? { result: "retried", dueAfterMs: retryAfterMs } : { result: "lost" };
  }

  /**
   * Writes the result, in the commit that closes the row. Where the lease was lost meanwhile it is written all the same:
   * an answer is known now, and whoever has the lease finds it.
   *
   * @throws EventplaneError of the store that could not take it in all that time
   */
  async #record(
    claim: WorkClaim,
    ask: EventRow,
    { worker, result }: { readonly worker: WorkerDefinition; readonly result: EffectResult },
  ): Promise<void> {
    const { appending, clock, random } = this.#options;
    const { tenantId, aggregateType, aggregateId, component, leaseToken } = claim;
    const items = [mutate.effectNews(ask, worker.name, { result, now: formatUs(clock.nowUs()) })];
    let lease: Append["lease"] = { aggregateType, aggregateId, component, leaseToken, dueAfterMs: null };
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await appending.append({ tenantId, items, ...(lease === undefined ? {} : { lease }) });
        if (outcome.result === "repeated") await this.#finish(claim);
        if (outcome.result !== "refused") return;
        if (outcome.code !== "lease_lost")
          throw new EventplaneError("internal", `A result was refused: ${outcome.code}.`);
        lease = undefined;
      } catch (error) {
        if (!isEventplaneError(error) || !error.retryable || attempt === recordAttemptsMax) throw error;
        await clock.sleep(backoffMs(attempt, { ...recordBackoff, random }));
      }
    }
  }

  /** The event first: a crash between the two repeats only the second. */
  async #hold(attempt: EffectAttempt, effect: LoadedEffect, failure: PlacedFailure): Promise<EffectAttemptEnd> {
    const { code, message: told } = failure;
    const news = { unknown: { code, message: told }, retries: effect.retries };
    if (!(await this.#note(attempt, effect.ask, news))) return { result: "lost" };
    this.#log("warn", attempt, failure, "Nobody knows what became of a worker's call; it is held");
    const message = `${shownToOperators(failure).message} Find out what happened, then resolve or retry the effect.`;
    await this.#options.work.fail(attempt.claim, { code: heldCode, message }, { retryAfterMs: null, generation: null });
    return { result: "held" };
  }

  async #giveUp(attempt: EffectAttempt, effect: LoadedEffect, failure: PlacedFailure): Promise<EffectAttemptEnd> {
    const { code, message } = failure;
    if (!(await this.#note(attempt, effect.ask, { dead: { code, message } }))) return { result: "lost" };
    this.#log("error", attempt, failure, "A worker gave up an effect: dead letter");
    const shown = shownToOperators(failure);
    await this.#options.work.fail(attempt.claim, shown, { retryAfterMs: null, generation: null });
    return { result: "dead_letter" };
  }

  /** @returns false when the lease is lost */
  async #note(
    { claim, worker }: EffectAttempt,
    ask: EventRow,
    news: { readonly unknown: EffectFailure; readonly retries: number } | { readonly dead: EffectFailure },
  ): Promise<boolean> {
    const { appending, clock, leaseMs, work } = this.#options;
    if ((await work.extend([claim], leaseMs)).length === 0) return false;
    const item = mutate.effectNews(ask, worker.name, { ...news, now: formatUs(clock.nowUs()) });
    const outcome = await appending.append({ tenantId: claim.tenantId, items: [item] });
    return outcome.result !== "refused";
  }

  /** @param mayHaveCalled the row must tell the next holder so, and only a lease that runs out does */
  async #broken(attempt: EffectAttempt, error: unknown, mayHaveCalled: boolean): Promise<EffectAttemptEnd> {
    const { claim } = attempt;
    const failure = describeFailure(error, "Eventplane");
    try {
      if (isEventplaneError(error, "verification_failed")) {
        this.#log("error", attempt, failure, "An effect does not verify; no call is made");
        const held = await this.#options.work.fail(claim, failure, { retryAfterMs: null, generation: null });
        return { result: held ? "dead_letter" : "lost" };
      }
      this.#log("warn", attempt, failure, "An effect waits because the system was not able to");
      if (mayHaveCalled) return { result: "deferred" };
      const { random } = this.#options;
      return await this.#defer(claim, backoffMs(claim.attempt, { ...outageBackoff, random }));
    } catch (again) {
      const message = "The end of an effect could not be recorded; its lease runs out by itself";
      this.#log("error", attempt, describeFailure(again, "Eventplane"), message);
      return { result: "deferred" };
    }
  }

  async #finish(claim: WorkClaim): Promise<EffectAttemptEnd> {
    const seenVersion = Number.MAX_SAFE_INTEGER; // nothing that may come matters to an effect that has its result
    const held = await this.#options.work.finish(claim, { dueAfterMs: null, seenVersion });
    return { result: held ? "settled" : "lost" };
  }

  async #defer(claim: WorkClaim, dueAfterMs: number): Promise<EffectAttemptEnd> {
    const held = await this.#options.work.release(claim, { dueAfterMs });
    return held ? { result: "deferred", dueAfterMs } : { result: "lost" };
  }

  #log(level: "warn" | "error", { claim, worker }: EffectAttempt, failure: PlacedFailure, message: string): void {
    const { tenantId, aggregateId, attempt } = claim;
    const { code, at, message: reason } = failure;
    const fields = { tenantId, effect: aggregateId, worker: worker.name, attempt, code, reason };
    this.#options.logger[level](at === undefined ? fields : { ...fields, at }, message);
  }
}

/** What a worker was shown must not come back in the clear. */
function withoutPersonal(outcome: Outcome, { opened }: OpenedInput): Outcome {
  if (opened.length === 0) return outcome;
  const told = ({ code, message }: EffectFailure): EffectFailure => ({ code, message: concealed(message, opened) });
  if (outcome.outcome !== "answered") return { ...outcome, failure: told(outcome.failure) };
  const { result } = outcome;
  return { ...outcome, result: "ok" in result ? { ok: resealed(result.ok, opened) } : { failed: told(result.failed) } };
}

/** The place is for operators; the log that tenants read has the failure without it. */
function shownToOperators({ code, message, at }: PlacedFailure): WorkFailure {
  return { code, message: at === undefined ? message : `${message} It was thrown at ${at}.` };
}

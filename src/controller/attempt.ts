/** One claimed row from load to commit: what is decided, appended, retried and given up. */
import { type AppDefinition, deadLetterComponent, mutate, type Resource } from "../event/index.js";
import {
  type BackoffOptions,
  backoffMs,
  type Clock,
  type EventplaneError,
  formatUs,
  isEventplaneError,
  type Random,
} from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { Append, AppendOutcome, ResourceLoader } from "../store/index.js";
import { describeFailure, type Failure, type WorkClaim, type WorkStore } from "../work/index.js";
import { type Decision, decide, isOpen } from "./decide.js";
import { assertOwnRefusal } from "./emit-refusal.js";
import { ownRows } from "./own-rows.js";
import type { Reconciler } from "./reconciler.js";

/**
 * How an attempt ended. `changed`: events were appended. `unchanged`: there was nothing to do. `failed`, and
 * `timed-out` when the controller did not return in its time: it is tried again. `dead`: a dead letter. `lost`: another has the lease. `deferred`: the system was not able to; tried again, not counted.
 */
export type AttemptResult = "changed" | "unchanged" | "failed" | "timed-out" | "dead" | "lost" | "deferred";

/** The runtime tier's way into the log; the coalescer. */
export interface Appending {
  append(append: Append): Promise<AppendOutcome>;
}

/** What attempts need. */
export interface AttemptOptions {
  readonly app: AppDefinition;
  readonly work: WorkStore;
  readonly appending: Appending;
  readonly loader: ResourceLoader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly attemptsMax: number;
  readonly reconcilesPerGenerationMax: number;
  readonly checkDeterminism: boolean;
  readonly reconciler: Reconciler;
  readonly leaseMs: number;
}

/** Upper bounds of the waits: controller-runtime's for failures; conflicts and outages are nobody's fault. */
const failureBackoff = { baseMs: 5, capMs: 1_000_000 } as const;
const conflictBackoff = { baseMs: 10, capMs: 10 } as const;
const outageBackoff = { baseMs: 1_000, capMs: 1_000 } as const;
/** Others are given the threads meanwhile; many rows may wait like this, so they do not come back at once. */
const crowdBackoff = { baseMs: 10_000, capMs: 10_000 } as const;
/** Conflicts in a row before the row is handed back. */
const conflictsMax = 5;
/** How often a failure is written down before its row is left to its lease. */
const recordTriesMax = 3;

/** An attempt's end. */
export interface AttemptEnd {
  readonly result: AttemptResult;
  /** The fold as it is now, if it is known. */
  readonly resource?: Resource | undefined;
  /** When the row is due again, if it is and this process knows. */
  readonly dueAfterMs?: number | null;
  /** It may be due now, because something that was looked up has moved meanwhile. */
  readonly looked?: boolean;
}

/** The stream moved while it was decided on: load it and decide again. */
const conflict = Symbol("conflict");

/** Works on claims. It never throws: what goes wrong is written on the row, and if even that fails the lease runs out. */
export class Attempts {
  readonly #options: AttemptOptions;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /**
   * @param known the fold that the previous attempt on the same stream left, so that it need not be loaded
   * @param blame what the controller has just cost a thread with: it is not tried again at once
   */
  async run(claim: WorkClaim, known: Resource | undefined, blame?: EventplaneError): Promise<AttemptEnd> {
    if (blame !== undefined) return this.#failed(claim, blame, known);
    let resource = known;
    try {
      for (let round = 0; round < conflictsMax; round++) {
        resource ??= await this.#options.loader.load(claim.tenantId, claim);
        const ended = await this.#decide(claim, resource);
        if (ended !== conflict) return ended;
        resource = undefined;
      }
      return await this.#defer(claim, conflictBackoff);
    } catch (error) {
      return this.#failed(claim, error, resource);
    }
  }

  async #decide(claim: WorkClaim, resource: Resource | undefined): Promise<AttemptEnd | typeof conflict> {
    if (!isOpen(resource)) {
      return this.#finish(claim, { resource, requeueAfterMs: null });
    }
    if (claim.attempt > this.#options.attemptsMax) {
      const message = `${this.#options.attemptsMax} attempts ended without an answer: the process stopped or hung each time.`;
      return this.#giveUp(claim, { code: "reconcile_failed", message, isTerminal: true, at: undefined }, resource);
    }
    return this.#commit(claim, resource, await decide(claim, resource, this.#options));
  }

  async #commit(
    claim: WorkClaim,
    resource: Resource,
    { items, requeueAfterMs, lookups }: Decision,
  ): Promise<AttemptEnd | typeof conflict> {
    const looked = lookups.length > 0;
    if (looked && !(await this.#options.work.lookedUp(claim, lookups))) return { result: "lost" };
    if (items.length === 0) return { ...(await this.#finish(claim, { resource, requeueAfterMs })), looked };
    const { reconcilesPerGenerationMax } = this.#options;
    if (isExhausted(resource, claim, reconcilesPerGenerationMax)) {
      const message = `It has decided something new ${reconcilesPerGenerationMax} times in this generation: it wakes itself or others for ever. Decide the same on the same resource; the next intent begins anew.`;
      return this.#giveUp(claim, { code: "reconciles_exhausted", message, isTerminal: true, at: undefined }, resource);
    }
    const { aggregateType, aggregateId, component, leaseToken } = claim;
    const dueAfterMs = requeueAfterMs === null ? null : Math.ceil(requeueAfterMs);
    const outcome = await this.#options.appending.append({
      tenantId: claim.tenantId,
      items,
      lease: { aggregateType, aggregateId, component, leaseToken, dueAfterMs },
    });
    if (outcome.result === "appended") {
      const rows = ownRows(items, outcome.receipts, resource);
      return { result: "changed", resource: this.#options.loader.apply(resource, rows), dueAfterMs, looked };
    }
    if (outcome.result === "refused" && outcome.code === "lease_lost") return { result: "lost" };
    if (outcome.result === "refused") assertOwnRefusal(outcome, { claim, resource, items });
    // Repeated: the answer to an earlier delivery was lost. The log has moved on, so look at it again.
    return conflict;
  }

  async #finish(
    claim: WorkClaim,
    { resource, requeueAfterMs }: { readonly resource: Resource | undefined; readonly requeueAfterMs: number | null },
  ): Promise<AttemptEnd> {
    const held = await this.#options.work.finish(claim, {
      dueAfterMs: requeueAfterMs,
      seenVersion: resource?.version ?? 0,
    });
    return held ? { result: "unchanged", resource, dueAfterMs: requeueAfterMs } : { result: "lost" };
  }

  /** A failure that is not recorded holds its row until the lease runs out, so what may help at once is tried. */
  async #failed(claim: WorkClaim, error: unknown, resource: Resource | undefined): Promise<AttemptEnd> {
    const failure = describeFailure(error);
    for (let tries = 1; ; tries++) {
      try {
        return await this.#record(claim, error, { failure, resource });
      } catch (again) {
        if (tries < recordTriesMax && isEventplaneError(again) && again.retryable) continue;
        this.#log(
          "error",
          claim,
          describeFailure(again),
          "A failure could not be recorded; the lease runs out by itself",
        );
        return { result: "deferred" };
      }
    }
  }

  async #record(
    claim: WorkClaim,
    error: unknown,
    { failure, resource }: { readonly failure: Failure; readonly resource: Resource | undefined },
  ): Promise<AttemptEnd> {
    if (isCrowdedOut(error, claim)) return this.#defer(claim, crowdBackoff);
    if (isOutage(error)) {
      this.#log("warn", claim, failure, "A reconcile waits because the system was not able to");
      return this.#defer(claim, outageBackoff);
    }
    if (isUnverifiable(error)) return this.#unverifiable(claim, failure);
    if (resource !== undefined && (failure.isTerminal || claim.attempt >= this.#options.attemptsMax)) {
      return this.#giveUp(claim, failure, resource);
    }
    this.#log("warn", claim, failure, "A controller failed and is tried again");
    const retryAfterMs = backoffMs(claim.attempt, { ...failureBackoff, random: this.#options.random });
    const held = await this.#options.work.fail(claim, failure, {
      retryAfterMs,
      generation: resource?.generation ?? null,
    });
    const result = isEventplaneError(error, "reconcile_timeout") ? "timed-out" : "failed";
    return held ? { result, dueAfterMs: retryAfterMs } : { result: "lost" };
  }

  /** Nothing can be derived from what does not verify, or cannot be lifted: the row waits for somebody, the log stays as it is. */
  async #unverifiable(claim: WorkClaim, failure: Failure): Promise<AttemptEnd> {
    const why = failure.code === "upcast_failed" ? "cannot be lifted" : "does not verify";
    this.#log("error", claim, failure, `A resource ${why}; its controllers are stopped`);
    const held = await this.#options.work.fail(claim, failure, { retryAfterMs: null, generation: null });
    return { result: held ? "dead" : "lost" };
  }

  /** Makes the dead letter visible on the resource, then closes the row. A crash between the two repeats only the second. */
  async #giveUp(claim: WorkClaim, failure: Failure, basis: Resource): Promise<AttemptEnd> {
    const { work, leaseMs } = this.#options;
    let resource: Resource | undefined = basis;
    for (let round = 0; round < conflictsMax; round++) {
      const held = (await work.extend([claim], leaseMs)).length === 1;
      if (!held) return { result: "lost" };
      if (resource === undefined || resource.generation !== basis.generation || resource.lifecycle === "deleted") {
        await work.fail(claim, failure, { retryAfterMs: 0, generation: basis.generation });
        return { result: "failed", resource, dueAfterMs: 0 };
      }
      if (isStalled(resource, claim.component) || (await this.#noteDeadLetter(claim, failure, resource))) {
        this.#log("error", claim, failure, "A controller gave up: dead letter");
        await work.fail(claim, failure, { retryAfterMs: null, generation: resource.generation });
        return { result: "dead" };
      }
      resource = await this.#options.loader.load(claim.tenantId, claim);
    }
    return this.#defer(claim, conflictBackoff);
  }

  async #noteDeadLetter(claim: WorkClaim, failure: Failure, resource: Resource): Promise<boolean> {
    const item = mutate.deadLettered({
      resource,
      controller: claim.component,
      attempts: claim.attempt,
      code: failure.code,
      now: formatUs(this.#options.clock.nowUs()),
    });
    const outcome = await this.#options.appending.append({ tenantId: claim.tenantId, items: [item] });
    return outcome.result !== "refused";
  }

  async #defer(claim: WorkClaim, bounds: BackoffOptions): Promise<AttemptEnd> {
    const dueAfterMs = backoffMs(claim.attempt, { ...bounds, random: this.#options.random });
    const held = await this.#options.work.release(claim, { dueAfterMs });
    return held ? { result: "deferred", dueAfterMs } : { result: "lost" };
  }

  #log(level: "warn" | "error", claim: WorkClaim, failure: Failure, message: string): void {
    const { tenantId, aggregateType, aggregateId, component, attempt } = claim;
    const { code, at } = failure;
    const fields = {
      tenantId,
      aggregateType,
      aggregateId,
      controller: component,
      attempt,
      code,
      reason: failure.message,
    };
    this.#options.logger[level](at === undefined ? fields : { ...fields, at }, message);
  }
}

/** Whether a component may decide nothing new any more in this generation. */
export function isExhausted(
  { reconciles }: Resource,
  { component }: Pick<WorkClaim, "component">,
  reconcilesPerGenerationMax: number,
): boolean {
  return (reconciles[component] ?? 0) >= reconcilesPerGenerationMax;
}

/** Whoever runs the controllers will not have this one now. */
function isCrowdedOut(error: unknown, { component }: WorkClaim): boolean {
  return isEventplaneError(error, "busy") && error.details.controller === component;
}

/** The store, a key or the time was missing, not the controller's answer. */
function isOutage(error: unknown): error is EventplaneError {
  if (isEventplaneError(error, "key_unknown") || isEventplaneError(error, "aborted")) return true;
  return isEventplaneError(error) && error.retryable && !isLoss(error);
}

/** The controller did not return, or took its thread with it. */
export function isLoss(error: unknown): error is EventplaneError {
  return isEventplaneError(error, "reconcile_timeout") || isEventplaneError(error, "reconcile_failed");
}

/** What cannot be read would not be read the next time either. */
function isUnverifiable(error: unknown): boolean {
  return (["verification_failed", "event_corrupt", "upcast_failed"] as const).some((code) =>
    isEventplaneError(error, code),
  );
}

function isStalled(resource: Resource, controller: string): boolean {
  const component = deadLetterComponent(controller);
  return resource.conditions.some((condition) => condition.type === "Stalled" && condition.component === component);
}

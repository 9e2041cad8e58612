/** The one loop that turns the log into reconciles: dispatch, claim, work on each stream in turn, wait for news. */
import { type AppDefinition, type Resource, runtimeComponent } from "../event/index.js";
import {
  backoffMs,
  type Clock,
  type Doorbell,
  EventplaneError,
  isEventplaneError,
  type Random,
  type TenantId,
} from "../kernel/index.js";
import type { Logger, Metrics, ReconcileResult } from "../observe/index.js";
import type { ResourceLoader } from "../store/index.js";
import { Wakeup, type Watch, type WorkClaim, type WorkStore } from "../work/index.js";
import { type Appending, type AttemptEnd, type AttemptOptions, Attempts } from "./attempt.js";
import { Lanes } from "./lanes.js";
import { type Reconciler, reconcilesHere } from "./reconciler.js";
import { Together } from "./together.js";

/** How to make a runtime. */
export interface ControllerRuntimeOptions {
  readonly app: AppDefinition;
  readonly work: WorkStore;
  /** The coalescer of the runtime tier. */
  readonly coalescer: Appending;
  readonly loader: ResourceLoader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  readonly metrics?: Pick<Metrics, "reconciled">;
  /** Upper bound of the wait between two looks at the log; default 250 ms. */
  readonly pollMs?: number;
  /** Default 30 s; prolonged at a third of it as long as the process works on the row. */
  readonly leaseMs?: number;
  /** Rows leased at once; default 128. */
  readonly claimsMax?: number;
  /** Attempts before a dead letter, in all; default 5. */
  readonly attemptsMax?: number;
  /**
   * Reconciles of one controller that decided something new in one generation, before another becomes a dead letter; default
   * 10,000. Ends controllers that wake themselves or one another for ever. Those that decide nothing new are not counted.
   */
  readonly reconcilesPerGenerationMax?: number;
  /** Runs every reconcile twice and compares; for tests. Default false. */
  readonly checkDeterminism?: boolean;
  /** Runs the controllers; default: this thread. */
  readonly reconciler?: Reconciler;
}

const pollMsDefault = 250;
const leaseMsDefault = 30_000;
const claimsMaxDefault = 128;
const attemptsMaxDefault = 5;
const reconcilesPerGenerationMaxDefault = 10_000;
/** More tenants with news than this are found faster by one look at all. */
const hintsMax = 8;
/** Dispatch rounds before claims get their turn. */
const dispatchRoundsMax = 16;
/** While a tenant is worked on, most rings are of the answers: they are gathered so long, or until the work is done. */
const gatherMs = 8;
const errorBackoff = { baseMs: 50, capMs: 5_000 } as const;
/** Rounds of `settle` before it says that the app never comes to rest. */
const settleRoundsMax = 10_000;

/**
 * Runs the controllers of one app in this process. Any number of processes may do so on one database.
 *
 * One reconcile at a time for a stream and controller, by lease; controllers of one stream run one after another on the
 * fold that each leaves to the next, those that are due together in one commit; different streams run at once.
 */
export class ControllerRuntime {
  readonly #options: ControllerRuntimeOptions;
  readonly #watches: readonly Watch[];
  readonly #components: readonly string[];
  readonly #attempts: Attempts;
  readonly #together: Together;
  readonly #lanes: Lanes<WorkClaim>;
  readonly #wakeup: Wakeup;
  readonly #claims = new Set<WorkClaim>();
  /** Tenants that rang, and since when (monotonic) they wait for their events to be dispatched. */
  readonly #news = new Map<TenantId, number>();
  readonly #broken = new Set<TenantId>();
  /** Monotonic times of the next look at all tenants and of the next row that is known to come due. */
  #pollAtMs = 0;
  #dueAtMs = 0;
  /** A row may be due now, whatever is known of later ones. */
  #isDue = false;
  /** Events dispatched so far. */
  #dispatched = 0;

  constructor(options: ControllerRuntimeOptions) {
    this.#options = options;
    this.#watches = [...options.app.controllers.values()].map(({ name, watches }) => ({
      aggregateType: watches,
      component: name,
    }));
    this.#components = [...options.app.controllers.keys(), runtimeComponent];
    const attempts: AttemptOptions = {
      ...options,
      appending: options.coalescer,
      attemptsMax: options.attemptsMax ?? attemptsMaxDefault,
      reconcilesPerGenerationMax: options.reconcilesPerGenerationMax ?? reconcilesPerGenerationMaxDefault,
      checkDeterminism: options.checkDeterminism ?? false,
      reconciler: options.reconciler ?? reconcilesHere(options),
      leaseMs: this.#leaseMs,
    };
    this.#attempts = new Attempts(attempts);
    this.#together = new Together(attempts);
    this.#lanes = new Lanes((first, next) => this.#workOn(first, next));
    this.#wakeup = new Wakeup(options.clock);
  }

  /**
   * Runs until `signal` aborts: then it hands back the rows it has not begun with, finishes the others and returns.
   * Failures of the store are logged and tried again.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#options.doorbell?.listen((tenantId) => {
      if (!this.#news.has(tenantId)) this.#news.set(tenantId, this.#options.clock.monotonicMs());
      this.#wakeup.ring();
    });
    try {
      await Promise.all([this.#loop(signal), this.#heartbeat(signal)]);
    } finally {
      stop?.();
    }
  }

  /**
   * Works until no row is due now; timers in the future stay. For tests and for planes on a virtual clock.
   *
   * @throws EventplaneError `timeout` when the app never comes to rest; `aborted`
   */
  async settle(signal?: AbortSignal): Promise<void> {
    for (let round = 0; round < settleRoundsMax; round++) {
      if (signal?.aborted) throw new EventplaneError("aborted", "Settling was aborted by its caller.");
      this.#pollAtMs = 0;
      const dispatched = await this.#dispatch();
      const claimed = await this.#claim();
      await this.#lanes.idle();
      if (!dispatched && claimed === 0) return this.#options.loader.settled();
    }
    throw new EventplaneError(
      "timeout",
      `Controllers still had work after ${settleRoundsMax} rounds: does one wake itself for ever?`,
    );
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const isBusy = await this.#round();
        failures = 0;
        if (!isBusy) await this.#wakeup.wait(this.#idleMs(), signal);
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        failures += 1;
        logger.warn(
          { code: error.code, failures },
          "The controllers' loop could not reach its work rows; it tries again",
        );
        await this.#wakeup.wait(backoffMs(failures, { ...errorBackoff, random }), signal);
      }
    }
    await this.#drain();
    logger.debug({ atMs: Math.round(clock.monotonicMs()) }, "The controllers' loop has stopped");
  }

  /** @returns whether there is more to do without waiting */
  async #round(): Promise<boolean> {
    const { clock } = this.#options;
    const polls = clock.monotonicMs() >= this.#pollAtMs;
    const dispatched = await this.#dispatch();
    const looks = polls || clock.monotonicMs() >= this.#dueAtMs;
    if (!dispatched && !looks && !this.#isDue) return false;
    const room = this.#room();
    this.#isDue = false;
    // From here on, attempts that end say when their rows are due again.
    if (looks) this.#dueAtMs = Number.POSITIVE_INFINITY;
    const claimed = await this.#claim();
    if (claimed >= room) this.#dueAtMs = clock.monotonicMs();
    else if (looks) await this.#learnNextDue();
    return this.#idleMs() === 0;
  }

  /** The one that was known has come; there may be others behind it, and rows of other processes come due too. */
  async #learnNextDue(): Promise<void> {
    const { clock, work } = this.#options;
    const dueMs = await work.nextDueMs(this.#components);
    this.#dueAtMs = Math.min(this.#dueAtMs, clock.monotonicMs() + (dueMs ?? Number.POSITIVE_INFINITY));
  }

  /** @returns whether any event was turned into work */
  async #dispatch(): Promise<boolean> {
    const { clock, work } = this.#options;
    const polls = clock.monotonicMs() >= this.#pollAtMs || this.#news.size > hintsMax;
    const hints = polls ? [undefined] : this.#ripeNews();
    for (const hint of hints) if (hint !== undefined) this.#news.delete(hint);
    if (polls) this.#news.clear();
    if (polls) this.#pollAtMs = clock.monotonicMs() + this.#pollMs;
    let dispatched = false;
    for (const hint of hints) {
      for (let round = 0; round < dispatchRoundsMax; round++) {
        const result = await work.dispatch(this.#watches, hint);
        this.#dispatched += result.events;
        dispatched ||= result.events > 0;
        for (const tenantId of result.broken) this.#alarm(tenantId);
        if (!result.more) break;
        if (round === dispatchRoundsMax - 1) this.#pollAtMs = 0;
      }
    }
    return dispatched;
  }

  #ripeNews(): readonly TenantId[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#news.keys()].filter((tenantId) => this.#ripeAtMs(tenantId) <= nowMs);
  }

  #ripeAtMs(tenantId: TenantId): number {
    const sinceMs = this.#news.get(tenantId) ?? 0;
    for (const claim of this.#claims) if (claim.tenantId === tenantId) return sinceMs + gatherMs;
    return sinceMs;
  }

  #alarm(tenantId: TenantId): void {
    if (this.#broken.has(tenantId)) return;
    this.#broken.add(tenantId);
    this.#options.logger.error(
      { tenantId, code: "verification_failed" },
      "The log of a tenant does not continue where its controllers stopped reading; they stand still. Run evtctl verify.",
    );
  }

  async #claim(): Promise<number> {
    const limit = this.#room();
    if (limit <= 0) return 0;
    const claims = await this.#options.work.claim({ components: this.#components, limit, leaseMs: this.#leaseMs });
    for (const claim of claims) {
      this.#claims.add(claim);
      this.#lanes.add(`${claim.tenantId} ${claim.aggregateType} ${claim.aggregateId}`, claim);
    }
    return claims.length;
  }

  async #workOn(first: WorkClaim, next: () => WorkClaim | undefined): Promise<void> {
    const { clock } = this.#options;
    const dispatchedBefore = this.#dispatched;
    let resource: Resource | undefined;
    for (let claim: WorkClaim | undefined = first; claim !== undefined; claim = next()) {
      let startMs = clock.monotonicMs();
      const together = await this.#together.run(claim, next, resource);
      resource = together.resource;
      const share = 1 / Math.max(1, together.ends.size);
      for (const [done, ended] of together.ends) this.#ended(done, ended, (clock.monotonicMs() - startMs) * share);
      for (const single of together.rest) {
        startMs = clock.monotonicMs();
        const blame = together.blamed?.claim === single ? together.blamed.error : undefined;
        const ended = await this.#attempts.run(single, resource, blame);
        resource = ended.resource;
        this.#ended(single, ended, clock.monotonicMs() - startMs);
      }
    }
    // A row that was woken while it was worked on is due now.
    if (this.#dispatched !== dispatchedBefore) this.#isDue = true;
    this.#wakeup.ring();
  }

  #ended(claim: WorkClaim, ended: AttemptEnd, tookMs: number): void {
    const { clock, metrics } = this.#options;
    this.#claims.delete(claim);
    if (ended.looked === true) this.#isDue = true;
    this.#dueAtMs = Math.min(this.#dueAtMs, clock.monotonicMs() + (ended.dueAfterMs ?? Number.POSITIVE_INFINITY));
    metrics?.reconciled({ controller: claim.component, result: metricOf(ended) }, tookMs / 1000);
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { clock, logger, work } = this.#options;
    while (!signal.aborted) {
      try {
        await clock.sleep(this.#leaseMs / 3, signal);
        if (this.#claims.size > 0) await work.extend([...this.#claims], this.#leaseMs);
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        if (error.code !== "aborted")
          logger.warn({ code: error.code }, "Leases could not be prolonged; the next heartbeat tries again");
      }
    }
  }

  async #drain(): Promise<void> {
    const waiting = this.#lanes.takeWaiting();
    for (const claim of waiting) {
      this.#claims.delete(claim);
      await this.#options.work.release(claim, { dueAfterMs: 0 }).catch(() => false); // the lease runs out by itself
    }
    await this.#lanes.idle();
    await this.#options.loader.settled();
  }

  /** How long nothing is to be done unless the bell rings. */
  #idleMs(): number {
    const dueAtMs = this.#room() <= 0 ? Number.POSITIVE_INFINITY : this.#isDue ? 0 : this.#dueAtMs;
    const ripeAtMs = [...this.#news.keys()].map((tenantId) => this.#ripeAtMs(tenantId));
    const nextMs = Math.min(this.#pollAtMs, dueAtMs, ...ripeAtMs);
    return Math.max(0, nextMs - this.#options.clock.monotonicMs());
  }

  #room(): number {
    return (this.#options.claimsMax ?? claimsMaxDefault) - this.#claims.size;
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? leaseMsDefault;
  }

  get #pollMs(): number {
    return this.#options.pollMs ?? pollMsDefault;
  }
}

/** The words of controller-runtime for how an attempt ended. */
function metricOf({ result, dueAfterMs }: AttemptEnd): ReconcileResult {
  switch (result) {
    case "changed":
    case "unchanged":
      return dueAfterMs === undefined || dueAfterMs === null ? "success" : "requeue_after";
    case "failed":
      return "error";
    case "timed-out":
      return "timeout";
    case "dead":
      return "dead_letter";
    case "lost":
    case "deferred":
      return "conflict";
  }
}

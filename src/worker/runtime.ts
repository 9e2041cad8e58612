/** The loop that turns asks into calls: dispatch, claim what each worker has room for, call, wait for news. */
import type { AppDefinition, Verifier } from "../event/index.js";
import {
  backoffMs,
  type Clock,
  type Doorbell,
  EventplaneError,
  isEventplaneError,
  type Random,
  type TenantId,
} from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import type { LogReader } from "../store/index.js";
import { Wakeup, type WorkClaim, type WorkStore } from "../work/index.js";
import { type EffectAttemptEnd, type EffectAttemptOptions, EffectAttempts } from "./attempt.js";
import { EffectDispatch } from "./effect-dispatch.js";
import { EffectLoader } from "./effect-loader.js";
import { HeldLeases } from "./held-leases.js";
import { WorkerSlots } from "./worker-slots.js";

/** How to make a runtime. */
export interface WorkerRuntimeOptions {
  readonly app: Pick<AppDefinition, "workers">;
  readonly work: WorkStore;
  /** The coalescer of the runtime tier. */
  readonly coalescer: EffectAttemptOptions["appending"];
  readonly reader: LogReader;
  readonly verifier: Verifier;
  readonly personal: EffectAttemptOptions["personal"];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  readonly metrics?: Pick<Metrics, "effectEnded" | "effectsActive" | "effectBreaker">;
  /** Upper bound of the wait between two looks at the log; default 250 ms. */
  readonly pollMs?: number;
  /** Default 30 s; prolonged at a third of it as long as a call lasts. */
  readonly leaseMs?: number;
  /** How long a stop waits for the calls under way before it aborts them; default 10 s. */
  readonly stopGraceMs?: number;
}

const pollMsDefault = 250;
const leaseMsDefault = 30_000;
const stopGraceMsDefault = 10_000;
/** More tenants with news than this are found faster by one look at all. */
const hintsMax = 8;
const errorBackoff = { baseMs: 50, capMs: 5_000 } as const;
/** Rounds of `settle` before it says that effects never come to rest. */
const settleRoundsMax = 10_000;

/**
 * Runs the workers of one app in this process. Any number of processes may do so on one database: an effect is called by
 * one of them at a time, as long as its lease lives.
 */
export class WorkerRuntime {
  readonly #options: WorkerRuntimeOptions;
  readonly #slots: readonly WorkerSlots[];
  readonly #dispatch: EffectDispatch;
  readonly #attempts: EffectAttempts;
  readonly #leases: HeldLeases;
  readonly #wakeup: Wakeup;
  readonly #running = new Set<Promise<void>>();
  readonly #news = new Set<TenantId>();
  readonly #broken = new Set<TenantId>();
  /** Monotonic times of the next look at all tenants and of the next row that is known to come due. */
  #pollAtMs = 0;
  #dueAtMs = 0;

  constructor(options: WorkerRuntimeOptions) {
    const { app, clock, coalescer, work } = options;
    const leaseMs = options.leaseMs ?? leaseMsDefault;
    this.#options = options;
    this.#slots = [...app.workers.values()].map((worker) => new WorkerSlots(worker, clock));
    this.#dispatch = new EffectDispatch(options);
    this.#attempts = new EffectAttempts({
      ...options,
      appending: coalescer,
      loader: new EffectLoader(options),
      leaseMs,
    });
    this.#leases = new HeldLeases({ work, clock, leaseMs, logger: options.logger });
    this.#wakeup = new Wakeup(clock);
  }

  /**
   * Runs until `signal` aborts: then it claims nothing more, waits for the calls under way at most `stopGraceMs`, aborts
   * those that remain, and returns. Failures of the store are logged and tried again.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, doorbell, stopGraceMs = stopGraceMsDefault } = this.#options;
    const stopListening = doorbell?.listen((tenantId) => {
      this.#news.add(tenantId);
      this.#wakeup.ring();
    });
    const drained = new AbortController();
    const heartbeat = this.#leases.run(drained.signal);
    try {
      await this.#loop(signal);
      const ended = new AbortController();
      const idle = this.#idle().finally(() => ended.abort());
      const grace = clock.sleep(stopGraceMs, ended.signal).catch(ignoreAbort);
      await Promise.race([idle, grace]);
      this.#leases.abortAll(new EventplaneError("aborted", "the process stopped"));
      await idle;
    } finally {
      stopListening?.();
      drained.abort();
      await heartbeat;
    }
  }

  /**
   * Works until no row is due now and no call is under way; retries in the future stay. For tests and planes on a virtual
   * clock.
   *
   * @throws EventplaneError `timeout` when effects never come to rest
   */
  async settle(): Promise<void> {
    for (let round = 0; round < settleRoundsMax; round++) {
      this.#pollAtMs = 0;
      const dispatched = await this.#dispatchNews();
      const claimed = await this.#claimAll();
      await this.#idle();
      if (!dispatched && claimed === 0) return;
    }
    throw new EventplaneError("timeout", `Workers still had effects after ${settleRoundsMax} rounds.`);
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { random, logger } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#round();
        failures = 0;
        await this.#wakeup.wait(this.#idleMs(), signal);
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        failures += 1;
        logger.warn({ code: error.code, failures }, "The workers' loop could not reach its work rows; it tries again");
        await this.#wakeup.wait(backoffMs(failures, { ...errorBackoff, random }), signal);
      }
    }
  }

  async #round(): Promise<void> {
    const { clock, work } = this.#options;
    const polls = clock.monotonicMs() >= this.#pollAtMs;
    const dispatched = await this.#dispatchNews();
    if (!dispatched && !polls && clock.monotonicMs() < this.#dueAtMs) return;
    await this.#claimAll();
    // Rows of workers that have no room are looked for again when a call ends or a breaker closes.
    const able = this.#slots.filter(({ room }) => room > 0).map(({ component }) => component);
    this.#dueAtMs = Number.POSITIVE_INFINITY; // calls that end from here on say when their rows are due again
    const dueMs = able.length === 0 ? null : await work.nextDueMs(able);
    const nowMs = clock.monotonicMs();
    const triesAtMs = this.#slots.flatMap(({ triesAtMs: at }) => (at !== undefined && at > nowMs ? [at] : []));
    this.#dueAtMs = Math.min(this.#dueAtMs, nowMs + (dueMs ?? Number.POSITIVE_INFINITY), ...triesAtMs);
  }

  async #dispatchNews(): Promise<boolean> {
    const { clock, pollMs = pollMsDefault } = this.#options;
    const onBroken = (tenantId: TenantId, error: EventplaneError): void => this.#alarm(tenantId, error);
    const tenants = [...this.#news];
    this.#news.clear();
    if (clock.monotonicMs() >= this.#pollAtMs || tenants.length > hintsMax) {
      this.#pollAtMs = clock.monotonicMs() + pollMs;
      return this.#dispatch.all(onBroken);
    }
    let dispatched = false;
    for (const tenantId of tenants) dispatched = (await this.#dispatch.tenant(tenantId, onBroken)) || dispatched;
    return dispatched;
  }

  async #claimAll(): Promise<number> {
    let claimed = 0;
    for (const slots of this.#slots) claimed += await this.#claim(slots);
    return claimed;
  }

  async #claim(slots: WorkerSlots): Promise<number> {
    const limit = slots.room;
    if (limit === 0) return 0;
    const { component } = slots;
    const claims = await this.#leases.claim({ components: [component], limit });
    for (const claim of claims) {
      const running = this.#work(slots, claim).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
    return claims.length;
  }

  async #work(slots: WorkerSlots, claim: WorkClaim): Promise<void> {
    const { clock, metrics } = this.#options;
    const { worker } = slots;
    const startMs = clock.monotonicMs();
    this.#report(slots, () => slots.begin());
    let answered: boolean | undefined;
    const onCall = (isAnswer: boolean): void => void (answered = isAnswer);
    let end: EffectAttemptEnd = { result: "deferred" };
    try {
      end = await this.#attempts.run({ claim, worker, signal: this.#leases.signalOf(claim), onCall });
    } finally {
      this.#leases.drop(claim);
      this.#report(slots, () => slots.end(answered));
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      metrics?.effectEnded({ worker: worker.name, result: end.result }, seconds);
      this.#dueAtMs = Math.min(this.#dueAtMs, clock.monotonicMs() + (end.dueAfterMs ?? 0));
      this.#wakeup.ring();
    }
  }

  /** Changes a worker's slots and tells of it. */
  #report(slots: WorkerSlots, change: () => void): void {
    const { logger, metrics } = this.#options;
    const { name } = slots.worker;
    const wasOpen = slots.isBreakerOpen;
    change();
    metrics?.effectsActive({ worker: name, calls: slots.running });
    metrics?.effectBreaker({ worker: name, isOpen: slots.isBreakerOpen });
    if (wasOpen === slots.isBreakerOpen) return;
    if (wasOpen) logger.info({ worker: name }, "A worker's service answers again; its breaker is closed");
    else logger.warn({ worker: name }, "A worker's service brings no answers; its breaker is open, no calls are made");
  }

  #alarm(tenantId: TenantId, { code, message }: EventplaneError): void {
    if (this.#broken.has(tenantId)) return;
    this.#broken.add(tenantId);
    this.#options.logger.error({ tenantId, code, reason: message }, "The workers of a tenant stand still");
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** How long nothing is to be done unless the bell rings. */
  #idleMs(): number {
    const nextMs = this.#news.size > 0 ? 0 : Math.min(this.#pollAtMs, this.#dueAtMs);
    return Math.max(0, nextMs - this.#options.clock.monotonicMs());
  }
}

function ignoreAbort(error: unknown): void {
  if (!isEventplaneError(error, "aborted")) throw error;
}

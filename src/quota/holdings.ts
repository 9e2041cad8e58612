/**
 * How many of something, connections for example, are open in this process and at the others: bounded over all of them.
 *
 * Each process says what it holds, every few seconds and as soon as it has opened some more, and hears what the others do. What one
 * that was killed held is forgotten after {@link keepSeconds}. Between two answers a process opens at most a sixteenth of the limit,
 * so N of them together are beyond it by N sixteenths at the most.
 */
import type { Clock, TenantId } from "../kernel/index.js";
import type { AllowanceStore } from "./port.js";

/** What holdings need. */
export interface HoldingsDependencies {
  readonly store: Pick<AllowanceStore, "declare">;
  readonly clock: Clock;
  /** Names this process; a new one after each start. */
  readonly holder: string;
  /** What is held; without spaces. */
  readonly name: string;
  /** Hears of the first failure of a series, and of its end as `undefined`. */
  readonly report: (failure: unknown) => void;
}

/** So long is believed what a process said; three times as long as it takes to say it again. */
const keepSeconds = 30;
const sayAgainMs = 10_000;
/** What others hold is asked again when it is older than this and somebody would be refused. */
const freshMs = 1_000;
const aheadShare = 1 / 16;

interface Held {
  own: number;
  others: number;
  /** Opened since the last answer. */
  ahead: number;
  askedAtMs: number;
  /** Somebody last took or released one. */
  usedAtMs: number;
}

/** What this process holds, by tenant. */
export class Holdings {
  readonly #dependencies: HoldingsDependencies;
  readonly #held = new Map<TenantId, Held>();
  #saying: Promise<void> | undefined;
  #failing = false;

  constructor(dependencies: HoldingsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Takes one more, if all processes together hold fewer than `limit`.
   *
   * @returns false when they do not; else it is held until {@link release}
   * @throws EventplaneError `unavailable` and its kin when nobody can say
   */
  async take(tenantId: TenantId, limit: number): Promise<boolean> {
    const held = this.#heldOf(tenantId);
    const isFull = (): boolean => held.own + held.others >= limit;
    const isAhead = (): boolean => held.ahead >= Math.max(1, Math.floor(limit * aheadShare));
    const isOld = this.#dependencies.clock.monotonicMs() - held.askedAtMs > freshMs;
    if ((isFull() && isOld) || isAhead()) await this.#say();
    // Asked again after the answer: many may have waited for the same one.
    while (!isFull() && isAhead()) await this.#say();
    if (isFull()) return false;
    held.own++;
    held.ahead++;
    return true;
  }

  /** Gives one back. */
  release(tenantId: TenantId): void {
    this.#heldOf(tenantId).own--;
  }

  /** Says what is held until `signal` aborts, then that nothing is. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#dependencies;
    while (!signal.aborted) {
      await clock.sleep(sayAgainMs, signal).catch(() => undefined);
      // Whoever opens something meanwhile hears of the failure; here it is said again.
      await this.#say().catch(() => undefined);
      this.#forget();
    }
  }

  /** Tenants of which nothing was open here for a while. */
  #forget(): void {
    const before = this.#dependencies.clock.monotonicMs() - keepSeconds * 1_000;
    for (const [tenantId, { own, usedAtMs }] of this.#held)
      if (own === 0 && usedAtMs < before) this.#held.delete(tenantId);
  }

  #heldOf(tenantId: TenantId): Held {
    const known = this.#held.get(tenantId) ?? this.#add(tenantId);
    known.usedAtMs = this.#dependencies.clock.monotonicMs();
    return known;
  }

  #add(tenantId: TenantId): Held {
    const [ahead, askedAtMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const held = { own: 0, others: 0, ahead, askedAtMs, usedAtMs: 0 };
    this.#held.set(tenantId, held);
    return held;
  }

  /** One call at a time; whoever comes meanwhile shares the next. */
  async #say(): Promise<void> {
    await this.#saying?.catch(() => undefined);
    this.#saying ??= this.#sayAll().finally(() => {
      this.#saying = undefined;
    });
    await this.#saying;
  }

  async #sayAll(): Promise<void> {
    const { store, clock, holder, name } = this.#dependencies;
    const all = [...this.#held];
    for (const [, held] of all) held.ahead = 0;
    try {
      const holdings = all.map(([tenantId, { own }]) => ({ tenantId, name, held: own }));
      const others = all.length === 0 ? [] : await store.declare(holder, holdings, keepSeconds);
      for (const [index, [, held]] of all.entries()) {
        held.others = others[index] ?? 0;
        held.askedAtMs = clock.monotonicMs();
      }
      this.#note(undefined);
    } catch (error) {
      for (const [, held] of all) held.ahead = Number.POSITIVE_INFINITY;
      this.#note(error);
      throw error;
    }
  }

  #note(failure: unknown): void {
    const fails = failure !== undefined;
    if (fails !== this.#failing) this.#dependencies.report(failure);
    this.#failing = fails;
  }
}

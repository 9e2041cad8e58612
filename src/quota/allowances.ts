/**
 * The allowances that a process uses: what several of them want is asked for in one call, one call at a time.
 *
 * A call takes as long as a commit does. Whoever comes meanwhile goes with the next, so load makes calls larger, not more.
 */
import type { Clock } from "../kernel/index.js";
import { Allowance, type AllowanceRule } from "./allowance.js";
import type { AllowanceStore } from "./port.js";

/** What the allowances need. */
export interface AllowancesDependencies {
  readonly store: AllowanceStore;
  readonly clock: Clock;
  /** Hears of the first failure of a series, and of its end as `undefined`. */
  readonly report: (failure: unknown) => void;
  /** Hears how long each call took, and whether it was answered. */
  readonly onCall: (seconds: number, result: "answered" | "failed") => void;
}

/** Claims of one call. */
const claimsMax = 500;
const sweepMs = 10_000;

/** Opens allowances, and asks for what they want. */
export class Allowances {
  readonly #dependencies: AllowancesDependencies;
  #asking: Allowance[] = [];
  #calls: Promise<void> = Promise.resolve();
  #isCalling = false;
  #failing = false;

  constructor(dependencies: AllowancesDependencies) {
    this.#dependencies = dependencies;
  }

  /** An allowance of this process. Two of the same name would hold twice as much. */
  open(rule: AllowanceRule): Allowance {
    const { clock } = this.#dependencies;
    return new Allowance(rule, { clock, ask: (allowance) => this.#ask(allowance) });
  }

  /** Makes the store forget what is full, every 10 s, until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#dependencies;
    while (!signal.aborted) {
      await clock.sleep(sweepMs, signal).catch(() => undefined);
      // What could not be forgotten now is forgotten with the next.
      if (!signal.aborted) await store.sweep().catch((error: unknown) => this.#note(error));
    }
  }

  /** Ends when every wish that was made has its answer. Never throws. */
  async settled(): Promise<void> {
    await this.#calls;
  }

  #ask(allowance: Allowance): void {
    this.#asking.push(allowance);
    if (!this.#isCalling) this.#calls = this.#askAll();
  }

  async #askAll(): Promise<void> {
    this.#isCalling = true;
    while (this.#asking.length > 0) await this.#call(this.#next());
    this.#isCalling = false;
  }

  /**
   * The first ones. One that was let go may still give back while another of its name asks already: a call has one claim of
   * each name, and the other goes with the next.
   */
  #next(): readonly Allowance[] {
    const next = new Map<string, Allowance>();
    const later: Allowance[] = [];
    for (const each of this.#asking) {
      const key = `${each.rule.tenantId} ${each.rule.name}`;
      if (next.size < claimsMax && !next.has(key)) next.set(key, each);
      else later.push(each);
    }
    this.#asking = later;
    return [...next.values()];
  }

  async #call(allowances: readonly Allowance[]): Promise<void> {
    const { store, clock, onCall } = this.#dependencies;
    const beganMs = clock.monotonicMs();
    const seconds = (): number => (clock.monotonicMs() - beganMs) / 1_000;
    try {
      const grants = await store.claim(allowances.map((each) => each.claim()));
      onCall(seconds(), "answered");
      this.#note(undefined);
      for (const [index, each] of allowances.entries()) each.answer(grants[index] ?? { granted: 0, left: 0 });
    } catch (error) {
      onCall(seconds(), "failed");
      this.#note(error);
      const failure = error instanceof Error ? error : new Error("The store failed.", { cause: error });
      for (const each of allowances) each.fail(failure);
    }
  }

  #note(failure: unknown): void {
    const fails = failure !== undefined;
    if (fails !== this.#failing) this.#dependencies.report(failure);
    this.#failing = fails;
  }
}

/**
 * One limit of one holder, as this process has it: tokens that were leased from the shared allowance, and are spent without
 * asking anybody. Before they run out the next ones are asked for; whoever comes when there are none waits for the answer.
 *
 * What a process holds is at most `leaseTokens`. So in any time t, N processes together admit at most
 * `capacity + perSecond × t + N × leaseTokens` tokens, and one overdrawing request each ({@link Allowance.take}).
 */
import { type Clock, EventplaneError, type TenantId } from "../kernel/index.js";
import type { AllowanceClaim, AllowanceGrant } from "./port.js";

/** A limit. */
export interface AllowanceRule {
  readonly tenantId: TenantId;
  /** Which allowance of the tenant. */
  readonly name: string;
  /** Tokens of it when it is full: what may be spent at once. */
  readonly capacity: number;
  /** Tokens that come back in a second; 0: none. */
  readonly perSecond: number;
  /** Tokens that a process may hold unspent. */
  readonly leaseTokens: number;
  /** Seconds after the last claim after which it is full again, or nobody wants of it any more. */
  readonly keepSeconds: number;
  /** The first `leaseTokens` are spent before the store is asked, and charged when it is: most never come so far. */
  readonly onCredit?: true;
}

/** What became of a wish. */
export type Taken =
  | { readonly result: "taken" }
  /** There are not enough; `waitMs` until there may be, as far as this process knows; Infinity when none come back. */
  | { readonly result: "short"; readonly waitMs: number };

const taken: Taken = { result: "taken" };
/** After a short answer, and after a failed one, the shared allowance is not asked before this is over. */
const askAgainMsMin = 50;
/** It is asked at least so often while somebody wants something: others may have given back. */
const askAgainMsMax = 1_000;
/** What nobody wanted of for so long is given back. */
const idleMs = 1_000;
/** Requests that wait for one answer; further ones are told that the edge is busy. */
const waitingMax = 1_000;

interface Waiter {
  readonly tokens: number;
  readonly resolve: (taken: Taken) => void;
  readonly reject: (failure: Error) => void;
}

/** This process's part of one allowance. Make them with `Allowances.open`. */
export class Allowance {
  readonly #clock: Clock;
  readonly #ask: (allowance: Allowance) => void;
  #rule: AllowanceRule;
  /** Leased and unspent; negative after an overdraft, until it is paid back. */
  #held: number;
  /** Of what is held: not leased yet. */
  #credit: number;
  /** Of the shared allowance, when it was asked last. */
  #left: number;
  #leftAtMs: number;
  #waiting: Waiter[] = [];
  #isAsked = false;
  #askFromMs = Number.NEGATIVE_INFINITY;
  #failure: Error | undefined;
  #usedAtMs: number;
  #claimed = 0;

  constructor(
    rule: AllowanceRule,
    { clock, ask }: { readonly clock: Clock; readonly ask: (allowance: Allowance) => void },
  ) {
    this.#rule = rule;
    this.#clock = clock;
    this.#ask = ask;
    this.#left = rule.capacity;
    this.#credit = rule.onCredit === true ? rule.leaseTokens : 0;
    this.#held = this.#credit;
    this.#usedAtMs = clock.monotonicMs();
    this.#leftAtMs = this.#usedAtMs;
  }

  /** The limit as it is now. */
  get rule(): AllowanceRule {
    return this.#rule;
  }

  /** Tokens that are left, here and shared, as far as this process knows; not negative. */
  get left(): number {
    return Math.max(0, Math.floor(this.#held + Math.max(0, this.#sharedLeft)));
  }

  /** When somebody last wanted of it, milliseconds of the monotonic clock. */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  /** Nothing is held, owed or waited for. */
  get isAtRest(): boolean {
    return this.#held === 0 && !this.#isAsked && this.#waiting.length === 0;
  }

  /** The limit is another one from now on. */
  change(rule: AllowanceRule): void {
    this.#left = this.#sharedLeft + rule.capacity - this.#rule.capacity;
    this.#leftAtMs = this.#clock.monotonicMs();
    this.#rule = rule;
    this.#askFromMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Takes tokens: at once when they are here, else after an answer of the store.
   *
   * A wish for more than half of the capacity is granted when half of it is there, and the rest is owed: then nothing is
   * granted to anybody here until it has come back. So a large wish never waits for ever for an allowance that others use.
   *
   * @throws EventplaneError `busy` when 1,000 wait already; the promise what the store failed with
   */
  take(tokens: number): Taken | Promise<Taken> {
    const now = this.#clock.monotonicMs();
    this.#usedAtMs = now;
    if (this.#held >= this.#needOf(tokens)) {
      this.#held -= tokens;
      if (this.#held < this.#rule.leaseTokens / 2 && now >= this.#askFromMs) this.#askFor();
      return taken;
    }
    if (now < this.#askFromMs) {
      if (this.#failure !== undefined) return Promise.reject(this.#failure);
      return this.#short(tokens);
    }
    if (this.#waiting.length >= waitingMax)
      throw new EventplaneError("busy", "This edge waits to hear what is left of a limit. Try again shortly.");
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tokens, resolve, reject });
      this.#askFor();
    });
  }

  /** Takes back what was taken and not used. */
  putBack(tokens: number): void {
    this.#held += tokens;
    if (this.#held > this.#rule.leaseTokens) this.#askFor();
  }

  /** Gives what is held back to all when nobody wanted of it for a second, and asks for what is owed. */
  rest(): void {
    if (this.#held !== 0 && this.#isIdle) this.#askFor();
  }

  /** Gives back what is held, idle or not. */
  end(): void {
    this.#usedAtMs = Number.NEGATIVE_INFINITY;
    this.rest();
  }

  /** What is claimed now; only for `Allowances`. */
  claim(): AllowanceClaim {
    const { tenantId, name, capacity, perSecond, keepSeconds } = this.#rule;
    this.#held -= this.#credit;
    this.#credit = 0;
    this.#claimed = Math.min(this.#wanted, capacity);
    // What is given back is no longer held from here on, whatever becomes of the call.
    if (this.#claimed < 0) this.#held += this.#claimed;
    return { tenantId, name, capacity, perSecond, tokens: this.#claimed, keepSeconds };
  }

  /** The answer to the claim; only for `Allowances`. */
  answer({ granted, left }: AllowanceGrant): void {
    this.#isAsked = false;
    this.#failure = undefined;
    this.#left = left;
    this.#leftAtMs = this.#clock.monotonicMs();
    if (granted > 0) this.#held += granted;
    const isShort = granted < this.#claimed;
    if (isShort) this.#askFromMs = this.#clock.monotonicMs() + this.#askAgainMs();
    this.#serve(isShort);
    if (this.#waiting.length > 0) this.#askFor();
  }

  /** There is no answer; only for `Allowances`. */
  fail(failure: Error): void {
    this.#isAsked = false;
    this.#failure = failure;
    this.#askFromMs = this.#clock.monotonicMs() + askAgainMsMin;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(failure);
  }

  /** Those that came while the store was asked wait for the next answer, unless this one says that there is nothing. */
  #serve(isShort: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      const enough = this.#held >= this.#needOf(waiter.tokens);
      if (enough) this.#held -= waiter.tokens;
      if (enough || isShort) waiter.resolve(enough ? taken : this.#short(waiter.tokens));
      else this.#waiting.push(waiter);
    }
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#clock.monotonicMs() - this.#usedAtMs >= idleMs;
  }

  get #wanted(): number {
    if (this.#isIdle) return -this.#held;
    return this.#waiting.reduce((sum, { tokens }) => sum + tokens, this.#rule.leaseTokens - this.#held);
  }

  #needOf(tokens: number): number {
    return Math.min(tokens, Math.ceil(this.#rule.capacity / 2));
  }

  #short(tokens: number): Taken {
    return { result: "short", waitMs: this.#waitMsFor(this.#needOf(tokens)) };
  }

  /** Of the shared allowance by now, if nobody else took any since it was asked. */
  get #sharedLeft(): number {
    const { capacity, perSecond } = this.#rule;
    const since = (this.#clock.monotonicMs() - this.#leftAtMs) / 1_000;
    return Math.min(capacity, this.#left + since * perSecond);
  }

  /** Until so many are there, if nobody else took any. */
  #waitMsFor(tokens: number): number {
    const missing = Math.max(0, tokens - this.#held - this.#sharedLeft);
    return missing === 0 ? 0 : (missing / this.#rule.perSecond) * 1_000;
  }

  #askAgainMs(): number {
    return Math.min(askAgainMsMax, Math.max(askAgainMsMin, this.#waitMsFor(1)));
  }

  #askFor(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#ask(this);
  }
}

/** The rate limits of one holder, a tenant or a principal of it, as this edge has them. */
import type { TenantId } from "../../kernel/index.js";
import type { Allowance, AllowanceRule, Allowances, Rate, Taken } from "../../quota/index.js";
import { type LimitName, limitError, windowOf } from "./limit-error.js";
import { policyItem, stateItem } from "./rate-limit-fields.js";

/** A rate and what it is called. */
export interface NamedRate {
  readonly rate: Rate;
  readonly name: LimitName;
  /** Of the shared allowance. */
  readonly allowance: string;
}

/** An edge may hold what comes in so long a time, and an eighth of what may be spent at once. */
const leaseSeconds = 0.25;
const leaseShareMax = 1 / 8;

/** One rate limit. */
export class RateLimit {
  readonly #allowance: Allowance;
  readonly #tenantId: TenantId;
  #named: NamedRate;
  #policyText: string;

  constructor(allowances: Allowances, tenantId: TenantId, named: NamedRate) {
    this.#tenantId = tenantId;
    this.#named = named;
    this.#policyText = policyTextOf(named);
    this.#allowance = allowances.open(ruleOf(tenantId, named));
  }

  /** When somebody last wanted of it. */
  get usedAtMs(): number {
    return this.#allowance.usedAtMs;
  }

  /** Nothing is held, owed or waited for. */
  get isAtRest(): boolean {
    return this.#allowance.isAtRest;
  }

  /** The rate is another one from now on. */
  change(rate: Rate): void {
    this.#named = { ...this.#named, rate };
    this.#policyText = policyTextOf(this.#named);
    this.#allowance.change(ruleOf(this.#tenantId, this.#named));
  }

  /**
   * Takes so many.
   *
   * @returns undefined when they were there; else a promise that is fulfilled when they have come
   * @throws EventplaneError from the call or its promise: the code of the limit when it is reached, `busy`, and what the store fails with
   */
  take(tokens: number): Promise<void> | undefined {
    const taken = this.#allowance.take(tokens);
    if (taken instanceof Promise) return taken.then((late) => this.#assertTaken(late));
    this.#assertTaken(taken);
    return undefined;
  }

  /** Takes back what was taken for nothing. */
  putBack(tokens: number): void {
    this.#allowance.putBack(tokens);
  }

  /** Gives back what is held when it is idle. */
  rest(): void {
    this.#allowance.rest();
  }

  /** Gives back what is held. */
  end(): void {
    this.#allowance.end();
  }

  /** Its item in `RateLimit-Policy`; made once, because every answer has it. */
  get policyText(): string {
    return this.#policyText;
  }

  /** Its item in `RateLimit`. */
  get stateText(): string {
    const { rate, name } = this.#named;
    const { left } = this.#allowance;
    const missing = Math.max(0, rate.burst - left);
    return stateItem({ name: name.policy, left, resetSeconds: Math.ceil(missing / rate.perSecond) });
  }

  #assertTaken(taken: Taken): void {
    if (taken.result === "taken") return;
    const { rate, name } = this.#named;
    throw limitError({ ...name, ...windowOf(rate), waitMs: taken.waitMs });
  }
}

function policyTextOf({ rate, name }: NamedRate): string {
  return policyItem({ name: name.policy, ...windowOf(rate) });
}

function ruleOf(tenantId: TenantId, { rate: { perSecond, burst }, allowance }: NamedRate): AllowanceRule {
  return {
    tenantId,
    name: allowance,
    capacity: burst,
    perSecond,
    leaseTokens: Math.max(1, Math.min(Math.ceil(perSecond * leaseSeconds), Math.ceil(burst * leaseShareMax))),
    keepSeconds: Math.ceil(burst / perSecond) + 1,
  };
}

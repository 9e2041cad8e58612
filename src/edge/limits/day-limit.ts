/** How many bytes a tenant may store in a day of UTC, as this edge has it: an allowance a day, of which nothing comes back. */
import { type Clock, formatUs, type TenantId } from "../../kernel/index.js";
import type { Allowance, AllowanceRule, Allowances } from "../../quota/index.js";
import { type LimitName, limitError } from "./limit-error.js";

const name: LimitName = { code: "bytes_limited", of: "tenant", member: "bytesPerDay", policy: "bytes" };
const dayUs = 86_400_000_000;
const dayCharacters = 10;
const daySeconds = 86_400;
/** An edge may hold such a part of a day's bytes. */
const leaseShare = 1 / 256;

/** What a day limit needs. */
export interface DayLimitParts {
  readonly allowances: Allowances;
  readonly clock: Clock;
  readonly tenantId: TenantId;
}

/** The limit of one tenant. */
export class DayLimit {
  readonly #parts: DayLimitParts;
  #bytesPerDay: number;
  #day = Number.NEGATIVE_INFINITY;
  #allowance: Allowance | undefined;

  constructor(parts: DayLimitParts, bytesPerDay: number) {
    this.#parts = parts;
    this.#bytesPerDay = bytesPerDay;
  }

  /** The limit is another one from now on. */
  change(bytesPerDay: number): void {
    this.#bytesPerDay = bytesPerDay;
    this.#allowance?.change(this.#rule());
  }

  /** As `RateLimit.take`, with `bytes_limited`. */
  take(bytes: number): Promise<void> | undefined {
    const taken = this.#today().take(bytes);
    if (taken instanceof Promise)
      return taken.then(({ result }) => {
        if (result === "short") throw this.#reached();
      });
    if (taken.result === "short") throw this.#reached();
    return undefined;
  }

  /** Takes back what was not stored. */
  putBack(bytes: number): void {
    this.#today().putBack(bytes);
  }

  /** Nothing is held, owed or waited for. */
  get isAtRest(): boolean {
    return this.#allowance?.isAtRest ?? true;
  }

  /** Gives back what is held when it is idle. */
  rest(): void {
    this.#allowance?.rest();
  }

  /** Gives back what is held. */
  end(): void {
    this.#allowance?.end();
  }

  #today(): Allowance {
    const day = Math.floor(this.#parts.clock.nowUs() / dayUs);
    if (this.#allowance !== undefined && day === this.#day) return this.#allowance;
    this.#day = day;
    this.#allowance = this.#parts.allowances.open(this.#rule());
    return this.#allowance;
  }

  #rule(): AllowanceRule {
    const day = formatUs(this.#day * dayUs).slice(0, dayCharacters);
    const capacity = this.#bytesPerDay;
    return {
      tenantId: this.#parts.tenantId,
      name: `bytes ${day}`,
      capacity,
      perSecond: 0,
      leaseTokens: Math.ceil(capacity * leaseShare),
      // Clocks of edges differ by less than a day.
      keepSeconds: 2 * daySeconds,
    };
  }

  #reached(): Error {
    const waitMs = ((this.#day + 1) * dayUs - this.#parts.clock.nowUs()) / 1_000;
    return limitError({ ...name, quota: this.#bytesPerDay, windowSeconds: daySeconds, waitMs });
  }
}

/** Allowances in memory, for one process: test planes and unit tests. */
import type { Clock } from "../../kernel/index.js";
import type { AllowanceClaim, AllowanceGrant, AllowanceStore } from "../port.js";

interface Spent {
  readonly tokens: number;
  readonly atMs: number;
  readonly endsAtMs: number;
}

/** What was spent, by tenant and name. */
export class MemoryAllowances implements AllowanceStore {
  readonly #clock: Clock;
  readonly #spent = new Map<string, Spent>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async claim(claims: readonly AllowanceClaim[]): Promise<readonly AllowanceGrant[]> {
    return claims.map((claim) => this.#grant(claim));
  }

  async sweep(): Promise<void> {
    const now = this.#clock.monotonicMs();
    for (const [key, { endsAtMs }] of this.#spent) if (endsAtMs < now) this.#spent.delete(key);
  }

  #grant({ tenantId, name, capacity, perSecond, tokens, keepSeconds }: AllowanceClaim): AllowanceGrant {
    const key = `${tenantId} ${name}`;
    const atMs = this.#clock.monotonicMs();
    const before = this.#spent.get(key) ?? { tokens: 0, atMs };
    const spent = Math.max(0, before.tokens - ((atMs - before.atMs) / 1_000) * perSecond);
    const granted = tokens < 0 ? tokens : Math.min(tokens, Math.max(0, Math.floor(capacity - spent)));
    const after = Math.max(0, spent + granted);
    this.#spent.set(key, { tokens: after, atMs, endsAtMs: atMs + keepSeconds * 1_000 });
    return { granted, left: capacity - after };
  }
}

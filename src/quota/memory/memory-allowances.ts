/** Allowances in memory, for one process: test planes and unit tests. */
import type { Clock } from "../../kernel/index.js";
import type { AllowanceClaim, AllowanceGrant, AllowanceStore, Holding } from "../port.js";

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

  async declare(holder: string, holdings: readonly Holding[], keepSeconds: number): Promise<readonly number[]> {
    const atMs = this.#clock.monotonicMs();
    const endsAtMs = atMs + keepSeconds * 1_000;
    for (const { tenantId, name, held } of holdings)
      this.#spent.set(`${tenantId} ${name} ${holder}`, { tokens: held, atMs, endsAtMs });
    return holdings.map(({ tenantId, name }) => this.#heldBeside(`${tenantId} ${name} `, holder));
  }

  async sweep(): Promise<void> {
    const now = this.#clock.monotonicMs();
    for (const [key, { endsAtMs }] of this.#spent) if (endsAtMs < now) this.#spent.delete(key);
  }

  #heldBeside(prefix: string, holder: string): number {
    const now = this.#clock.monotonicMs();
    const others = [...this.#spent].filter(
      ([key, { endsAtMs }]) => key.startsWith(prefix) && key !== `${prefix}${holder}` && endsAtMs > now,
    );
    return others.reduce((sum, [, { tokens }]) => sum + tokens, 0);
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

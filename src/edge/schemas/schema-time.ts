/** How long the schemas of one tenant may keep an edge from all others: while it reads and compares one, it does nothing else. */
import { type Clock, EventplaneError, LruMap, type TenantId } from "../../kernel/index.js";

/** What a tenant may take at once, and what of each second comes back to it. */
const burstMs = 10_000;
const sharePerSecondMs = 50;
const tenantsMax = 10_000;

interface Taken {
  readonly ms: number;
  readonly atMs: number;
}

/** The time that tenants' schemas have taken of one edge. */
export class SchemaTime {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #taken = new LruMap<TenantId, Taken>(tenantsMax);

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /**
   * Runs what reads a schema of this tenant.
   *
   * @throws EventplaneError `busy` with `retryAfterSeconds` when the tenant has taken its time; what `read` throws
   */
  take<Result>(tenantId: TenantId, read: () => Result): Result {
    const atMs = this.#clock.monotonicMs();
    const before = this.#taken.get(tenantId);
    const ms = before === undefined ? 0 : Math.max(0, before.ms - ((atMs - before.atMs) * sharePerSecondMs) / 1_000);
    if (ms >= burstMs) throw takenUp(ms);
    try {
      return read();
    } finally {
      this.#taken.set(tenantId, { ms: ms + this.#clock.monotonicMs() - atMs, atMs });
    }
  }
}

function takenUp(ms: number): EventplaneError {
  const retryAfterSeconds = Math.max(1, Math.ceil((ms - burstMs) / sharePerSecondMs));
  const message = `Reading the schemas of this tenant has taken as much of this edge's time as it may. Try again in ${retryAfterSeconds} s.`;
  return new EventplaneError("busy", message, { details: { retryAfterSeconds } });
}

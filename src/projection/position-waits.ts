/** Requests that wait until a projection holds a position: one look at it for all that wait of a tenant. */
import { type Clock, EventplaneError, isEventplaneError, type TenantId } from "../kernel/index.js";

const waitMsMax = 5_000;
const lookMs = 10;
const tenantWaitingMax = 1_000;

interface Wait {
  readonly position: number;
  readonly untilMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Where a projection stands for a tenant, and what messages call it. */
export interface PositionSource {
  readonly what: string;
  readonly position: (tenantId: TenantId) => Promise<number>;
}

/** Waits for positions of all tenants. */
export class PositionWaits {
  readonly #source: PositionSource;
  readonly #clock: Clock;
  readonly #waits = new Map<TenantId, Set<Wait>>();

  constructor({ clock, ...source }: PositionSource & { readonly clock: Clock }) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * Resolves when the projection holds everything of the tenant up to `position`.
   *
   * @throws EventplaneError `timeout` after 5 s; `busy` when too many wait already; what the look at the position failed with
   */
  reach(tenantId: TenantId, position: number): Promise<void> {
    const waits = this.#waits.get(tenantId) ?? new Set();
    if (waits.size >= tenantWaitingMax) {
      throw new EventplaneError("busy", "Too many requests of this tenant wait for a position. Send fewer at once.");
    }
    const untilMs = this.#clock.monotonicMs() + waitMsMax;
    const reached = new Promise<void>((resolve, reject) => {
      waits.add({ position, untilMs, resolve, reject });
    });
    if (this.#waits.get(tenantId) === undefined) {
      this.#waits.set(tenantId, waits);
      void this.#look(tenantId, waits);
    }
    return reached;
  }

  /** Looks as long as somebody waits. Never throws. */
  async #look(tenantId: TenantId, waits: Set<Wait>): Promise<void> {
    for (;;) {
      try {
        this.#settleReached(waits, await this.#source.position(tenantId));
      } catch (error) {
        for (const wait of waits) wait.reject(failureOf(this.#source.what, error));
        waits.clear();
      }
      if (waits.size === 0) break;
      await this.#clock.sleep(lookMs);
    }
    this.#waits.delete(tenantId);
  }

  #settleReached(waits: Set<Wait>, position: number): void {
    const now = this.#clock.monotonicMs();
    for (const wait of waits) {
      if (position < wait.position && now < wait.untilMs) continue;
      waits.delete(wait);
      if (position < wait.position) wait.reject(late(this.#source.what, wait.position));
      else wait.resolve();
    }
  }
}

function late(what: string, position: number): EventplaneError {
  const message = `${what} did not reach position ${position} within ${waitMsMax} ms. Ask again.`;
  return new EventplaneError("timeout", message);
}

function failureOf(what: string, error: unknown): EventplaneError {
  if (isEventplaneError(error)) return error;
  return new EventplaneError("internal", `The position of ${what} could not be read.`, { cause: error });
}

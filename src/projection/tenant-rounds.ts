/** The loop of a projection: tenants with news in turn, woken by the doorbell, found by polling behind it. */
import {
  backoffMs,
  type Clock,
  type Doorbell,
  isEventplaneError,
  systemRandom,
  type TenantId,
} from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { Wakeup } from "../work/index.js";

/** What goes round. */
export interface TenantRoundsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** As log lines call it. */
  readonly what: string;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell | undefined;
  /** Default 250 ms. */
  readonly pollMs?: number | undefined;
  /** Tenants with news, in the order of their ids, those after `after`. */
  readonly news: (after: string, limit: number) => Promise<readonly TenantId[]>;
  /** A few batches of one tenant. @returns whether there may be more to do at once */
  readonly serve: (tenantId: TenantId, signal: AbortSignal | undefined) => Promise<boolean>;
  /** Asked before each round; false: this process has nothing to do now. */
  readonly begin?: (isPoll: boolean) => Promise<boolean>;
  /** After a round over all tenants that left nothing to do. */
  readonly atEnd?: () => void;
}

const pollMsDefault = 250;
const tenantsPerLook = 64;
const hintsMax = 8;
const zeroUuid = "00000000-0000-0000-0000-000000000000";
const errorBackoff = { baseMs: 50, capMs: 5_000 } as const;

/** Serves each tenant a little and then the next, so that one with many events does not hold up the others. */
export class TenantRounds {
  readonly #options: TenantRoundsOptions;
  readonly #wakeup: Wakeup;
  readonly #news = new Set<TenantId>();
  #pollAtMs = 0;

  constructor(options: TenantRoundsOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Runs until `signal` aborts; a batch that is under way is finished. Failures of the store are tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, doorbell, logger, what } = this.#options;
    const stop = doorbell?.listen((tenantId) => {
      this.#news.add(tenantId);
      this.#wakeup.ring();
    });
    let failures = 0;
    try {
      while (!signal.aborted) {
        try {
          await this.#round(signal);
          failures = 0;
          const waitMs = this.#news.size > 0 ? 0 : Math.max(0, this.#pollAtMs - clock.monotonicMs());
          await this.#wakeup.wait(waitMs, signal);
        } catch (error) {
          if (!isEventplaneError(error)) throw error;
          failures += 1;
          logger.warn({ code: error.code, failures }, `${what} could not reach the store; it tries again`);
          await this.#wakeup.wait(backoffMs(failures, { ...errorBackoff, random: systemRandom }), signal);
        }
      }
    } finally {
      stop?.();
    }
  }

  /** Serves every tenant until none has more to do. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    if ((await this.#options.begin?.(true)) === false) return;
    for await (const tenants of this.#tenantsWithNews()) {
      for (let open = tenants; open.length > 0; ) {
        if (signal?.aborted) return;
        open = await this.#turn(open, signal);
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { clock, begin, atEnd, pollMs = pollMsDefault } = this.#options;
    const hints = [...this.#news];
    this.#news.clear();
    const isPoll = clock.monotonicMs() >= this.#pollAtMs || hints.length > hintsMax;
    if (isPoll) this.#pollAtMs = clock.monotonicMs() + pollMs;
    if ((await begin?.(isPoll)) === false) return;
    const more: TenantId[] = [];
    if (!isPoll) {
      more.push(...(await this.#turn(hints, signal)));
    } else {
      for await (const tenants of this.#tenantsWithNews()) {
        if (signal.aborted) return;
        more.push(...(await this.#turn(tenants, signal)));
      }
      if (more.length === 0) atEnd?.();
    }
    for (const tenantId of more) this.#news.add(tenantId);
  }

  async *#tenantsWithNews(): AsyncGenerator<readonly TenantId[], void, undefined> {
    for (let after = zeroUuid; ; ) {
      const tenants = await this.#options.news(after, tenantsPerLook);
      const last = tenants.at(-1);
      if (last === undefined) return;
      yield tenants;
      if (tenants.length < tenantsPerLook) return;
      after = last;
    }
  }

  async #turn(tenants: readonly TenantId[], signal: AbortSignal | undefined): Promise<readonly TenantId[]> {
    const more: TenantId[] = [];
    for (const tenantId of tenants) if (await this.#serve(tenantId, signal)) more.push(tenantId);
    return more;
  }

  /** Rows of one tenant that somebody holds do not keep the others waiting: it is found again by polling. */
  async #serve(tenantId: TenantId, signal: AbortSignal | undefined): Promise<boolean> {
    const { logger, serve, what } = this.#options;
    try {
      return await serve(tenantId, signal);
    } catch (error) {
      if (!isEventplaneError(error, "busy")) throw error;
      logger.warn({ tenantId, code: error.code }, `${what} is held up for a tenant; it tries again`);
      return false;
    }
  }
}

/**
 * How many streams a tenant may have, where its quota says so. They are counted where resources are listed, not by the append: a
 * count is as old as the projection is behind, and at most {@link countedForMs}; what this edge has let in since is added. Others
 * may have let in more, so N edges pass the limit by what N − 1 of them create in that time.
 */
import type { Clock, TenantId } from "../../kernel/index.js";
import { type LimitName, limitError } from "./limit-error.js";

/** What counting needs. */
export interface StreamLimitDependencies {
  readonly clock: Clock;
  /** Streams of a tenant, as far as they are folded; counting ends at `max`. */
  readonly count: (tenantId: TenantId, max: number) => Promise<number>;
}

const name: LimitName = { code: "streams_limited", of: "tenant", member: "streams", policy: "streams" };
const countedForMs = 10_000;
/** Near the limit, within a sixteenth of it, a count is used for so long. */
const countedNearForMs = 1_000;
const nearShare = 1 / 16;
/** Tenants whose count is remembered. */
const rememberedMax = 10_000;

interface Count {
  /** Undefined: they are being counted. */
  streams: number | undefined;
  readonly counting: Promise<number>;
  readonly atMs: number;
  /** Created by this edge since, or about to be. */
  added: number;
}

/** The limits of all tenants that have one. */
export class StreamLimit {
  readonly #dependencies: StreamLimitDependencies;
  readonly #counts = new Map<TenantId, Count>();

  constructor(dependencies: StreamLimitDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Lets so many streams be created.
   *
   * @throws EventplaneError `streams_limited`; `unavailable` and its kin when they cannot be counted
   */
  async take(tenantId: TenantId, streams: number, limit: number): Promise<void> {
    const count = this.#countOf(tenantId, limit);
    if ((await count.counting) + count.added + streams > limit)
      throw limitError({ ...name, quota: limit, waitMs: countedForMs });
    count.added += streams;
  }

  /** Some of them were not created. What was counted anew meanwhile does not have them. */
  putBack(tenantId: TenantId, streams: number): void {
    const count = this.#counts.get(tenantId);
    if (count !== undefined) count.added = Math.max(0, count.added - streams);
  }

  /** The count that everybody goes by who comes now: who comes while it is made waits for it. */
  #countOf(tenantId: TenantId, limit: number): Count {
    const known = this.#counts.get(tenantId);
    if (known !== undefined && this.#isFresh(known, limit)) return known;
    const { clock, count } = this.#dependencies;
    const counted: Count = {
      streams: undefined,
      counting: count(tenantId, limit),
      atMs: clock.monotonicMs(),
      added: 0,
    };
    counted.counting.then(
      (streams) => {
        counted.streams = streams;
      },
      () => {
        if (this.#counts.get(tenantId) === counted) this.#counts.delete(tenantId);
      },
    );
    this.#counts.delete(tenantId);
    this.#counts.set(tenantId, counted);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > rememberedMax && oldest !== undefined) this.#counts.delete(oldest);
    return counted;
  }

  #isFresh({ streams, added, atMs }: Count, limit: number): boolean {
    if (streams === undefined) return true;
    const isNear = streams + added >= limit * (1 - nearShare);
    return this.#dependencies.clock.monotonicMs() - atMs < (isNear ? countedNearForMs : countedForMs);
  }
}

/** How long calls take: a histogram of fixed size with a bounded relative error. */

/** Four buckets for each doubling, from 1 µs to more than an hour: a percentile is at most 19 % too high. */
const perDoubling = 4;
const buckets = 32 * perDoubling;

/** What is known of the durations; undefined without a sample. */
export interface Latency {
  /** Calls that were measured: one in 16, after 4,096 calls one in 64. */
  readonly samples: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** Counts durations in buckets whose bounds grow geometrically. */
export class LatencyHistogram {
  /** Made for the first duration: most handlers of a bus with many are called seldom. */
  #counts: Uint32Array | undefined = undefined;
  #samples = 0;

  /** Counts one duration, milliseconds. */
  add(ms: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(1, ms * 1000)) * perDoubling);
    const at = Math.min(buckets - 1, bucket);
    const counts = (this.#counts ??= new Uint32Array(buckets));
    counts[at] = (counts[at] ?? 0) + 1;
    this.#samples++;
  }

  /** Percentiles of what was counted. */
  read(): Latency | undefined {
    if (this.#samples === 0) return undefined;
    return {
      samples: this.#samples,
      p50Ms: this.#percentile(50),
      p90Ms: this.#percentile(90),
      p99Ms: this.#percentile(99),
    };
  }

  #percentile(percent: number): number {
    let left = Math.ceil((percent / 100) * this.#samples);
    const at = this.#counts?.findIndex((count) => (left -= count) <= 0) ?? 0;
    return 2 ** (at / perDoubling) / 1000;
  }
}

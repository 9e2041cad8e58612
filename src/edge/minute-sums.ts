/** What is counted under a key and told once a minute: whoever makes it happen a million times fills no log with it. */
import type { Clock } from "../kernel/index.js";

const windowMs = 60_000;
const sweepMs = 1_000;

/** What is counted under one key. */
export interface MinuteSum {
  /** Monotonic milliseconds; infinitely long ago: nothing of it was told yet. */
  windowFromMs: number;
  /** Of which nothing is told yet. */
  count: number;
}

/** What sums need. */
export interface MinuteSumsParts<Sum extends MinuteSum> {
  readonly clock: Clock;
  /**
   * Tells of what is counted and sets it back, its window too, before it waits for anything; counts it again and reports
   * when that fails. Never rejects.
   */
  readonly write: (sum: Sum) => Promise<void>;
}

/** Keeps sums and writes them at the end of their minutes. */
export class MinuteSums<Sum extends MinuteSum> {
  /** By key; bounded by whoever adds to it. */
  readonly tracked: Map<string, Sum> = new Map();
  readonly #parts: MinuteSumsParts<Sum>;
  readonly #writing = new Set<Promise<void>>();

  constructor(parts: MinuteSumsParts<Sum>) {
    this.#parts = parts;
  }

  /** Writes one now. */
  write(sum: Sum): void {
    const writing = this.#parts.write(sum).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  /** Writes the sums of minutes that are over until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(sweepMs, signal).catch(() => undefined); // its end is what is waited for
      this.sweep();
    }
  }

  /** Writes the sums of minutes that are over, and forgets the keys of which nothing was counted in one. */
  sweep(): void {
    const now = this.#parts.clock.monotonicMs();
    for (const [key, sum] of this.tracked) {
      if (now - sum.windowFromMs < windowMs) continue;
      if (sum.count > 0) this.write(sum);
      else this.tracked.delete(key);
    }
  }

  /** Writes everything that is counted, and waits for it. */
  async close(): Promise<void> {
    for (const sum of this.tracked.values()) if (sum.count > 0) this.write(sum);
    await Promise.all(this.#writing);
  }
}

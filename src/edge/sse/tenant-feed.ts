/**
 * The end of one tenant's log, read and serialized once for all of its subscribers in this process.
 *
 * The feed keeps the last frames, so that a subscriber that catches up from the store can join without a gap, and gives
 * every batch to all that have joined. The more subscribers, the longer a batch gathers: at 500 they are written to about
 * 80 times a second each, whatever the rate of events.
 */
import type { Clock, Doorbell, TenantId } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import { eventFrame, type Frame, FrameBatch } from "./frame.js";

/** Hears of every batch, in position order and without a gap. Must not throw and must not wait. */
export type FeedListener = (batch: FrameBatch) => void;

/** What a feed needs. */
export interface FeedDependencies {
  readonly reader: LogReader;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  /** While this is false nothing is read, so that nobody whose key may be revoked is sent anything. */
  readonly mayDeliver: () => boolean;
  /** Hears of a failed read; the feed tries again. */
  readonly report: (failure: unknown) => void;
}

const pageEvents = 256;
const keptFramesMax = 2_048;
const keptBytesMax = 4_194_304;
const pollMs = 200;
const gatherMsMax = 12;
const subscribersPerGatherMs = 40;

/** One tenant's live tail. */
export class TenantFeed {
  readonly #dependencies: FeedDependencies;
  readonly #tenantId: TenantId;
  readonly #listeners = new Set<FeedListener>();
  readonly #stopped = new AbortController();
  #kept: Frame[] = [];
  #keptBytes = 0;
  #position = 0;
  #running: Promise<void> | undefined;

  constructor(tenantId: TenantId, dependencies: FeedDependencies) {
    this.#tenantId = tenantId;
    this.#dependencies = dependencies;
  }

  /** Everything up to this position was given to the listeners. */
  get position(): number {
    return this.#position;
  }

  /** Begins at the head of the log; later calls wait for the first. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const head = await this.#dependencies.reader.head(this.#tenantId);
    if (this.#running !== undefined) return;
    this.#position = head.position;
    this.#running = this.#run();
  }

  /**
   * Joins after `position`: the kept frames behind it are returned, later ones go to `listener`.
   *
   * @returns undefined when `position` is older than what is kept; read the store up to {@link position} and try again
   */
  join(position: number, listener: FeedListener): FrameBatch | undefined {
    const oldest = this.#position - this.#kept.length;
    if (position < oldest) return undefined;
    this.#listeners.add(listener);
    return new FrameBatch(this.#kept.filter((frame) => frame.position > position));
  }

  /** Stops giving batches to `listener`. */
  leave(listener: FeedListener): void {
    this.#listeners.delete(listener);
  }

  /** Ends the feed; resolves when its loop has ended. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, doorbell, mayDeliver, report } = this.#dependencies;
    const { signal } = this.#stopped;
    const bell = { rung: false, wake: (): void => undefined };
    const stop = doorbell.listen(() => {
      bell.rung = true;
      bell.wake();
    }, this.#tenantId);
    while (!signal.aborted) {
      bell.rung = false;
      let more = false;
      try {
        more = mayDeliver() && (await this.#readPage());
      } catch (error) {
        report(error);
      }
      const gatherMs = Math.min(gatherMsMax, Math.floor(this.#listeners.size / subscribersPerGatherMs));
      if (gatherMs > 0 && !more) await clock.sleep(gatherMs, signal).catch(() => undefined);
      if (!bell.rung && !more) await this.#waitForRing(bell);
    }
    stop();
  }

  async #waitForRing(bell: { wake: () => void }): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    bell.wake = wake;
    const { signal } = this.#stopped;
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    await this.#dependencies.clock.sleep(pollMs, woken.signal).catch(() => undefined);
    signal.removeEventListener("abort", wake);
    bell.wake = () => undefined;
  }

  async #readPage(): Promise<boolean> {
    const rows = await this.#dependencies.reader.read(this.#tenantId, { after: this.#position, limit: pageEvents });
    if (rows.length === 0) return false;
    const frames = rows.map(eventFrame);
    this.#keep(frames);
    const batch = new FrameBatch(frames);
    for (const listener of this.#listeners) listener(batch);
    return rows.length === pageEvents;
  }

  #keep(batch: readonly Frame[]): void {
    this.#kept.push(...batch);
    for (const frame of batch) this.#keptBytes += frame.bytes.byteLength;
    this.#position = batch.at(-1)?.position ?? this.#position;
    let dropped = 0;
    while (
      this.#kept.length - dropped > keptFramesMax ||
      (this.#keptBytes > keptBytesMax && dropped < this.#kept.length)
    ) {
      this.#keptBytes -= this.#kept[dropped]?.bytes.byteLength ?? 0;
      dropped++;
    }
    if (dropped > 0) this.#kept = this.#kept.slice(dropped);
  }
}

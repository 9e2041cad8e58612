/**
 * The end of one tenant's log, serialized once for all of its subscribers in this process.
 *
 * Every batch is given to all that have joined. While a subscriber catches up from the store, the feed keeps the frames that
 * come meanwhile, so that it can join without a gap; when none does, it keeps nothing. The more subscribers, the longer a batch gathers: at 500 they are written to about
 * 80 times a second each, whatever the rate of events.
 */
import type { Clock, TenantId } from "../../kernel/index.js";
import { erasedType } from "../../personal/index.js";
import type { LogHub, LogReader } from "../../store/index.js";
import { eventFrame, type Frame, FrameBatch, type OpenRows } from "./frame.js";

/** Hears of every batch, in position order and without a gap. Must not throw and must not wait. */
export type FeedListener = (batch: FrameBatch) => void;

/** What a feed needs. */
export interface FeedDependencies {
  /** For the head that a feed begins at. */
  readonly reader: LogReader;
  /** Reads the log's end once for all of its subscribers in this process. */
  readonly log: LogHub;
  readonly clock: Clock;
  /** While this is false nothing is given out, so that nobody whose key may be revoked is sent anything. */
  readonly mayDeliver: () => boolean;
  /** Opens the personal data of rows. */
  readonly open: OpenRows;
  /** Hears of reads that keep failing; the feed tries again. */
  readonly report: (failure: unknown) => void;
}

const keptFramesMax = 2_048;
const keptBytesMax = 4_194_304;
/** Who catches up from the store needs the frames that come meanwhile, not those of an hour ago. */
const keptMsMax = 2_000;
const heldBackMs = 100;
const againMs = 1_000;
const gatherMsMax = 12;
const subscribersPerGatherMs = 40;

/** One tenant's live tail. */
export class TenantFeed {
  readonly #dependencies: FeedDependencies;
  readonly #tenantId: TenantId;
  readonly #listeners = new Set<FeedListener>();
  readonly #stopped = new AbortController();
  #kept: Frame[] = [];
  /** When each of them came. */
  #keptAtMs: number[] = [];
  #keptBytes = 0;
  /** Subscribers that catch up. */
  #holders = 0;
  #position = 0;
  #started: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(tenantId: TenantId, dependencies: FeedDependencies) {
    this.#tenantId = tenantId;
    this.#dependencies = dependencies;
  }

  /** Everything up to this position was given to the listeners. */
  get position(): number {
    return this.#position;
  }

  /** Begins at the head of the log; later calls wait for the first, unless it failed. */
  start(): Promise<void> {
    this.#started ??= this.#begin().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    return this.#started;
  }

  async #begin(): Promise<void> {
    const head = await this.#dependencies.reader.head(this.#tenantId);
    this.#position = head.position;
    this.#running = this.#run();
  }

  /**
   * Joins after `position`: the kept frames behind it are returned, later ones go to `listener`.
   *
   * @returns undefined when `position` is older than what is kept; {@link hold}, read the store up to {@link position} and
   * try again
   */
  join(position: number, listener: FeedListener): FrameBatch | undefined {
    const oldest = this.#position - this.#kept.length;
    if (position < oldest) return undefined;
    this.#listeners.add(listener);
    return new FrameBatch(this.#kept.filter((frame) => frame.position > position));
  }

  /** Keeps the frames that come from now on, for somebody who catches up. @returns the function that lets go of them; once */
  hold(): () => void {
    this.#holders++;
    return () => {
      this.#holders--;
      if (this.#holders === 0) this.#drop(this.#kept.length);
    };
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
    const { clock, report } = this.#dependencies;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        report(error);
        await clock.sleep(againMs, signal).catch(() => undefined);
      }
    }
  }

  /** Gives out what the log's hub gives; ends with the abort. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { log, clock, mayDeliver, open } = this.#dependencies;
    for await (const page of log.pages(this.#tenantId, { after: this.#position, signal })) {
      while (!mayDeliver() && !signal.aborted) await clock.sleep(heldBackMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const rows = page.flatMap((item) => (item.type === "event" ? [item.event] : []));
      if (rows.length === 0) continue;
      const frames = (await open(this.#tenantId, rows)).map(eventFrame);
      this.#keep(frames);
      // What is kept was opened before somebody was erased: whoever catches up reads it from the store again.
      if (rows.some(({ type }) => type === erasedType)) this.#drop(this.#kept.length);
      const batch = new FrameBatch(frames);
      for (const listener of this.#listeners) listener(batch);
      const gatherMs = Math.min(gatherMsMax, Math.floor(this.#listeners.size / subscribersPerGatherMs));
      if (gatherMs > 0) await clock.sleep(gatherMs, signal).catch(() => undefined);
    }
  }

  /** Lets go of frames that nobody who reads now can still need. */
  forget(): void {
    const sinceMs = this.#dependencies.clock.monotonicMs() - keptMsMax;
    let dropped = 0;
    let bytes = this.#keptBytes;
    while (
      dropped < this.#kept.length &&
      (this.#kept.length - dropped > keptFramesMax || bytes > keptBytesMax || (this.#keptAtMs[dropped] ?? 0) < sinceMs)
    ) {
      bytes -= this.#kept[dropped]?.bytes.byteLength ?? 0;
      dropped++;
    }
    this.#drop(dropped);
  }

  #drop(count: number): void {
    if (count === 0) return;
    for (const frame of this.#kept.slice(0, count)) this.#keptBytes -= frame.bytes.byteLength;
    this.#kept = this.#kept.slice(count);
    this.#keptAtMs = this.#keptAtMs.slice(count);
  }

  #keep(batch: readonly Frame[]): void {
    this.#position = batch.at(-1)?.position ?? this.#position;
    if (this.#holders === 0) return;
    const atMs = this.#dependencies.clock.monotonicMs();
    for (const frame of batch) {
      this.#kept.push(frame);
      this.#keptAtMs.push(atMs);
      this.#keptBytes += frame.bytes.byteLength;
    }
    this.forget();
  }
}

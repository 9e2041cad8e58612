/** The end of one tenant's log as all its subscribers share it: every new page is read once and kept for a while. */
import type { EventRow } from "../event/index.js";
import { type Doorbell, EventplaneError, isEventplaneError, type TenantId } from "../kernel/index.js";
import { firstPageLimit, nextPageLimit, rowBytes } from "./page-limit.js";
import type { LogReader } from "./port.js";
import { assertNext, type Patience, readPatiently } from "./subscription-read.js";

/** What a tail is made of. */
export interface TailOptions extends Omit<Patience, "signal"> {
  readonly reader: LogReader;
  readonly doorbell: Doorbell;
  /** Between two looks when nobody rings; listeners are notified as often, and at least once a second. */
  readonly pollMs: number;
}

/** An event as it is handed out: one object for all subscribers. */
export interface TailItem {
  readonly type: "event";
  readonly event: EventRow;
}

const rowsMax = 4_000;
const bytesMax = 4_194_304;
/**
 * Listeners who are further behind than this read for themselves. Short, because what is kept for less than the time between
 * two collections of the young generation is collected by the next one; what survives two waits for a full collection.
 */
const keptMsMax = 100;
const tickMsMax = 1_000;

/** Reads from `start` on for as long as `run` is not aborted. */
export class LogTail {
  readonly #tenantId: TenantId;
  readonly #options: TailOptions;
  readonly #listeners: Set<() => void> = new Set();
  /** Those after `#start`, without gaps up to `#end`. */
  readonly #items: TailItem[] = [];
  /** When each of them was read. */
  readonly #itemsAtMs: number[] = [];
  #bytes = 0;
  #start: number;
  #end: number;
  #pageLimit: number = firstPageLimit;
  #failure: EventplaneError | undefined;
  /** The highest position rung, and how many rings said something new. */
  #rungPosition = 0;
  #rings = 0;
  #wake: (() => void) | undefined;

  constructor(tenantId: TenantId, start: number, options: TailOptions) {
    this.#tenantId = tenantId;
    this.#options = options;
    this.#start = start;
    this.#end = start;
  }

  /** Position of the last event that was read. */
  get end(): number {
    return this.#end;
  }

  /** Why the tail ended: `event_corrupt` for a gap, or what the reader kept throwing. */
  get failure(): EventplaneError | undefined {
    return this.#failure;
  }

  /** The kept events after `position`; undefined when some of them are not kept any more. */
  after(position: number): readonly TailItem[] | undefined {
    return position < this.#start ? undefined : this.#items.slice(position - this.#start);
  }

  /** Calls `listener` after each change, and now and then without one. @returns the function that stops it */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Looks at each ring and each `pollMs` until the abort; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#options.doorbell.listen((_, position) => this.#ring(position), this.#tenantId);
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!signal.aborted) {
        const rings = await this.#readOn(signal);
        this.#tell();
        if (rings === this.#rings || this.#rungPosition <= this.#end) await this.#sleep(signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#failure = asFailure(error);
    } finally {
      signal.removeEventListener("abort", wake);
      stop();
      this.#tell();
    }
  }

  #ring(position: number): void {
    if (position <= Math.max(this.#end, this.#rungPosition)) return;
    this.#rungPosition = position;
    this.#rings += 1;
    this.#wake?.();
  }

  /** Reads until a page is not full. @returns the rings that were heard before the last read */
  async #readOn(signal: AbortSignal): Promise<number> {
    const { reader } = this.#options;
    for (;;) {
      const rings = this.#rings;
      const limit = this.#pageLimit;
      const read = (): Promise<readonly EventRow[]> => reader.read(this.#tenantId, { after: this.#end, limit });
      const page = await readPatiently(read, { ...this.#options, signal });
      if (signal.aborted) return rings;
      this.#keep(page);
      this.#pageLimit = nextPageLimit(limit, page);
      if (page.length < limit) return rings;
      this.#tell();
    }
  }

  #keep(page: readonly EventRow[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const event of page) {
      assertNext(event, this.#end);
      this.#end = event.position;
      this.#items.push({ type: "event", event });
      this.#itemsAtMs.push(nowMs);
      this.#bytes += rowBytes(event);
    }
    let drop = 0;
    const sinceMs = nowMs - keptMsMax;
    while (
      this.#items.length - drop > rowsMax ||
      this.#bytes > bytesMax ||
      (this.#itemsAtMs[drop] ?? nowMs) < sinceMs
    ) {
      const item = this.#items[drop];
      if (item === undefined) break;
      this.#bytes -= rowBytes(item.event);
      drop += 1;
    }
    this.#items.splice(0, drop);
    this.#itemsAtMs.splice(0, drop);
    this.#start += drop;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    // An abort during the read is over: its event does not come again.
    if (signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    try {
      await this.#options.clock.sleep(Math.min(this.#options.pollMs, tickMsMax), woken.signal);
    } catch (error) {
      if (!isEventplaneError(error, "aborted")) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}

function asFailure(error: unknown): EventplaneError {
  if (isEventplaneError(error)) return error;
  return new EventplaneError("internal", "Reading the log failed.", { cause: error });
}

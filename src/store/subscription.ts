/** One subscription: from a position in the past over to the live end of the log, and on. */
import { assert, EventplaneError, limits, type TenantId } from "../kernel/index.js";
import { firstPageLimit, nextPageLimit } from "./page-limit.js";
import type { LogReader, ReadFilter } from "./port.js";
import { matchesFilter } from "./read-filter.js";
import { assertNext, notDense, type Patience, readPatiently } from "./subscription-read.js";
import type { LogTail, TailItem } from "./subscription-tail.js";

/**
 * One step of a subscription: an event, or the position up to which all that matches was given. Resume after the
 * position of the last one. The same event is the same object for all live subscribers, so its text can be cached.
 */
export type SubscriptionItem = TailItem | { readonly type: "bookmark"; readonly position: number };

/** What to subscribe to. */
export interface SubscribeOptions {
  /** Events after this position; from now without it: then the first item is a bookmark that says where now is. */
  readonly after?: number;
  /** With a filter, a bookmark comes at least every 5 s and every 1,000 positions. */
  readonly filter?: ReadFilter;
  /** Ends the subscription; nothing is thrown, no read is left behind. */
  readonly signal?: AbortSignal;
}

interface SubscriptionOptions extends SubscribeOptions, Patience {
  readonly signal: AbortSignal;
  readonly reader: LogReader;
  readonly tail: LogTail;
}

/** Listeners of a tail hear of it at least once a second, so what is due at 4 s is not late at 5 s. */
const bookmarkDueMs = limits.bookmarkIntervalMs - 1_000;

/** Pages of at least one item; the log is looked at only when the next page is asked for. */
export async function* subscriptionPages(
  tenantId: TenantId,
  options: SubscriptionOptions,
): AsyncGenerator<readonly SubscriptionItem[], void, undefined> {
  const { tail, signal } = options;
  const subscription = new Subscription(tenantId, options);
  const bell = new Bell();
  const stopListening = tail.listen(bell.ring);
  signal.addEventListener("abort", bell.ring);
  try {
    if (options.after === undefined) yield [{ type: "bookmark", position: tail.end }];
    else await subscription.assertReachable();
    while (!signal.aborted) {
      const page = await subscription.next();
      if (page.length > 0) yield page;
      else if (subscription.isLive) await bell.rung();
    }
  } finally {
    stopListening();
    signal.removeEventListener("abort", bell.ring);
  }
}

/** Where a subscription stands. */
class Subscription {
  readonly #tenantId: TenantId;
  readonly #options: SubscriptionOptions;
  readonly #filter: ReadFilter | undefined;
  /** Everything that matches up to here was given. */
  #position: number;
  #pageLimit: number = firstPageLimit;
  #marked: { readonly position: number; readonly atMs: number };

  constructor(tenantId: TenantId, options: SubscriptionOptions) {
    const { after = 0 } = options;
    assert(Number.isSafeInteger(after) && after >= 0, "a subscription begins after a position");
    this.#tenantId = tenantId;
    this.#options = options;
    // A filter without parts lets everything through.
    const isFiltered = Object.values(options.filter ?? {}).some((part) => part !== undefined);
    this.#filter = isFiltered ? options.filter : undefined;
    this.#position = options.after ?? options.tail.end;
    this.#marked = { position: this.#position, atMs: options.clock.monotonicMs() };
  }

  /** Whether there is nothing to give before the tail changes. */
  get isLive(): boolean {
    return this.#position >= this.#options.tail.end;
  }

  /** @throws EventplaneError `request_invalid` when the log does not reach to where it was to be read from */
  async assertReachable(): Promise<void> {
    if (this.isLive && this.#position > this.#options.tail.end) {
      const { reader } = this.#options;
      const head = await readPatiently(() => reader.head(this.#tenantId), this.#options);
      if (this.#position <= head.position) return;
      const details = { after: this.#position, position: head.position };
      const message = `Position ${details.after} is behind the end of the log, which is ${details.position}.`;
      throw new EventplaneError("request_invalid", message, { details });
    }
  }

  /** What there is to give now, possibly nothing. */
  async next(): Promise<readonly SubscriptionItem[]> {
    const { tail } = this.#options;
    const kept = tail.after(this.#position);
    const items = kept === undefined ? await this.#catchUp() : this.#advance(kept.slice(0, this.#untilBookmark()));
    if (items.length === 0 && tail.failure !== undefined) throw tail.failure;
    return this.#withBookmark(items);
  }

  /** No page goes past the position where a bookmark is due. */
  #untilBookmark(): number {
    return limits.bookmarkPositions - (this.#filter === undefined ? 0 : this.#position - this.#marked.position);
  }

  /** Reads one page for this subscription alone, because the tail does not keep it any more. */
  async #catchUp(): Promise<readonly TailItem[]> {
    const { reader, tail } = this.#options;
    const limit = this.#pageLimit;
    const filter = this.#filter;
    // All up to here was committed before the read, so a short page has seen it. With a filter no page goes past the
    // next bookmark, so a read is short however rare what it looks for.
    const seen = filter === undefined ? tail.end : Math.min(tail.end, this.#position + this.#untilBookmark());
    const query = { after: this.#position, limit, ...(filter === undefined ? {} : { filter, before: seen + 1 }) };
    const page = await readPatiently(() => reader.read(this.#tenantId, query), this.#options);
    const items = page.map((event): TailItem => ({ type: "event", event }));
    this.#pageLimit = nextPageLimit(limit, page);
    this.#advance(items);
    if (page.length < limit && this.#position < seen) {
      if (filter === undefined) throw notDense({ tenantId: this.#tenantId, position: this.#position, found: seen });
      this.#position = seen;
    }
    return items;
  }

  /** Moves over these items. @returns those that match */
  #advance(items: readonly TailItem[]): readonly TailItem[] {
    const filter = this.#filter;
    for (const { event } of items) {
      if (filter === undefined) assertNext(event, this.#position);
      else if (event.position <= this.#position) {
        throw notDense({ tenantId: this.#tenantId, position: this.#position, found: event.position });
      }
      this.#position = event.position;
    }
    return filter === undefined ? items : items.filter(({ event }) => matchesFilter(filter, event));
  }

  #withBookmark(items: readonly TailItem[]): readonly SubscriptionItem[] {
    if (this.#filter === undefined) return items;
    const atMs = this.#options.clock.monotonicMs();
    const isDue =
      this.#position - this.#marked.position >= limits.bookmarkPositions || atMs - this.#marked.atMs >= bookmarkDueMs;
    if (!isDue) return items;
    this.#marked = { position: this.#position, atMs };
    return [...items, { type: "bookmark", position: this.#position }];
  }
}

/** Remembers that it rang until somebody has waited for it. */
class Bell {
  #hasRung = false;
  #wake: (() => void) | undefined;

  readonly ring = (): void => {
    this.#hasRung = true;
    this.#wake?.();
  };

  async rung(): Promise<void> {
    if (!this.#hasRung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasRung = false;
    this.#wake = undefined;
  }
}

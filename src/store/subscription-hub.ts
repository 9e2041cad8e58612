/**
 * Subscriptions: first what is in the log already, then what is appended, in position order, without gap or repetition
 * (P3). All subscribers of a tenant share one reader of the log's end; those who fall behind read for themselves.
 */
import {
  type Clock,
  type Doorbell,
  isEventplaneError,
  type Random,
  systemRandom,
  type TenantId,
} from "../kernel/index.js";
import type { LogReader } from "./port.js";
import { type SubscribeOptions, type SubscriptionItem, subscriptionPages } from "./subscription.js";
import { readPatiently } from "./subscription-read.js";
import { LogTail } from "./subscription-tail.js";

/** What a hub is made of. */
export interface LogHubOptions {
  readonly reader: LogReader;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  /** How often the log is looked at when nobody rings; at most and by default 1,000 and 250. */
  readonly pollMs?: number;
  /** How long reads may fail before subscriptions end with the error; default 30 s. */
  readonly outageMsMax?: number;
  /** For jitter; the operating system's by default. */
  readonly random?: Random;
}

/** The subscriptions of one process. */
export interface LogHub {
  /**
   * Pages of at least one item, as large as what there is; nothing is read ahead while the consumer is busy.
   *
   * @throws EventplaneError while iterating: `event_corrupt` for a log with gaps, `request_invalid` when `after` is
   * behind the end of the log, `unavailable` when the store cannot be reached for `outageMsMax`
   */
  pages(tenantId: TenantId, options?: SubscribeOptions): AsyncIterable<readonly SubscriptionItem[]>;
  /** The same, item by item. */
  subscribe(tenantId: TenantId, options?: SubscribeOptions): AsyncIterable<SubscriptionItem>;
  /** Ends all subscriptions as their abort would, and waits for the readers. */
  close(): Promise<void>;
}

/** A hub without subscribers; it reads nothing until there are some. */
export function createLogHub(options: LogHubOptions): LogHub {
  return new Hub(options);
}

const defaults = { pollMs: 250, outageMsMax: 30_000, random: systemRandom };

/** The tail of one tenant and those who listen to it. */
interface SharedTail {
  readonly tail: Promise<LogTail>;
  readonly stop: AbortController;
  subscribers: number;
}

class Hub implements LogHub {
  readonly #options: Required<LogHubOptions>;
  readonly #tails: Map<TenantId, SharedTail> = new Map();
  readonly #subscriptions: Set<AbortController> = new Set();
  readonly #running: Set<Promise<void>> = new Set();

  constructor(options: LogHubOptions) {
    this.#options = { ...defaults, ...options };
  }

  async *subscribe(
    tenantId: TenantId,
    options: SubscribeOptions = {},
  ): AsyncGenerator<SubscriptionItem, void, undefined> {
    for await (const page of this.pages(tenantId, options)) yield* page;
  }

  async *pages(
    tenantId: TenantId,
    options: SubscribeOptions = {},
  ): AsyncGenerator<readonly SubscriptionItem[], void, undefined> {
    if (options.signal?.aborted) return;
    const own = new AbortController();
    const abort = (): void => own.abort();
    options.signal?.addEventListener("abort", abort, { once: true });
    this.#subscriptions.add(own);
    const shared = this.#join(tenantId);
    try {
      const tail = await shared.tail;
      yield* subscriptionPages(tenantId, { ...this.#options, ...options, signal: own.signal, tail });
    } catch (error) {
      // The abort of this subscription, or the stop of a tail before it began, which only `close` does.
      if (!(own.signal.aborted && isEventplaneError(error, "aborted"))) throw error;
    } finally {
      this.#leave(tenantId, shared);
      this.#subscriptions.delete(own);
      options.signal?.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.abort();
    for (const { stop } of this.#tails.values()) stop.abort();
    await Promise.all(this.#running);
  }

  /** Counts a subscriber in; the first one starts the tail at the head. */
  #join(tenantId: TenantId): SharedTail {
    let shared = this.#tails.get(tenantId);
    if (shared === undefined) {
      const stop = new AbortController();
      shared = { stop, tail: this.#start(tenantId, stop.signal), subscribers: 0 };
      this.#tails.set(tenantId, shared);
    }
    shared.subscribers += 1;
    return shared;
  }

  async #start(tenantId: TenantId, signal: AbortSignal): Promise<LogTail> {
    const { reader } = this.#options;
    const head = await readPatiently(() => reader.head(tenantId), { ...this.#options, signal });
    const tail = new LogTail(tenantId, head.position, this.#options);
    const running = tail.run(signal).then(() => {
      this.#running.delete(running);
      // A tail that failed is joined by nobody any more.
      if (tail.failure !== undefined) this.#tails.delete(tenantId);
    });
    this.#running.add(running);
    return tail;
  }

  /** Counts a subscriber out; the last one stops the tail. */
  #leave(tenantId: TenantId, shared: SharedTail): void {
    shared.subscribers -= 1;
    if (shared.subscribers > 0) return;
    shared.stop.abort();
    if (this.#tails.get(tenantId) === shared) this.#tails.delete(tenantId);
  }
}

/** The threads of one context: which subscription has which. */
import { EventplaneError } from "../../kernel/index.js";
import type { Consumer } from "../consumer.js";
import type { AnyHandler, ConsumerHost } from "../consumer-parts.js";
import type { SubscriptionSettings } from "../subscription-options.js";
import { HandlerThreads } from "./handler-threads.js";
import { type ThreadHandler, threadSettings } from "./thread-handler.js";
import { threadLimits } from "./thread-limits.js";

/** A handler for a consumer, with the settings that hold for it. */
export interface Isolated {
  readonly handler: AnyHandler;
  readonly settings: SubscriptionSettings;
  /** Starts its first thread. Call it once the subscription is registered. Throws `config_invalid`. */
  readonly start: () => void;
  /** No more calls come. */
  readonly retire: () => void;
}

/** Whose threads they are. */
export interface IsolatedSubscription {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly host: ConsumerHost;
  /** Is there when the threads are started. */
  readonly consumer: () => Consumer;
}

/** Keeps the threads of a context until they have ended. */
export class ContextThreads {
  readonly #pools = new Set<HandlerThreads>();
  readonly #poolOf = new WeakMap<Consumer, HandlerThreads>();

  /**
   * Prepares the threads of a subscription, as many as its concurrency; none is started yet.
   *
   * @throws EventplaneError `config_invalid` for options out of their range, for a module that is not there, and beyond 64 threads
   */
  isolate(handler: ThreadHandler, { name, settings, host, consumer }: IsolatedSubscription): Isolated {
    const module = threadSettings(handler);
    this.#assertRoom(name, settings.concurrency);
    const pool: HandlerThreads = new HandlerThreads(module, {
      name,
      settings,
      host,
      count: (what) => consumer().count(what),
      done: () => void this.#pools.delete(pool),
    });
    return {
      handler: pool.handler,
      // The threads bring the time-out about.
      settings: { ...settings, timeoutMs: Number.POSITIVE_INFINITY },
      start: () => {
        pool.start();
        this.#pools.add(pool);
        this.#poolOf.set(consumer(), pool);
      },
      retire: () => pool.retire(),
    };
  }

  /** As `Subscription.ready`. */
  async ready(consumer: Consumer): Promise<void> {
    await this.#poolOf.get(consumer)?.ready();
  }

  /** Ends all threads; what was not answered fails with `aborted`. */
  async close(): Promise<void> {
    await Promise.all([...this.#pools].map((pool) => pool.close()));
  }

  #assertRoom(name: string, wanted: number): void {
    const taken = [...this.#pools].reduce((sum, { size }) => sum + size, 0);
    if (taken + wanted <= threadLimits.threadsMax) return;
    throw new EventplaneError(
      "config_invalid",
      `${name} wants ${wanted} threads, one for each call under way; a context has ${threadLimits.threadsMax}, of which ${taken} are taken.`,
    );
  }
}

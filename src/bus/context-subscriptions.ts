/** The subscriptions of one context: how they are added, what is permitted them, and how they end. */
import { EventplaneError } from "../kernel/index.js";
import { type Permit, permitFor } from "./authorization.js";
import type { BusShared } from "./bus-options.js";
import { Consumer } from "./consumer.js";
import type { AnyHandler } from "./consumer-parts.js";
import { whenIdle } from "./idle.js";
import type { Registration } from "./registry.js";
import type { Space } from "./space.js";
import { type Subscription, statusOf } from "./subscription.js";
import { type SubscriptionOptions, subscriptionSettings } from "./subscription-options.js";
import { ContextThreads, type Isolated } from "./threads/context-threads.js";
import { isThreadHandler, type ThreadHandler } from "./threads/thread-handler.js";
import { TopicPermit } from "./topic-permit.js";

/** A subscription as data, made by `define` of a context; its types were checked there. */
export interface SubscriptionDefinition extends SubscriptionOptions {
  readonly patterns: readonly string[];
  readonly handler: AnyHandler | ThreadHandler;
  readonly isOnce?: boolean;
  /** Called when the subscription ends. */
  readonly ended?: () => void;
}

interface Prepared {
  readonly definition: SubscriptionDefinition;
  readonly registration: Registration;
}

const nameForm = /^[\x21-\x7e]{1,128}$/;

/** Adds subscriptions to a space and ends them. */
export class ContextSubscriptions {
  readonly #space: Space;
  readonly #shared: BusShared;
  readonly #threads = new ContextThreads();
  /** Subscriptions that have ended and whose calls are under way. */
  readonly #leaving = new Set<Consumer>();

  constructor(space: Space, shared: BusShared) {
    this.#space = space;
    this.#shared = shared;
  }

  /** Those that have calls under way or may get some. */
  get consumers(): readonly Consumer[] {
    return [...this.#space.registry.all.map(({ consumer }) => consumer), ...this.#leaving];
  }

  /** All that are open, in the order in which they came. */
  get all(): readonly Subscription[] {
    return this.#space.registry.all.map((registration) => this.#subscription(registration));
  }

  /** Adds all or none. Throws as `on` of a context. */
  add(definitions: readonly SubscriptionDefinition[]): readonly Subscription[] {
    if (this.#space.isClosed) throw new EventplaneError("unavailable", `The context ${this.#space.name} is closed.`);
    const prepared: Prepared[] = [];
    try {
      for (const definition of definitions) prepared.push({ definition, registration: this.#prepare(definition) });
    } catch (error) {
      for (const { registration } of prepared) this.#end(registration);
      const principal = definitions[prepared.length]?.principal;
      this.#shared.log?.refused({ what: "subscription", context: this.#space.name, principal, error });
      throw error;
    }
    return prepared.map(({ registration }) => this.#subscription(registration));
  }

  /** Ends the subscription of this name. @returns whether there was one */
  endByName(name: string): boolean {
    const registration = this.#space.registry.byName(name);
    return registration !== undefined && this.#end(registration);
  }

  /** As `reauthorize` of a context. */
  reauthorize(): readonly string[] {
    const ended: string[] = [];
    for (const registration of this.#space.registry.all) {
      try {
        const { consumer } = registration;
        consumer.permit.set(this.#permitOf(consumer.name, registration));
        consumer.dropWhere(({ topic }) => !consumer.permit.covers(topic));
      } catch (error) {
        // The refusal is the answer.
        const fields = { context: this.#space.name, subscription: registration.consumer.name, error };
        this.#shared.log?.happened({ level: "warn", message: "permit withdrawn", fields });
        ended.push(registration.consumer.name);
        this.#end(registration);
      }
    }
    this.#space.registry.forgetFound();
    return ended;
  }

  /** Gives up what is left with `reason`, ends all of them, and waits for the ends of their threads. */
  async close(reason: EventplaneError): Promise<void> {
    for (const registration of this.#space.registry.all) {
      registration.consumer.abandon(reason);
      this.#end(registration);
    }
    for (const consumer of this.#leaving) consumer.abandon(reason);
    await this.#threads.close();
  }

  #prepare(definition: SubscriptionDefinition): Registration {
    const { registry, host } = this.#space;
    const { name = registry.freeName(), patterns } = definition;
    if (!nameForm.test(name))
      throw new EventplaneError("request_invalid", "A subscription's name is 1 to 128 printable ASCII characters.");
    const settings = subscriptionSettings(definition);
    const threads = isThreadHandler(definition.handler)
      ? this.#threads.isolate(definition.handler, { name, settings, host, consumer: () => consumer })
      : undefined;
    const called = threads?.handler ?? definition.handler;
    if (typeof called !== "function")
      throw new EventplaneError("config_invalid", `The handler of ${name} is a function, or one in threads.`);
    const { signal } = definition;
    const end = (): void => void this.#end(registration);
    const ended = (): void => {
      signal?.removeEventListener("abort", end);
      threads?.retire();
      definition.ended?.();
    };
    const spent = (): void => {
      registry.remove(registration);
      // The one call begins after this.
      void this.#leaves(consumer, Promise.resolve()).then(ended);
    };
    const permit = new TopicPermit(this.#permitOf(name, definition));
    const handler = this.#space.correlation?.wrap(called) ?? called;
    const parts = { name, handler, permit, ended, ...(definition.isOnce === true ? { spent } : {}) };
    const consumer: Consumer = new Consumer(parts, threads?.settings ?? settings, host);
    const registration: Registration = registry.add(consumer, [...new Set(patterns)], definition.principal);
    this.#startThreads(threads, registration);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted === true) end();
    return registration;
  }

  #startThreads(threads: Isolated | undefined, registration: Registration): void {
    try {
      threads?.start();
    } catch (error) {
      this.#end(registration);
      throw error;
    }
  }

  #permitOf(
    subscription: string,
    asked: { readonly patterns: readonly string[]; readonly principal?: string | undefined },
  ): Permit {
    const { patterns, principal } = asked;
    return permitFor(this.#shared.authorization, { context: this.#space.name, subscription, patterns, principal });
  }

  #end(registration: Registration): boolean {
    const wasThere = this.#space.registry.remove(registration);
    registration.consumer.close();
    void this.#leaves(registration.consumer);
    return wasThere;
  }

  /** Keeps a subscription that has ended in mind until its calls have. */
  async #leaves(consumer: Consumer, begun?: Promise<void>): Promise<void> {
    this.#leaving.add(consumer);
    await begun;
    await consumer.idle();
    this.#leaving.delete(consumer);
  }

  #subscription(registration: Registration): Subscription {
    const { consumer, patterns } = registration;
    return {
      name: consumer.name,
      patterns,
      ready: () => this.#threads.ready(consumer),
      status: () => statusOf(consumer),
      pause: () => consumer.pause(),
      resume: () => consumer.resume(),
      drain: (deadlineMs) => whenIdle(this.#shared, { consumers: () => [consumer], deadlineMs }),
      unsubscribe: () => this.#end(registration),
    };
  }
}

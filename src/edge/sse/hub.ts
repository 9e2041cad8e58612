/**
 * All open subscriptions of this process: one feed per tenant that has subscribers, one timer for all of them.
 */
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, TenantId } from "../../kernel/index.js";
import { EventplaneError } from "../../kernel/index.js";
import type { LogHub, LogReader } from "../../store/index.js";
import type { ResourceClass } from "../authz/ruling.js";
import type { Principal } from "../principal.js";
import { SseConnection } from "./connection.js";
import type { OpenRows, SubscribeFilter } from "./frame.js";
import { TenantFeed } from "./tenant-feed.js";

/** What the hub needs. */
export interface SubscriptionHubDependencies {
  readonly reader: LogReader;
  /** Closed by {@link SubscriptionHub.close}. */
  readonly log: LogHub;
  readonly clock: Clock;
  /** Opens the personal data of rows, in their order. */
  readonly open: OpenRows;
  /** False while this edge cannot prove that it knows the latest keys. */
  readonly mayDeliver: () => boolean;
  /** Whether the credential of an open connection may still be used. */
  readonly isUsable: (principal: Principal) => boolean;
  /** What the policies say of an open connection now, and the hash of those that rule on it, which is cheap to ask for. */
  readonly policies: {
    readonly hash: (subscriber: Subscriber) => string;
    readonly allow: (subscriber: Subscriber) => boolean;
  };
  readonly report: (failure: unknown) => void;
  /** The number of open connections changed by this. */
  readonly onChange?: (change: number) => void;
  /** We ended a connection, for the reason of this code. */
  readonly onCut?: (code: string) => void;
}

/** Who subscribes, and to which part of which tenant. */
export interface Subscriber {
  readonly principal: Principal;
  readonly tenantId: TenantId;
  readonly resource: ResourceClass;
}

/** Who subscribes to what. */
export interface Subscription extends Subscriber {
  readonly socket: Socket;
  /** undefined: from now on. */
  readonly after: number | undefined;
  readonly filter: SubscribeFilter;
}

const tendMs = 500;
/** Connections that are ruled on in one turn of the event loop. */
const ruledPerTurn = 200;
const connectionsMax = 10_000;
/** So that a tenant cannot take the room of all others. */
const tenantConnectionsMax = 2_500;

/** The open subscriptions. */
export class SubscriptionHub {
  readonly #dependencies: SubscriptionHubDependencies;
  readonly #feeds = new Map<TenantId, { readonly feed: TenantFeed; users: number }>();
  readonly #connections = new Map<SseConnection, OpenSubscription>();
  #closed = false;

  constructor(dependencies: SubscriptionHubDependencies) {
    this.#dependencies = dependencies;
  }

  /** Number of open subscriptions. */
  get size(): number {
    return this.#connections.size;
  }

  /** Bytes that wait in this process for all subscribers together. */
  get unsentBytes(): number {
    let sum = 0;
    for (const connection of this.#connections.keys()) sum += connection.unsentBytes;
    return sum;
  }

  /**
   * Makes sure that the tenant's feed runs and that there is room for one more.
   *
   * @throws EventplaneError `busy` at 10,000 connections or 2,500 of this tenant, `unavailable` when the log's end cannot be read
   */
  async open(tenantId: TenantId): Promise<FeedLease> {
    if (this.#closed || this.#connections.size >= connectionsMax) {
      throw new EventplaneError("busy", "This edge has no room for another subscription. Try again shortly.");
    }
    const entry = this.#feeds.get(tenantId) ?? { feed: new TenantFeed(tenantId, this.#dependencies), users: 0 };
    if (entry.users >= tenantConnectionsMax) {
      throw new EventplaneError("busy", "This tenant has as many subscriptions open here as one may have.");
    }
    this.#feeds.set(tenantId, entry);
    entry.users++;
    try {
      await entry.feed.start();
    } catch (error) {
      this.#release(tenantId);
      throw error;
    }
    return { feed: entry.feed, release: () => this.#release(tenantId) };
  }

  /** Serves one subscriber until it leaves or is cut; releases the lease. Never throws. */
  async serve(subscription: Subscription, lease: FeedLease): Promise<void> {
    const after = Math.min(subscription.after ?? lease.feed.position, Number.MAX_SAFE_INTEGER);
    const connection = new SseConnection({ ...subscription, after }, { ...this.#dependencies, feed: lease.feed });
    // Looked at again at the next look: policies may have changed since it was let in.
    this.#connections.set(connection, { ...subscription, policySetHash: "" });
    this.#dependencies.onChange?.(1);
    await connection.run();
    this.#connections.delete(connection);
    lease.release();
    this.#dependencies.onChange?.(-1);
    if (connection.end !== undefined) this.#dependencies.onCut?.(connection.end.code);
  }

  /** Cuts the connections whose credential was revoked or has expired. Called after every change of the platform's state. */
  cutRevoked(): void {
    for (const [connection, { principal }] of this.#connections) {
      if (this.#dependencies.isUsable(principal)) continue;
      connection.cut({
        code: "unauthenticated",
        detail: "The credential of this subscription was revoked or has expired.",
      });
    }
  }

  /** Cuts the connections that policies no longer allow. Only those whose policies changed are ruled on again. */
  async #cutForbidden(): Promise<void> {
    const { policies } = this.#dependencies;
    let ruled = 0;
    for (const [connection, open] of this.#connections) {
      const hash = policies.hash(open);
      if (hash === open.policySetHash) continue;
      open.policySetHash = hash;
      if (!policies.allow(open))
        connection.cut({ code: "forbidden", detail: "The policies no longer allow this subscription." });
      if (++ruled % ruledPerTurn === 0) await nextTurn();
    }
  }

  /** Looks after all connections until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#dependencies.clock.sleep(tendMs, signal).catch(() => undefined);
      this.cutRevoked();
      await this.#cutForbidden();
      for (const connection of this.#connections.keys()) connection.tend();
      for (const { feed } of this.#feeds.values()) feed.forget();
    }
  }

  /** Ends every connection with a reason and stops the feeds. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections.keys()) {
      connection.cut({ code: "unavailable", detail: "This edge is stopping. Connect again with Last-Event-ID." });
    }
    await Promise.all([...this.#feeds.values()].map(({ feed }) => feed.close()));
    await this.#dependencies.log.close();
  }

  #release(tenantId: TenantId): void {
    const entry = this.#feeds.get(tenantId);
    if (entry === undefined) return;
    entry.users--;
    if (entry.users > 0) return;
    this.#feeds.delete(tenantId);
    void entry.feed.close();
  }
}

interface OpenSubscription extends Subscriber {
  /** Of the policies under which it was last allowed. */
  policySetHash: string;
}

/** A running feed, held for one subscriber. */
export interface FeedLease {
  readonly feed: TenantFeed;
  readonly release: () => void;
}

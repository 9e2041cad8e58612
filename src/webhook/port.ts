/** Where deliveries are kept: rows of what is under way, each webhook's place in the log, and the last attempts. */
import type { TenantId } from "../kernel/index.js";

/** The name of one webhook. */
export interface WebhookKey {
  readonly tenantId: TenantId;
  readonly id: string;
}

/** How far a webhook is. */
export interface WebhookPlace {
  /** Every event up to here that it means has, or had, a row. */
  readonly position: number;
  /** Rows that are not done: due, under way, or waiting for another attempt. Dead letters are none of them. */
  readonly waiting: number;
  /** RFC 3339; null: the last that ended succeeded, or nothing has ended. */
  readonly failingSince: string | null;
}

/** An event that a webhook means. */
export interface OfferedEvent {
  readonly id: string;
  readonly position: number;
  readonly aggregateType: string;
  readonly aggregateId: string;
}

/** A row that this process may send until its lease ends. */
export interface DeliveryClaim {
  readonly webhook: WebhookKey;
  readonly eventId: string;
  readonly position: number;
  /** From 1, this one counted. */
  readonly attempt: number;
  readonly leaseToken: string;
}

/** What a process has room for. */
export interface WantedDeliveries {
  readonly webhook: WebhookKey;
  readonly limit: number;
  /** Deliveries of it that may be under way at once, in all processes together. */
  readonly parallel: number;
}

/** What an attempt meant for its delivery. `withheld`: its owner may not see the event any more. */
export type DeliveryResult = "delivered" | "withheld" | "retried" | "dead";

/** How an attempt ended. */
export interface DeliveryEnd {
  readonly result: DeliveryResult;
  readonly status: number | null;
  /** Why there is no status. */
  readonly reason: string | null;
  readonly tookMs: number;
  /** Of `retried`. */
  readonly retryAfterMs?: number;
  /** Of `retried` and `dead`; no payloads. */
  readonly message?: string;
}

/** One of the last attempts. */
export interface DeliveryAttempt {
  readonly eventId: string;
  readonly position: number;
  readonly attempt: number;
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly result: DeliveryResult;
  readonly status: number | null;
  readonly reason: string | null;
  readonly tookMs: number;
}

/** What the edge shows. */
export interface DeliveryReader {
  /** Undefined: nothing was looked at yet. */
  place(webhook: WebhookKey): Promise<WebhookPlace | undefined>;
  /** The last attempts, newest first; at most `attemptsKept`. */
  attempts(webhook: WebhookKey): Promise<readonly DeliveryAttempt[]>;
}

/** Attempts of a webhook that are kept. */
export const attemptsKept = 100;

/** Every method throws `unavailable` when the store cannot be reached. */
export interface DeliveryStore {
  /** By id; those that were looked at. */
  places(webhooks: readonly WebhookKey[]): Promise<ReadonlyMap<string, WebhookPlace>>;
  /** Makes rows and moves the place in one commit. @returns false when another process has moved it, and nothing was done */
  offer(
    webhook: WebhookKey,
    news: { readonly from: number; readonly to: number; readonly events: readonly OfferedEvent[] },
  ): Promise<boolean>;
  /** Leases due rows, the lowest positions first. */
  claim(wanted: readonly WantedDeliveries[], leaseMs: number): Promise<readonly DeliveryClaim[]>;
  /** Ends one. @returns for how many seconds nothing has succeeded; undefined when the lease was lost */
  end(claim: DeliveryClaim, end: DeliveryEnd): Promise<number | undefined>;
  /** Hands one back as if it had not been claimed. */
  release(claim: DeliveryClaim, dueAfterMs: number): Promise<void>;
  /** Makes all that waits for another attempt due now. */
  hurry(webhook: WebhookKey): Promise<void>;
  /** Forgets webhooks that are no more, dead letters too. */
  forget(webhooks: readonly WebhookKey[]): Promise<void>;
}

/** What this process knows of one webhook while it sends to it. */
import { Breaker, type Clock } from "../kernel/index.js";
import type { WebhookEntry } from "./directory.js";
import type { WebhookPlace } from "./port.js";

/** Failures in a row after which a receiver is left alone, and for how long before it is tried once. */
const breakerOptions = { failures: 5, openMs: 10_000 } as const;

/** One webhook's deliveries, as far as this process is concerned. */
export class Lane {
  /** As it is now. */
  webhook: WebhookEntry;
  readonly breaker: Breaker;
  /** As the store told it last, with what this process has done since; undefined: to be asked for. */
  place: WebhookPlace | undefined;
  /** The log was looked through up to here; at least as far as the place says. */
  looked = 0;
  /** When the log was looked through for it, compared with the others of its tenant. */
  turn = 0;
  inFlight = 0;
  /** There is more in the log than was looked at. */
  isBehind = false;
  /** Monotonic time before which nothing of it can be due, as far as this process knows. */
  dueAtMs = 0;
  /** Monotonic time until which the receiver wants to be left alone. */
  quietUntilMs = 0;

  constructor(webhook: WebhookEntry, clock: Pick<Clock, "monotonicMs">) {
    this.webhook = webhook;
    this.breaker = new Breaker(breakerOptions, clock);
  }

  /** How many deliveries may begin at `nowMs`, as far as the receiver is concerned. */
  roomAt(nowMs: number): number {
    if (nowMs < this.quietUntilMs || nowMs < this.dueAtMs) return 0;
    return Math.max(0, Math.min(this.webhook.parallel - this.inFlight, this.breaker.room));
  }

  /** The next time after `nowMs` at which there may be room, if that is known. */
  opensAtMs(nowMs: number): number {
    const at = Math.max(this.quietUntilMs, this.dueAtMs, this.breaker.triesAtMs ?? 0);
    return at > nowMs && this.inFlight < this.webhook.parallel ? at : Number.POSITIVE_INFINITY;
  }

  /** What the store says. */
  see(place: WebhookPlace): void {
    this.place = place;
    this.looked = Math.max(this.looked, place.position);
  }
}

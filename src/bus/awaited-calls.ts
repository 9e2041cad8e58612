/** The calls of one subscription whose promises are waited for, within the time that each may take. */
import type { ConsumerHost } from "./consumer-parts.js";
import type { Delivery } from "./delivery.js";
import { DeliverySet } from "./delivery-set.js";
import { PendingCall, type PendingCallEnds } from "./pending-call.js";
import { coarseSlackMs, WheelTimer } from "./timer-wheel.js";

/** What is done at the end of a call. None of them throws. */
export interface AwaitedCallEnds {
  /** It began then, if it was measured. */
  readonly done: (delivery: Delivery, beganAtMs: number) => void;
  readonly failed: (delivery: Delivery, error: unknown) => void;
  readonly ranOutOfTime: (delivery: Delivery) => void;
  /** A call that had run out of time was answered all the same. */
  readonly late: () => void;
}

/** Calls kept for the next ones. */
const freeCallsMax = 64;

/**
 * Waits for calls. All calls of a subscription may take equally long, so the one that began first is the first that runs out of time: one timer of the
 * wheel for that one is enough, whatever the number of calls. When it fires, it is set for the oldest call that is left.
 */
export class AwaitedCalls {
  /** The deliveries that keep a slot: their calls are waited for, or their next attempts. */
  readonly underWay: DeliverySet = new DeliverySet();
  readonly #timeoutMs: number;
  readonly #host: ConsumerHost;
  readonly #ends: AwaitedCallEnds;
  readonly #free: PendingCall[] = [];
  readonly #callEnds: PendingCallEnds = {
    done: (call) => this.#done(call),
    failed: (call, error) => this.#failed(call, error),
  };
  readonly #timer = new WheelTimer(() => this.#look());
  /** Whether the timer is under way, or what it does when it fires. */
  #isTimed = false;

  constructor(timeoutMs: number, host: ConsumerHost, ends: AwaitedCallEnds) {
    this.#timeoutMs = timeoutMs;
    this.#host = host;
    this.#ends = ends;
  }

  /** Begins to wait for what a handler answered. Throws what asking it throws; nothing is waited for then. */
  wait(answer: PromiseLike<unknown>, beganAtMs: number): PendingCall {
    const call = this.#free.pop() ?? new PendingCall(this.#callEnds);
    call.wait(answer);
    call.beganAtMs = beganAtMs;
    return call;
  }

  /** The call is one for this delivery. */
  begin(delivery: Delivery, call: PendingCall): void {
    call.delivery = delivery;
    delivery.call = call;
    this.underWay.add(delivery);
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return;
    delivery.dueMs = this.#host.coarse.monotonicMs() + this.#timeoutMs + coarseSlackMs;
    if (!this.#isTimed) this.#time(delivery.dueMs);
  }

  /** The delivery gives its slot back, or keeps it without a call; `reason`: the call is to stop. */
  end(delivery: Delivery, reason?: Error): void {
    delivery.end(reason);
    this.underWay.delete(delivery);
    // A process does not stay alive for nothing.
    if (this.underWay.size === 0 && this.#host.wheel.cancel(this.#timer)) this.#isTimed = false;
  }

  #done(call: PendingCall): void {
    const delivery = this.#answered(call);
    if (delivery !== undefined) this.#ends.done(delivery, call.beganAtMs);
  }

  #failed(call: PendingCall, error: unknown): void {
    const delivery = this.#answered(call);
    if (delivery !== undefined) this.#ends.failed(delivery, error);
  }

  /** The call's promise has settled, so that it may serve the next one. @returns undefined when the time-out came before */
  #answered(call: PendingCall): Delivery | undefined {
    const { delivery } = call;
    if (this.#free.length < freeCallsMax) this.#free.push(call);
    if (delivery === undefined) this.#ends.late();
    else this.end(delivery);
    return delivery;
  }

  #time(dueMs: number): void {
    this.#isTimed = true;
    this.#host.wheel.startAt(this.#timer, dueMs);
  }

  #look(): void {
    const now = this.#host.clock.monotonicMs();
    // The slots of those let other calls begin: none of these may set the timer, because older ones are left.
    for (const delivery of this.underWay.all())
      if (delivery.call !== undefined && delivery.dueMs <= now) this.#ends.ranOutOfTime(delivery);
    this.#isTimed = false;
    let next = Number.POSITIVE_INFINITY;
    for (const { call, dueMs } of this.underWay.all()) if (call !== undefined) next = Math.min(next, dueMs);
    if (next !== Number.POSITIVE_INFINITY) this.#time(next);
  }
}

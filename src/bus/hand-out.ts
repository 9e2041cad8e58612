/** Hands events to subscriptions, one event after the other, also those that handlers publish meanwhile. */
import type { Clock } from "../kernel/index.js";
import type { AcceptedEvent } from "./accepted-event.js";
import { busLimits } from "./bus-limits.js";
import type { Consumer } from "./consumer.js";
import type { Settlement } from "./settlement.js";

/** How long other work has the thread. */
const otherWorkMs = 1;

/** An accepted event with the subscriptions that it goes to. */
export interface Outgoing {
  readonly consumers: readonly Consumer[];
  readonly event: AcceptedEvent;
  readonly settlement: Settlement | undefined;
}

interface Waiting extends Outgoing {
  readonly admit: (blocked: Promise<void> | undefined) => void;
}

/**
 * Keeps the order in which events were accepted: what a handler publishes goes out after the event that it handles went to everybody, without
 * recursion. After 1,000 of those in a row other work gets its turn, so a handler that answers itself for ever stops nobody.
 */
export class HandOut {
  readonly #clock: Clock;
  #isBusy = false;
  #waiting: Waiting[] = [];
  #idle: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether no more events are taken now. */
  get isFull(): boolean {
    return this.#isBusy && this.#waiting.length >= busLimits.nestedMax;
  }

  /** How many more events are taken while one is handed out. */
  get room(): number {
    return this.#isBusy ? busLimits.nestedMax - this.#waiting.length : Number.POSITIVE_INFINITY;
  }

  /** Events that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when no event waits. */
  idle(): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Hands an event out now or in its turn. Never throws. @returns a promise when the publisher is to wait */
  give(
    consumers: readonly Consumer[],
    event: AcceptedEvent,
    settlement: Settlement | undefined,
  ): Promise<void> | undefined {
    if (this.#isBusy) return this.#wait({ consumers, event, settlement });
    this.#isBusy = true;
    try {
      return fanOut(consumers, event, settlement);
    } finally {
      // Also when the publisher's stack is full: what is published next must not wait for this.
      if (this.#waiting.length === 0) this.#isBusy = false;
      else this.#goOn();
    }
  }

  #wait(outgoing: Outgoing): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ ...outgoing, admit: (blocked) => resolve(blocked) });
    });
  }

  #goOn(): void {
    for (let left: number = busLimits.nestedPerTurnMax; left > 0 && this.#waiting.length > 0; ) {
      const batch = this.#take(left);
      for (const { consumers, event, settlement, admit } of batch) admit(fanOut(consumers, event, settlement));
      left -= batch.length;
    }
    if (this.#waiting.length > 0) {
      void this.#clock.sleep(otherWorkMs).then(() => this.#goOn());
      return;
    }
    this.#isBusy = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const tell of idle) tell();
  }

  #take(max: number): readonly Waiting[] {
    if (this.#waiting.length > max) return this.#waiting.splice(0, max);
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }
}

function fanOut(
  consumers: readonly Consumer[],
  event: AcceptedEvent,
  settlement: Settlement | undefined,
): Promise<void> | undefined {
  let blocked: Promise<void>[] | undefined;
  for (const consumer of consumers) {
    const admitted = consumer.offer(event, settlement);
    if (admitted !== undefined) (blocked ??= []).push(admitted);
  }
  settlement?.handedOut();
  return blocked === undefined ? undefined : Promise.all(blocked).then(() => undefined);
}

/** Gathers what became of one event at each subscription that it went to. */

import type { BusEvent } from "./accepted-event.js";

/** How a delivery ended. `dropped`: an overflow policy, a withdrawn permit or an end of the subscription took it from the queue. */
export type OutcomeKind = "done" | "failed" | "dropped";

/** What became of an event at one subscription. */
export interface HandlerOutcome {
  readonly subscription: string;
  readonly outcome: OutcomeKind;
  /** Calls of the handler; 0 when it was never called. */
  readonly attempts: number;
  /** What the last call threw, as it was thrown; only of `failed`. */
  readonly error?: unknown;
}

/** What became of an event everywhere. */
export interface SettledEvent {
  readonly id: string;
  readonly outcomes: readonly HandlerOutcome[];
}

/** Tells once every delivery that was begun has ended and no more will be begun. */
export class Settlement {
  readonly #event: BusEvent;
  readonly #resolve: (settled: SettledEvent) => void;
  /** A list of one is made for the first, as most events have one. */
  #outcomes: HandlerOutcome[] | undefined = undefined;
  /** The hand-out itself counts as one. */
  #left = 1;

  constructor(event: BusEvent, resolve: (settled: SettledEvent) => void) {
    this.#event = event;
    this.#resolve = resolve;
  }

  /** A delivery begins. */
  begin(): void {
    this.#left++;
  }

  /** A delivery ended. */
  end(outcome: HandlerOutcome): void {
    if (this.#outcomes === undefined) this.#outcomes = [outcome];
    else this.#outcomes.push(outcome);
    this.handedOut();
  }

  /** No more deliveries begin; also counts one down for the hand-out. */
  handedOut(): void {
    if (--this.#left === 0) this.#resolve({ id: this.#event.id, outcomes: this.#outcomes ?? [] });
  }
}

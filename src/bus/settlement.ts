/** Gathers what became of one event at each subscription that it went to. */

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

/** Resolves once every delivery that was begun has ended and no more will be begun. */
export class Settlement {
  readonly #outcomes: HandlerOutcome[] = [];
  readonly #resolve: (outcomes: readonly HandlerOutcome[]) => void;
  /** The hand-out itself counts as one. */
  #left = 1;

  constructor(resolve: (outcomes: readonly HandlerOutcome[]) => void) {
    this.#resolve = resolve;
  }

  /** A delivery begins. */
  begin(): void {
    this.#left++;
  }

  /** A delivery ended. */
  end(outcome: HandlerOutcome): void {
    this.#outcomes.push(outcome);
    this.handedOut();
  }

  /** No more deliveries begin; also counts one down for the hand-out. */
  handedOut(): void {
    if (--this.#left === 0) this.#resolve(this.#outcomes);
  }
}

/**
 * Follows the platform log, so that this edge knows tenants and keys itself and can prove how fresh that knowledge is.
 *
 * A round reads from the last position to the end and verifies every event. The knowledge is as old as the beginning of
 * the last round that reached the end; older than 900 ms, and every request is refused (DESIGN §13.8).
 */
import type { EventRow } from "../../event/index.js";
import { type Clock, type Doorbell, EventplaneError, PLATFORM_TENANT_ID } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import type { KeyEntry } from "./key-book.js";
import { PlatformState } from "./state.js";

/** Knowledge older than this refuses requests, milliseconds. */
const staleAfterMs = 900;

const pollMs = 200;
const pageEvents = 500;
const catchUpTimeoutMs = 5_000;

/** What the fold needs. */
export interface PlatformFoldDependencies {
  readonly reader: LogReader;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  /** Throws unless the event is proven by a key of the right tier; learns introduced keys. */
  readonly verify: (row: EventRow) => void | Promise<void>;
  /** Hears of the first failure of a series, and of its end. */
  readonly report?: (failure: unknown) => void;
}

/** The platform's state with its freshness. */
export class PlatformFold {
  readonly #dependencies: PlatformFoldDependencies;
  readonly #state = new PlatformState();
  readonly #changed = new Set<() => void>();
  #freshFromMs = Number.NEGATIVE_INFINITY;
  #failing: unknown;
  /** What reads now. */
  #round: Promise<void> | undefined;
  /** What reads after it, for all who asked meanwhile. */
  #upcoming: Promise<void> | undefined;

  constructor(dependencies: PlatformFoldDependencies) {
    this.#dependencies = dependencies;
  }

  /** What is known, without a look at its age. */
  get state(): PlatformState {
    return this.#state;
  }

  /** Whether a round that began at most 900 ms ago reached the end of the log. */
  get isFresh(): boolean {
    return this.#dependencies.clock.monotonicMs() - this.#freshFromMs <= staleAfterMs;
  }

  /** Why the last round failed; undefined when it did not. */
  get failure(): unknown {
    return this.#failing;
  }

  /**
   * The state, if it is fresh.
   *
   * @throws EventplaneError `platform_stale`
   */
  fresh(): PlatformState {
    if (this.isFresh) return this.#state;
    throw new EventplaneError(
      "platform_stale",
      "This edge cannot prove that it knows the latest keys and tenants, so it refuses. Try again shortly.",
    );
  }

  /** Calls `listener` after each round that applied events. @returns the function that stops it */
  onChange(listener: () => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  /** The entry of a key, if the state is fresh and the key is known. */
  key(keyId: string): KeyEntry | undefined {
    return this.fresh().key(keyId);
  }

  /**
   * Reads until the log's end as it was when the call began, so that what the caller just wrote is known.
   *
   * @throws EventplaneError what the round failed with; `timeout` when `position` is not reached within 5 s
   */
  async catchUp(position = 0): Promise<void> {
    const { clock } = this.#dependencies;
    const deadline = clock.monotonicMs() + catchUpTimeoutMs;
    await this.nextRound();
    while (this.#state.position < position) {
      if (clock.monotonicMs() > deadline)
        throw new EventplaneError("timeout", "The platform log was not read in time.");
      await this.nextRound();
    }
  }

  /** Follows the log until `signal` aborts: at each ring of the doorbell and at least every 200 ms. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const rung = this.#rung(signal);
      try {
        await this.nextRound();
        this.#note(undefined);
      } catch (error) {
        this.#note(error);
      }
      await rung.wait();
    }
  }

  /**
   * The round that begins next, and so holds all that was appended before the call. However many ask, it is one.
   *
   * @throws EventplaneError what the round failed with
   */
  nextRound(): Promise<void> {
    return (this.#upcoming ??= this.#readNext());
  }

  /** Rounds never overlap. */
  async #readNext(): Promise<void> {
    await this.#round?.catch(() => undefined);
    this.#upcoming = undefined;
    this.#round = this.#readToEnd();
    try {
      await this.#round;
    } finally {
      this.#round = undefined;
    }
  }

  async #readToEnd(): Promise<void> {
    const { reader, clock, verify } = this.#dependencies;
    const beganMs = clock.monotonicMs();
    const before = this.#state.position;
    for (;;) {
      const rows = await reader.read(PLATFORM_TENANT_ID, { after: this.#state.position, limit: pageEvents });
      for (const row of rows) {
        await verify(row);
        this.#state.apply(row);
      }
      if (rows.length < pageEvents) break;
    }
    this.#freshFromMs = beganMs;
    if (this.#state.position > before) for (const listener of this.#changed) listener();
  }

  #note(failure: unknown): void {
    const differs = (failure === undefined) !== (this.#failing === undefined);
    this.#failing = failure;
    if (differs) this.#dependencies.report?.(failure);
  }

  /** Listens from now on, so that a ring during the round is not lost. */
  #rung(signal: AbortSignal): { wait(): Promise<void> } {
    const { doorbell, clock } = this.#dependencies;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const stop = doorbell.listen(wake, PLATFORM_TENANT_ID);
    signal.addEventListener("abort", wake, { once: true });
    return {
      wait: async () => {
        await clock.sleep(pollMs, woken.signal).catch(() => undefined);
        signal.removeEventListener("abort", wake);
        stop();
      },
    };
  }
}

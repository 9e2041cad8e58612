/** The loop that acts on what administrators ask of controllers. */
import type { EventRow, Verifier } from "../../event/index.js";
import {
  backoffMs,
  type Clock,
  type Doorbell,
  isEventplaneError,
  PLATFORM_TENANT_ID,
  type Random,
} from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import type { LogReader, ResourceLoader } from "../../store/index.js";
import { describeFailure, Wakeup, type WorkStore } from "../../work/index.js";
import type { Appending } from "../attempt.js";
import { applyChange } from "./apply-change.js";
import { changeAggregate, changeOf } from "./change-fact.js";

/** How to make the loop. */
export interface ControllerChangesOptions {
  readonly reader: LogReader;
  readonly verifier: Verifier;
  readonly loader: ResourceLoader;
  /** The coalescer of the runtime tier. */
  readonly appending: Appending;
  readonly work: Pick<WorkStore, "wake" | "forget" | "changesPlace" | "moveChanges">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly doorbell?: Doorbell;
  /** Upper bound of the wait between two looks; default 1 s. */
  readonly pollMs?: number;
}

const pollMsDefault = 1_000;
const factsPerRead = 100;
const failureBackoff = { baseMs: 500, capMs: 30_000 } as const;
/** Tries of one fact before it is left out with an error in the log. */
const triesMax = 10;

/**
 * Backfills and retires controllers, fact by fact in the order of the platform's log. Any number of processes may do so, of
 * whatever version of the app: what they do twice adds nothing.
 */
export class ControllerChanges {
  readonly #options: ControllerChangesOptions;
  readonly #wakeup: Wakeup;
  /** Failures in a row at one position. */
  #failures = 0;

  constructor(options: ControllerChangesOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Runs until `signal` aborts. Failures are logged and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { doorbell, pollMs = pollMsDefault, random } = this.#options;
    const stop = doorbell?.listen(() => this.#wakeup.ring(), PLATFORM_TENANT_ID);
    try {
      while (!signal.aborted) {
        const isDone = await this.#tryAll(signal);
        const backoff = backoffMs(this.#failures, { ...failureBackoff, random });
        await this.#wakeup.wait(isDone ? pollMs : backoff, signal);
      }
    } finally {
      stop?.();
    }
  }

  /** Acts on all that was asked so far. For tests and planes on a virtual clock. @throws as {@link applyChange} */
  async settle(): Promise<void> {
    await this.#all();
  }

  async #tryAll(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#all(signal);
      this.#failures = 0;
      return true;
    } catch (error) {
      if (isEventplaneError(error, "aborted")) return true;
      this.#failures += 1;
      const { code, message } = describeFailure(error, "A change of controllers");
      this.#options.logger.warn(
        { code, reason: message, failures: this.#failures },
        "A change of controllers is tried again",
      );
      return false;
    }
  }

  async #all(signal?: AbortSignal): Promise<void> {
    const { reader, work } = this.#options;
    for (;;) {
      const from = (await work.changesPlace())?.position ?? 0;
      const query = { filter: { aggregateType: changeAggregate }, after: from, limit: factsPerRead };
      const rows = await reader.read(PLATFORM_TENANT_ID, query);
      for (const [index, row] of rows.entries()) {
        await this.#act(row, signal);
        const before = rows[index - 1]?.position ?? from;
        if (!(await work.moveChanges(before, row))) break;
        this.#failures = 0;
      }
      if (rows.length < factsPerRead) return;
    }
  }

  async #act(row: EventRow, signal: AbortSignal | undefined): Promise<void> {
    const { logger, verifier } = this.#options;
    const fields = { position: row.position, controller: row.aggregateId, type: row.type };
    try {
      verifier.verify(row);
      const change = changeOf(row);
      if (change === undefined) return;
      const applied = await applyChange(change, this.#options, signal);
      logger.info({ ...fields, tenantId: change.tenantId, ...applied }, "A change of a controller was made");
    } catch (error) {
      if (isEventplaneError(error, "aborted") || this.#failures < triesMax - 1) throw error;
      const { code, message } = describeFailure(error, "A change of controllers");
      logger.error({ ...fields, code, reason: message }, "A change of a controller is left out; ask for it again");
    }
  }
}

/**
 * Drains one intake: claims rows, publishes them in the order of their streams, writes down what became of them.
 *
 * Exactly once needs no transaction over two databases: the id of an event follows from its row, so a row that is published
 * again, after a mark that was lost, is answered by the log with what is there (P5).
 */
import {
  backoffMs,
  type Clock,
  EventplaneError,
  type IdSource,
  isEventplaneError,
  type Random,
} from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import { Wakeup } from "../work/index.js";
import type { IntakeMark, IntakeOutcome, IntakeRow, IntakeStanding, IntakeTable } from "./port.js";

/** What a drainer needs. */
export interface IntakeDrainerParts {
  readonly name: string;
  readonly table: IntakeTable;
  /** Publishes a row. Failures that are no EventplaneError become refusals, for somebody to look at. */
  readonly publish: (row: IntakeRow) => Promise<IntakeOutcome>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "intakeDrained" | "intakeStanding">;
  readonly pollMs: number;
  readonly keepAcceptedMs: number;
}

/** Rows that a drainer holds at once, and of them those of one tenant before it is left out of the next claim. */
const heldRowsMax = 256;
const heldRowsOfTenantMax = 32;
const claimRowsMax = 128;
const markRowsMax = 256;
const leaseMs = 30_000;
/** After so much of the lease no further row is begun: the others are given back. */
const beginWithinMs = leaseMs / 2;
const lookMs = 5_000;
const retryBackoff = { baseMs: 100, capMs: 30_000 } as const;
const tableBackoff = { baseMs: 100, capMs: 10_000 } as const;

/** Any number of drainers, in any number of processes, may drain one intake. */
export class IntakeDrainer {
  readonly #parts: IntakeDrainerParts;
  readonly #wakeup: Wakeup;
  /** Marks of this drainer count while rows have it. */
  readonly #claim: string;
  readonly #held = new Map<string, number>();
  readonly #streams = new Set<Promise<void>>();
  #marks: IntakeMark[] = [];
  #marking: Promise<void> | undefined;
  #after = "";
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #standing: IntakeStanding | undefined;
  #failures = 0;

  constructor(parts: IntakeDrainerParts) {
    this.#parts = parts;
    this.#wakeup = new Wakeup(parts.clock);
    this.#claim = parts.ids.uuid4();
  }

  /** For /readyz: that the table cannot be reached, and how many rows wait for somebody's decision. */
  get degraded(): readonly string[] {
    const { name } = this.#parts;
    const refused = this.#standing?.refused ?? 0;
    return [
      ...(this.#failures === 0 ? [] : [`intake_unreachable: ${name}`]),
      ...(refused === 0 ? [] : [`intake_refused: ${name} rows ${refused}`]),
    ];
  }

  /** Looks at once. */
  wake(): void {
    this.#wakeup.ring();
  }

  /** Runs until `signal` aborts; rows that are under way are finished, the others given back. */
  async run(signal: AbortSignal): Promise<void> {
    const { pollMs, random } = this.#parts;
    while (!signal.aborted) {
      try {
        const isMore = await this.#claimSome(signal);
        await this.#look();
        this.#failures = 0;
        if (!isMore) await this.#wakeup.wait(pollMs, signal);
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        this.#failed(error);
        await this.#wakeup.wait(backoffMs(this.#failures, { ...tableBackoff, random }), signal);
      }
    }
    await Promise.all(this.#streams);
    await this.#marking;
  }

  /** @returns whether there may be more to claim at once */
  async #claimSome(signal: AbortSignal): Promise<boolean> {
    const room = heldRowsMax - [...this.#held.values()].reduce((sum, rows) => sum + rows, 0);
    if (room <= 0) return false; // the end of a stream wakes it
    const without = [...this.#held].flatMap(([tenant, rows]) => (rows >= heldRowsOfTenantMax ? [tenant] : []));
    const { clock, table } = this.#parts;
    const untilMs = clock.monotonicMs() + beginWithinMs;
    const rowsMax = Math.min(room, claimRowsMax);
    const rows = await table.claim({ claim: this.#claim, after: this.#after, without, rowsMax, leaseMs });
    const isFromStart = this.#after === "";
    this.#after = rows.reduce((last, { tenant }) => (tenant > last ? tenant : last), "");
    for (const stream of streamsOf(rows)) this.#begin(stream, { untilMs, signal });
    return rows.length > 0 || !isFromStart;
  }

  #begin(rows: readonly IntakeRow[], until: { readonly untilMs: number; readonly signal: AbortSignal }): void {
    const tenant = rows[0]?.tenant ?? "";
    this.#held.set(tenant, (this.#held.get(tenant) ?? 0) + rows.length);
    const stream = this.#drain(rows, until).finally(() => {
      this.#streams.delete(stream);
      const left = (this.#held.get(tenant) ?? 0) - rows.length;
      if (left > 0) this.#held.set(tenant, left);
      else this.#held.delete(tenant);
      this.#wakeup.ring();
    });
    this.#streams.add(stream);
  }

  /** One stream in its order: after a row that nobody knows the end of, none is tried. */
  async #drain(
    rows: readonly IntakeRow[],
    { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock, random } = this.#parts;
    let isHeldUp = false;
    let delayMs = 0;
    for (const row of rows) {
      if (isHeldUp || signal.aborted || clock.monotonicMs() > untilMs) {
        this.#mark({ row, outcome: { result: "released" }, delayMs });
        continue;
      }
      const outcome = await this.#publish(row);
      if (outcome.result === "later") {
        isHeldUp = true;
        delayMs = backoffMs(row.attempts + 1, { ...retryBackoff, random });
      }
      this.#mark({ row, outcome, delayMs });
    }
    await this.#marking;
  }

  async #publish(row: IntakeRow): Promise<IntakeOutcome> {
    const { name, publish, logger, metrics } = this.#parts;
    const outcome = await publish(row).catch((error: unknown): IntakeOutcome => {
      logger.error({ intake: name, rowId: row.rowId, error }, "A row of an intake failed inside Eventplane");
      const message = "The row failed inside Eventplane. The log has the cause under its row id.";
      return { result: "refused", error: new EventplaneError("internal", message, { cause: error }) };
    });
    const result = outcome.result === "accepted" && outcome.isRepeated ? "repeated" : outcome.result;
    metrics.intakeDrained({ intake: name, result });
    if (outcome.result === "refused") {
      const { code } = outcome.error;
      logger.warn(
        { intake: name, rowId: row.rowId, code },
        "An intent of an intake was refused; it stays in its table",
      );
    }
    return outcome;
  }

  /** Marks of all streams go together; while one statement is under way the next ones gather. */
  #mark(mark: IntakeMark): void {
    this.#marks.push(mark);
    this.#marking ??= this.#writeMarks();
  }

  /** A mark that is lost costs its row one repetition, when the lease has ended. */
  async #writeMarks(): Promise<void> {
    while (this.#marks.length > 0) {
      const marks = this.#marks.splice(0, markRowsMax);
      try {
        await this.#parts.table.mark(this.#claim, marks);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#marking = undefined;
  }

  async #look(): Promise<void> {
    const { clock, table, metrics, name, keepAcceptedMs } = this.#parts;
    if (clock.monotonicMs() < this.#lookAtMs) return;
    this.#lookAtMs = clock.monotonicMs() + lookMs;
    this.#standing = await table.standing();
    metrics.intakeStanding({ intake: name, ...this.#standing });
    await table.deleteAccepted(keepAcceptedMs);
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    const { logger, name } = this.#parts;
    const code = isEventplaneError(error) ? error.code : "internal";
    if (this.#failures === 1)
      logger.warn({ intake: name, code, error }, "The database of an intake does not answer; it is tried again");
  }
}

/** By tenant and stream, each in its order. */
function streamsOf(rows: readonly IntakeRow[]): readonly (readonly IntakeRow[])[] {
  const streams = new Map<string, IntakeRow[]>();
  for (const row of rows) {
    const name = JSON.stringify([row.tenant, row.stream]);
    const stream = streams.get(name);
    if (stream === undefined) streams.set(name, [row]);
    else stream.push(row);
  }
  return [...streams.values()];
}

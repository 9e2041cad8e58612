/** The event log of a bus: what happened, for people and machines that read it later, without ever being in the way of it. */
import { type Clock, EventplaneError, isEventplaneError, type JsonObject } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import { busLimits } from "./bus-limits.js";
import { isThenable } from "./callback.js";
import type { CoarseClock } from "./coarse-clock.js";
import type { DeliveryFailure } from "./consumer-parts.js";
import { cleanEntry, eventEntry, timeText } from "./event-entry.js";
import {
  type EventLogFields,
  type EventLogger,
  type EventLogLevel,
  type LogEntry,
  stdoutLogger,
} from "./event-logger.js";
import type { FoundValues } from "./found-values.js";
import type { Redaction } from "./redaction.js";
import { type RepeatedRefusal, RepeatedRefusals } from "./repeated-refusals.js";

/** What is logged, and where. */
export interface LogOptions {
  /** Lines of JSON on standard output by default. */
  readonly to?: EventLogger;
  /** `info` by default. */
  readonly level?: EventLogLevel;
  /** Whether the payloads and metadata of events are logged, redacted; false by default. */
  readonly payloads?: boolean;
}

/** Counts of the event log, of all contexts of a bus. */
export interface LogStatus {
  /** Entries that the logger took, and that wait for it. */
  readonly written: number;
  readonly waiting: number;
  /** Entries for which the logger threw or rejected, and those for which there was no room. */
  readonly failed: number;
  readonly dropped: number;
}

/** Somebody was refused. */
export interface Refusal {
  readonly what: "publication" | "subscription" | "message";
  readonly context: string;
  readonly principal?: string | undefined;
  readonly source?: string | undefined;
  readonly error: unknown;
  /** What was to be published. */
  readonly draft?: {
    readonly topic: string;
    readonly payload: unknown;
    readonly options: { readonly principal?: string; readonly schemaVersion?: number };
  };
  /** Topic of a message: its body is nobody's event yet. */
  readonly topic?: string;
}

/** Something else that happened in a context: `fields` are names, numbers and errors, never parts of an event. */
export interface Happening {
  readonly level: EventLogLevel;
  readonly message: string;
  readonly fields: EventLogFields;
}

/** What the log needs. */
interface LogParts {
  readonly clock: Clock;
  readonly coarse: CoarseClock;
  readonly redaction: Redaction;
}

const levels: readonly EventLogLevel[] = ["debug", "info", "warn", "error"];
/** Between two turns of writing. */
const otherWorkMs = 1;

/** Takes what happened at once, and makes entries of it and hands them to the logger in turns of its own. */
export class EventLog {
  readonly #logger: EventLogger;
  readonly #levelMin: number;
  readonly #withPayloads: boolean;
  readonly #parts: LogParts;
  readonly #refusals = new RepeatedRefusals();
  #waiting: (() => LogEntry)[] = [];
  #isWriting = false;
  #underWay = 0;
  #written = 0;
  #failed = 0;
  #dropped = 0;
  #droppedTold = 0;
  #changed: (() => void)[] = [];

  /** @throws EventplaneError `config_invalid` */
  constructor(options: LogOptions, parts: LogParts) {
    const { to = stdoutLogger(), level = "info", payloads = false } = options;
    if (!levels.every((name) => typeof to[name] === "function"))
      throw new EventplaneError("config_invalid", `The option log.to has the methods ${levels.join(", ")}.`);
    if (!levels.includes(level))
      throw new EventplaneError("config_invalid", `The option log.level is ${levels.join(", ")}.`);
    this.#logger = to;
    this.#levelMin = levels.indexOf(level);
    this.#withPayloads = payloads;
    this.#parts = parts;
  }

  /** Counts up to now. */
  status(): LogStatus {
    const waiting = this.#waiting.length + this.#underWay;
    return { written: this.#written, waiting, failed: this.#failed, dropped: this.#dropped };
  }

  /** An event was accepted. */
  accepted(event: BusEvent): void {
    if (this.#levelMin > 1) return;
    this.#add(() => ({
      level: "info",
      fields: { at: timeText(event.atMs), ...this.#entryOf(event) },
      message: "event accepted",
    }));
  }

  /** Somebody was refused: the first of a minute at once, the others of the same kind together. */
  refused({ what, context, source, error, draft, ...others }: Refusal): void {
    if (this.#levelMin > 2) return;
    const { topic = draft?.topic, principal = draft?.options.principal } = others;
    const message = `${what} refused`;
    const code = isEventplaneError(error) ? error.code : "internal";
    const kind = { message, context, principal, source, code };
    if (!this.#refusals.isFirst(kind, this.#parts.coarse.monotonicMs())) return;
    // What a check says of a message's body is told where it is published.
    const shown = what === "message" ? { code } : { error };
    const found = draft !== undefined && code === "schema_violation" ? this.#quotable(draft) : undefined;
    this.happened({ level: "warn", message, fields: { context, topic, principal, source, ...shown } }, found);
  }

  /** A call of a handler failed, and the event will be tried again. */
  attemptFailed({ event, subscription, attempts, error }: DeliveryFailure): void {
    if (this.#levelMin > 2) return;
    const at = this.#now();
    this.#add(() => ({
      level: "warn",
      fields: { at, subscription, attempts, ...this.#entryOf(event, { error: describable(error) }) },
      message: "attempt failed",
    }));
  }

  /** A delivery failed for good; `deadLetter` is the number under which it is kept. */
  failed({ event, subscription, attempts, error }: DeliveryFailure, deadLetter: number | undefined): void {
    const at = this.#now();
    this.#add(() => ({
      level: "error",
      fields: { at, subscription, attempts, deadLetter, ...this.#entryOf(event, { error: describable(error) }) },
      message: "delivery failed",
    }));
  }

  /** Anything else. `found`: values that its texts may hold and that are taken out. */
  happened({ level, message, fields }: Happening, found?: FoundValues): void {
    if (levels.indexOf(level) < this.#levelMin) return;
    const at = this.#now();
    this.#add(() => ({ level, fields: { at, ...cleanEntry(fields, this.#withStack, found) }, message }));
  }

  /**
   * Waits until the logger took everything, at most `deadlineMs` milliseconds.
   *
   * @returns whether that came true
   */
  async flush(deadlineMs: number): Promise<boolean> {
    this.#tellOfRefusals(this.#refusals.take());
    const end = new AbortController();
    const late = this.#parts.clock.sleep(deadlineMs, end.signal).catch(() => undefined);
    await Promise.race([late, this.#empty(end.signal)]);
    end.abort();
    return !this.#isBusy;
  }

  /** Only what a check of the payload says can hold parts of it. Where the rules are not those of its version, all texts are withheld. */
  #quotable({ topic, payload, options }: NonNullable<Refusal["draft"]>): FoundValues {
    const { found } = this.#parts.redaction.redact(topic, { payload });
    if (options.schemaVersion !== undefined) found.giveUp();
    return found;
  }

  #tellOfRefusals(repeated: readonly RepeatedRefusal[]): void {
    for (const { message, ...fields } of repeated) this.happened({ level: "warn", message, fields });
  }

  get #isBusy(): boolean {
    return this.#isWriting || this.#underWay > 0;
  }

  async #empty(signal: AbortSignal): Promise<void> {
    while (this.#isBusy && !signal.aborted) await this.#change();
  }

  #entryOf(event: BusEvent, others?: EventLogFields): JsonObject {
    const options = { payload: this.#withPayloads, stack: this.#withStack };
    return eventEntry(this.#parts.redaction, event, others === undefined ? options : { ...options, others });
  }

  get #withStack(): boolean {
    return this.#levelMin === 0;
  }

  #now(): string {
    return timeText(this.#parts.coarse.wallMs());
  }

  #add(entry: () => LogEntry): void {
    if (this.#waiting.length >= busLimits.logWaitingMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(entry);
    if (this.#isWriting) return;
    this.#isWriting = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    while (this.#waiting.length > 0) {
      await clock.sleep(otherWorkMs);
      while (this.#underWay >= busLimits.logCallsMax) await this.#change();
      this.#writeSome();
    }
    this.#isWriting = false;
    this.#tell();
  }

  /** As many as one turn has room for. */
  #writeSome(): void {
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const endMs = nowMs + busLimits.logTurnMs;
    this.#tellOfRefusals(this.#refusals.take(nowMs));
    this.#tellOfDropped();
    const room = Math.min(busLimits.logTurnEntriesMax, busLimits.logCallsMax - this.#underWay);
    let taken = 0;
    while (taken < this.#waiting.length && taken < room && clock.monotonicMs() < endMs) {
      const entry = this.#waiting[taken++];
      if (entry !== undefined) this.#write(entry);
    }
    this.#waiting.splice(0, taken);
  }

  #tellOfDropped(): void {
    const entries = this.#dropped - this.#droppedTold;
    if (entries === 0) return;
    this.#droppedTold = this.#dropped;
    const fields = { at: this.#now(), entries };
    this.#write(() => ({ level: "warn", fields, message: "log entries dropped" }));
  }

  #write(entry: () => LogEntry): void {
    try {
      const { level, fields, message } = entry();
      const result = this.#logger[level](fields, message);
      if (isThenable(result)) this.#await(result);
      else this.#written++;
    } catch {
      // A logger that fails must not fail what it is told about; the count says that it did.
      this.#failed++;
    }
  }

  #await(result: PromiseLike<unknown>): void {
    this.#underWay++;
    const end = (count: () => void) => (): void => {
      this.#underWay--;
      count();
      this.#tell();
    };
    Promise.resolve(result).then(
      end(() => this.#written++),
      end(() => this.#failed++),
    );
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #tell(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const tell of waiting) tell();
  }
}

/** Anything may be thrown; what is no error is told by its type, because it may be a part of the event. */
function describable(thrown: unknown): unknown {
  return thrown instanceof Error
    ? thrown
    : { name: "NotAnError", message: `a value of type ${typeof thrown} was thrown` };
}

/** A log of its own files: lines of JSON, mode 0600, a new file by size and age, old ones removed by number and age. */
import { backoffMs, type Clock, formatUs, type Random, systemClock, systemRandom } from "../kernel/index.js";
import { callBack } from "./callback.js";
import { type EventLogFields, type EventLogger, type EventLogLevel, entryLine } from "./event-logger.js";
import { type LogFileBounds, LogFiles } from "./log-files.js";
import { whole } from "./subscription-options.js";

/** Choices of a file log. */
export interface FileLogOptions extends Partial<LogFileBounds> {
  /** Bytes of lines that wait for the disk; 4 MiB by default. Lines beyond it are dropped and counted. */
  readonly waitingBytesMax?: number;
  /** Called when the files cannot be written or removed, again and again while that lasts; what it throws or rejects with is ignored. */
  readonly onError?: (error: unknown) => unknown;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Counts of a file log. */
export interface FileLogStatus {
  /** Lines in the files, those that wait, and those for which there was no room or that came after the end. */
  readonly written: number;
  readonly waiting: number;
  readonly dropped: number;
  /** Times that the files could not be written or removed. */
  readonly failures: number;
}

interface Flush {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const kibibyte = 1_024;
const mebibyte = 1_048_576;
const dayMs = 86_400_000;
const farBytes = 1_073_741_824;
const bounds = {
  fileBytesMax: { default: 10 * mebibyte, from: kibibyte, to: farBytes },
  fileAgeMs: { default: dayMs, from: 1_000, to: 366 * dayMs },
  filesMax: { default: 10, from: 0, to: 10_000 },
  keepMs: { default: 30 * dayMs, from: 1_000, to: 3_660 * dayMs },
  waitingBytesMax: { default: 4 * mebibyte, from: kibibyte, to: farBytes },
} as const;
/** Lines of one write; after a failure it is one, and then twice as many each time: a disk that is nearly full takes some. */
const linesTogetherMax = 1_000;
const retry = { baseMs: 1_000, capMs: 30_000 };

/**
 * Writes what a bus logs into files. Lines that cannot be written wait, within their bound, and are tried again with growing pauses; what was dropped is
 * counted, and told in a line of its own when there is room again. One process at a time.
 *
 * It writes fields as they are given: the bus has redacted them.
 */
export class FileLog implements EventLogger {
  readonly #files: LogFiles;
  readonly #waitingBytesMax: number;
  readonly #onError: (error: unknown) => unknown;
  readonly #clock: Clock;
  readonly #random: Random;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #linesTogether: number = linesTogetherMax;
  #written = 0;
  #dropped = 0;
  #droppedTold = 0;
  #failures = 0;
  #running: Promise<void> | undefined;
  #pause = new AbortController();
  #isClosed = false;
  #flushes: Flush[] = [];

  private constructor(path: string, options: FileLogOptions) {
    const chosen = (name: keyof typeof bounds): number =>
      whole(name, options[name] ?? bounds[name].default, bounds[name]);
    const onError = (error: unknown): void => this.#failed(error);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#onError = options.onError ?? ((): void => undefined);
    this.#waitingBytesMax = chosen("waitingBytesMax");
    this.#files = new LogFiles(path, {
      fileBytesMax: chosen("fileBytesMax"),
      fileAgeMs: chosen("fileAgeMs"),
      filesMax: chosen("filesMax"),
      keepMs: chosen("keepMs"),
      clock: this.#clock,
      onError,
    });
  }

  /**
   * Opens the file, or makes it. By default a file has up to 10 MiB and is written for a day; 10 full ones are kept, for 30 days.
   *
   * @throws EventplaneError `config_invalid` for a bound out of its range, and for a path that is not safe or holds something else; the system's
   * errors otherwise
   */
  static async open(path: string, options: FileLogOptions = {}): Promise<FileLog> {
    const log = new FileLog(path, options);
    await log.#files.open();
    return log;
  }

  /** Counts up to now. */
  status(): FileLogStatus {
    const { length: waiting } = this.#waiting;
    return { written: this.#written, waiting, dropped: this.#dropped, failures: this.#failures };
  }

  debug(fields: EventLogFields, message: string): void {
    this.#add("debug", fields, message);
  }

  info(fields: EventLogFields, message: string): void {
    this.#add("info", fields, message);
  }

  warn(fields: EventLogFields, message: string): void {
    this.#add("warn", fields, message);
  }

  error(fields: EventLogFields, message: string): void {
    this.#add("error", fields, message);
  }

  /**
   * Resolves when everything that came before is on the disk.
   *
   * @throws the system's error when it cannot be written now; it waits on
   */
  async flush(): Promise<void> {
    if (this.#running !== undefined) {
      this.#pause.abort();
      await new Promise<void>((resolve, reject) => this.#flushes.push({ resolve, reject }));
    }
    await this.#files.sync();
  }

  /** Flushes and closes. When that fails, what waits is dropped and counted, and the file is closed all the same; throws as {@link FileLog.flush}. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#isClosed = true;
      this.#pause.abort();
      await this.#running;
      this.#dropped += this.#waiting.length;
      this.#waiting = [];
      await this.#files.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #add(level: EventLogLevel, fields: EventLogFields, message: string): void {
    const line = entryLine({ level, fields, message });
    const bytes = Buffer.byteLength(line);
    if (this.#isClosed || this.#waitingBytes + bytes > this.#waitingBytesMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#waiting.length > 0 && !(this.#isClosed && failures > 0); ) {
      try {
        await this.#writeSome();
        failures = 0;
      } catch (error) {
        this.#failed(error);
        this.#linesTogether = 1;
        this.#answer((flush) => flush.reject(error));
        await this.#rest(++failures);
      }
    }
    this.#running = undefined;
    this.#answer((flush) => flush.resolve());
  }

  async #writeSome(): Promise<void> {
    const count = await this.#files.append(this.#waiting.slice(0, this.#linesTogether));
    this.#linesTogether = Math.min(linesTogetherMax, this.#linesTogether * 2);
    for (const line of this.#waiting.splice(0, count)) this.#waitingBytes -= Buffer.byteLength(line);
    this.#written += count;
    if (this.#waiting.length === 0) this.#tellOfDropped();
  }

  #tellOfDropped(): void {
    const lines = this.#dropped - this.#droppedTold;
    if (lines === 0) return;
    this.#droppedTold = this.#dropped;
    this.warn({ at: formatUs(this.#clock.nowUs()), lines }, "log lines dropped");
  }

  async #rest(failures: number): Promise<void> {
    if (this.#isClosed) return;
    this.#pause = new AbortController();
    const ms = backoffMs(failures, { ...retry, random: this.#random });
    // An abort is a flush that does not wait.
    await this.#clock.sleep(ms, this.#pause.signal).catch(() => undefined);
  }

  #answer(tell: (flush: Flush) => void): void {
    const flushes = this.#flushes;
    this.#flushes = [];
    for (const flush of flushes) tell(flush);
  }

  #failed(error: unknown): void {
    this.#failures++;
    // A callback that fails must not stop the log.
    callBack(
      () => this.#onError(error),
      () => undefined,
    );
  }
}

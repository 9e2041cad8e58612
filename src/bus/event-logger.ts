/** Where the event log goes: any logger with four methods. */
import { stdout } from "node:process";

/** From the most to the least that is written. */
export type EventLogLevel = "debug" | "info" | "warn" | "error";

/** What an entry is about: redacted, terminal-safe, bounded, plain data. */
export type EventLogFields = Readonly<Record<string, unknown>>;

/**
 * A logger: pino, winston's and the console have these methods, and so has {@link FileLog}.
 *
 * What a method throws, or its promise rejects with, is counted. One that returns a promise is given at most 200 entries before one of
 * them has settled.
 */
export interface EventLogger {
  debug(fields: EventLogFields, message: string): unknown;
  info(fields: EventLogFields, message: string): unknown;
  warn(fields: EventLogFields, message: string): unknown;
  error(fields: EventLogFields, message: string): unknown;
}

/** One entry. */
export interface LogEntry {
  readonly level: EventLogLevel;
  readonly fields: EventLogFields;
  readonly message: string;
}

/** What JSON leaves as it is and a terminal or a reader of lines does not. */
const unsafeInLines = /[\u007f-\u009f\u2028\u2029]|\p{Bidi_Control}/gu;

/**
 * One line of JSON, `{level, time, …fields, message}`, with a line feed. `time` is the field `at`; a field cannot take the place of the other
 * three. Whatever the fields are, it is one line without control characters.
 */
export function entryLine({ level, fields, message }: LogEntry): string {
  const { at: time, level: _, time: __, message: ___, ...others } = fields;
  return `${harmlessJson({ level, time, ...others, message })}\n`;
}

/** One line of JSON without control and bidirectional characters. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(unsafeInLines, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A logger that gives each entry to `write`. */
export function loggerTo(write: (entry: LogEntry) => unknown): EventLogger {
  return {
    debug: (fields, message) => write({ level: "debug", fields, message }),
    info: (fields, message) => write({ level: "info", fields, message }),
    warn: (fields, message) => write({ level: "warn", fields, message }),
    error: (fields, message) => write({ level: "error", fields, message }),
  };
}

/** Writes entries as lines of JSON to standard output, not faster than they are read. */
export function stdoutLogger(): EventLogger {
  return loggerTo((entry) => {
    // A reader that went away is the log's failure, not the end of the process.
    if (!stdout.listeners("error").includes(ignore)) stdout.on("error", ignore);
    return new Promise<void>((resolve, reject) => {
      stdout.write(entryLine(entry), (error) => (error ? reject(error) : resolve()));
    });
  });
}

function ignore(): void {
  // The callback of the write was told.
}

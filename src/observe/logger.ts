/** Structured logs: one JSON object on one line per entry, without secrets, payloads of foreign errors or control characters. */
import {
  type DestinationStream,
  destination as fileDestination,
  pino,
  type Logger as Sink,
  stdTimeFunctions,
} from "pino";
import { cleanFields, cleanText, type JsonObject } from "../kernel/index.js";

/** From the most to the least that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** What an entry is about: ids, numbers, codes; an error under `error`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes entries. No method throws or waits. */
export interface Logger {
  /** For the one who looks for a fault; errors come with their stack frames while this level is on. */
  debug(fields: LogFields, message: string): void;
  /** Something happened that an operator wants to read later. */
  info(fields: LogFields, message: string): void;
  /** Something is not as it should be and the system goes on. */
  warn(fields: LogFields, message: string): void;
  /** Something failed that somebody must look at. */
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to each entry; a field of the entry itself wins. */
  child(fields: LogFields): Logger;
}

/** Where and what to log. */
export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Anything with `write(line)`; default: standard output, written at once. */
  readonly destination?: DestinationStream;
  /** Name of the process or part, in every entry. */
  readonly name?: string;
}

/** Members that the logger itself writes; a field of such a name gets an underscore behind it. */
const ownNames: ReadonlySet<string> = new Set(["level", "time", "name", "message"]);

/**
 * Makes a logger on pino.
 *
 * Every entry is `{level, time, name?, …fields, message}`: `level` as a word, `time` RFC 3339 in UTC. Strings are terminal-safe;
 * members with secret names, API keys, bearer tokens, passwords in connection strings and private keys are redacted at any depth
 * and in the message. At most 400 values, 6 levels, 2,000 characters a text and 16,000 in all are kept.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const level = options.level ?? "info";
  const sink = pino(
    {
      level,
      base: options.name === undefined ? null : { name: cleanText(options.name) },
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    options.destination ?? fileDestination({ dest: 1, sync: true }),
  );
  return loggerOn(sink, { bound: {}, stack: level === "debug" });
}

type WrittenLevel = Exclude<LogLevel, "silent">;

/** `bound` is clean already. */
function loggerOn(sink: Sink, context: { readonly bound: JsonObject; readonly stack: boolean }): Logger {
  const write = (level: WrittenLevel, fields: LogFields, message: string): void => {
    if (!sink.isLevelEnabled(level)) return;
    sink[level]({ ...context.bound, ...entryOf(fields, context.stack) }, cleanText(message));
  };
  return {
    debug: (fields, message) => write("debug", fields, message),
    info: (fields, message) => write("info", fields, message),
    warn: (fields, message) => write("warn", fields, message),
    error: (fields, message) => write("error", fields, message),
    child: (fields) =>
      loggerOn(sink, { bound: { ...context.bound, ...entryOf(fields, context.stack) }, stack: context.stack }),
  };
}

function entryOf(fields: LogFields, stack: boolean): JsonObject {
  const clean = cleanFields(fields, { stack });
  const renamed = Object.entries(clean).map(
    ([name, value]) => [ownNames.has(name) ? `${name}_` : name, value] as const,
  );
  return Object.fromEntries(renamed);
}

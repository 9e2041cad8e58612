/** What of an error may be logged: never the payloads that foreign errors carry with them. */
import { EventplaneError } from "./errors.js";

/** The parts of an error that are logged; none of them is cleaned yet. */
export interface CleanError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly details?: EventplaneError["details"];
  readonly cause?: Error;
}

const framesMax = 20;
/** PostgreSQL's own texts of these SQLSTATE classes quote values: data exceptions, and messages raised by functions. */
const quotingSqlState = /^(?:22|P0)/;

/**
 * Name, code and message of an error, and its cause if that is an error too.
 *
 * Other members are never read: `detail`, `where`, `hint` and `internalQuery` of a PostgreSQL error hold row values. Messages that
 * quote their input (data exceptions of PostgreSQL, JSON.parse) are replaced.
 */
export function describeError(error: Error): CleanError {
  const code = codeOf(error);
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: messageOf(error, code),
    ...(error instanceof EventplaneError ? { details: error.details } : {}),
    ...(error.cause instanceof Error ? { cause: error.cause } : {}),
  };
}

/** Lines of the stack, outermost call last, without the message. Reading a stack for the first time prints it, which costs more than the rest. */
export function framesOf(error: Error): readonly string[] {
  const lines = (error.stack ?? "").split("\n").map((line) => line.trim());
  return lines.filter((line) => line.startsWith("at ")).slice(0, framesMax);
}

function codeOf(error: Error): string | undefined {
  // System, PostgreSQL and Eventplane errors have a textual code; others have none or something else.
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}

function messageOf(error: Error, code: string | undefined): string {
  const fromPostgres = "severity" in error && code !== undefined;
  if (fromPostgres && quotingSqlState.test(code)) return `PostgreSQL refused a value (SQLSTATE ${code}).`;
  if (error instanceof SyntaxError && error.message.includes("JSON")) return "A text is not valid JSON.";
  return error.message;
}

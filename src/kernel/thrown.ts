/** What was thrown, as data that can go to another thread, and the error again. */
import { type ErrorCode, type ErrorDetails, EventplaneError, errorCodes, isEventplaneError } from "./errors.js";
import { TerminalError } from "./terminal-error.js";

/** Something that was thrown, as far as it can be told. */
export interface ThrownData {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Of our own errors. */
  readonly code?: ErrorCode;
  readonly details?: ErrorDetails;
  readonly reason?: string;
  /** The code of an error of somebody else's. */
  readonly foreignCode?: string;
}

/** Of each text. */
const charactersMax = 10_000;
const unreadable: ThrownData = { name: "Error", message: "", stack: "" };

/** What was thrown, as data; anything can be thrown, and its members may throw themselves. */
export function thrownData(error: unknown): ThrownData {
  try {
    if (!(error instanceof Error)) return unreadable;
    const data = { name: textOf(error.name), message: textOf(error.message), stack: textOf(error.stack ?? "") };
    if (!isEventplaneError(error)) {
      const { code } = error as { readonly code?: unknown }; // errors of Node and of others have one
      return typeof code === "string" ? { ...data, foreignCode: textOf(code) } : data;
    }
    const reason = error instanceof TerminalError ? error.reason : undefined;
    return { ...data, code: error.code, details: error.details, ...(reason === undefined ? {} : { reason }) };
  } catch {
    return unreadable;
  }
}

/** Reads what a side that is not trusted says was thrown; undefined when it is no such data. */
export function readThrown(value: unknown): ThrownData | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, message, stack, code, reason, foreignCode } = value as Readonly<Record<string, unknown>>; // read one by one
  if (typeof name !== "string" || typeof message !== "string" || typeof stack !== "string") return undefined;
  const known = errorCodes.find((one) => one === code);
  return {
    name: textOf(name),
    message: textOf(message),
    stack: textOf(stack),
    ...(known === undefined ? {} : { code: known }),
    ...(typeof reason === "string" ? { reason: textOf(reason) } : {}),
    ...(typeof foreignCode === "string" ? { foreignCode: textOf(foreignCode) } : {}),
  };
}

/** The error again, with the place where it was thrown. */
export function thrownError(data: ThrownData): Error {
  const error = errorOf(data);
  error.name = data.name;
  error.stack = data.stack;
  return error;
}

function errorOf({ name, message, code, details, reason, foreignCode }: ThrownData): Error {
  if (code === undefined) {
    const error = new Error(message);
    return foreignCode === undefined ? error : Object.assign(error, { code: foreignCode });
  }
  if (name !== "TerminalError") return new EventplaneError(code, message, { details: details ?? {} });
  return new TerminalError(message, reason === undefined ? {} : { reason });
}

function textOf(value: unknown): string {
  return String(value).slice(0, charactersMax);
}

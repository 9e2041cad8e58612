/** What threads say to one another. Everything is data; calls and answers are JSON text, whose way is the shortest. */

import type { ReconcileCall, Reconciled } from "../../controller/index.js";
import {
  type ErrorCode,
  type ErrorDetails,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  TerminalError,
} from "../../kernel/index.js";

/** To a thread. */
export interface CallMessage {
  readonly id: number;
  /** A {@link ReconcileCall}. */
  readonly text: string;
}

/** What a thread has loaded, so that the plane knows that it is the same. */
export interface LoadedApp {
  readonly controllers: readonly string[];
  /** By aggregate, lower-case hex. */
  readonly foldDigests: Readonly<Record<string, string>>;
}

/** From a thread. */
export type ThreadMessage =
  | { readonly ready: LoadedApp }
  /** The app does not load. */
  | { readonly broken: ThrownData }
  | { readonly id: number; readonly answer: string }
  | { readonly id: number; readonly thrown: ThrownData }
  | { readonly id: number; readonly log: LogData }
  /** Something that nobody waits for was thrown, after the call that set it off. */
  | { readonly stray: ThrownData };

/** An entry of `ctx.log`. */
export interface LogData {
  readonly level: "info" | "warn";
  readonly fields: JsonObject;
  readonly message: string;
}

/** Something that was thrown, as far as it can be told. */
export interface ThrownData {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Of our own errors. */
  readonly code?: ErrorCode;
  readonly details?: ErrorDetails;
  readonly reason?: string;
}

/** Something that nobody waits for was thrown. */
export function strayMessage(error: unknown): ThreadMessage {
  return { stray: thrownData(error) };
}

/** The call as text. Who asked stays here: threads get nothing of the origin but what a controller may see. */
export function callText(call: ReconcileCall): string {
  const { origin, ...resource } = call.resource;
  const shown = origin === null ? null : { ...origin, causedByText: "", traceparent: null, correlationId: "" };
  return JSON.stringify({ ...call, resource: { ...resource, origin: shown } });
}

/** The answer out of its text. */
export function answerOf(text: string): Reconciled {
  return JSON.parse(text) as Reconciled; // the thread wrote it
}

/** What was thrown, as data; anything can be thrown, and its members may throw themselves. */
export function thrownData(error: unknown): ThrownData {
  try {
    if (!(error instanceof Error)) return { name: "Error", message: "", stack: "" };
    const data = { name: String(error.name), message: String(error.message), stack: String(error.stack ?? "") };
    if (!isEventplaneError(error)) return data;
    const reason = error instanceof TerminalError ? error.reason : undefined;
    return { ...data, code: error.code, details: error.details, ...(reason === undefined ? {} : { reason }) };
  } catch {
    return { name: "Error", message: "", stack: "" };
  }
}

/** The error again, with the place where it was thrown. */
export function thrownError({ name, message, stack, code, details, reason }: ThrownData): Error {
  const error =
    code === undefined
      ? new Error(message)
      : name === "TerminalError"
        ? new TerminalError(message, reason === undefined ? {} : { reason })
        : new EventplaneError(code, message, { details: details ?? {} });
  error.name = name;
  error.stack = stack;
  return error;
}

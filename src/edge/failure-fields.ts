/**
 * What the edge logs of a failure: our own words, and of foreign errors only their name, code and place.
 *
 * A foreign message may quote what it failed on: a guard's may quote the spec, a driver's the row.
 */
import { EventplaneError } from "../kernel/index.js";

const causesMax = 4;
const framesMax = 5;
const codeForm = /^[A-Z0-9_]{2,40}$/;
const nameForm = /^[A-Za-z]{1,60}$/;

/** One failure in a chain of causes. */
export interface FailureFields {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
  readonly at?: readonly string[];
}

/** The failure and its causes, outermost first. */
export function failureFields(error: unknown): { readonly failure: readonly FailureFields[] } {
  const failure: FailureFields[] = [];
  let current = error;
  while (current instanceof Error && failure.length < causesMax) {
    failure.push(fieldsOf(current));
    current = current.cause;
  }
  return { failure: failure.length === 0 ? [{ name: typeof error }] : failure };
}

function fieldsOf(error: Error): FailureFields {
  if (error instanceof EventplaneError) return { name: error.name, code: error.code, message: error.message };
  const { code } = error as { readonly code?: unknown }; // only read; most errors have none
  return {
    name: nameForm.test(error.name) ? error.name : "Error",
    ...(typeof code === "string" && codeForm.test(code) ? { code } : {}),
    at: framesOf(error),
  };
}

/** The frames of the stack, which begin after the message, whatever that holds. */
function framesOf({ stack = "", message }: Error): readonly string[] {
  const from = stack.indexOf(message);
  const behind = from === -1 ? "" : stack.slice(from + message.length);
  const frames = behind.split("\n").map((line) => line.trim());
  return frames.filter((line) => line.startsWith("at ")).slice(0, framesMax);
}

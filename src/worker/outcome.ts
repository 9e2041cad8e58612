/** What a call's end says about the world outside: done, refused, not done, or nobody knows. Pure. */
import {
  type EffectFailure,
  type EffectResult,
  isJsonObject,
  jsonProblem,
  type WorkerDefinition,
} from "../event/index.js";
import { compileSchema, type JsonObject, limits, type SchemaCheck, terminalSafe } from "../kernel/index.js";
import { describeFailure } from "../work/index.js";
import type { CallEnd } from "./call.js";

/**
 * `answered`: the result. `notDone`: nothing happened outside, so the call can be made again whatever the worker says of
 * unknown outcomes. `unknown`: it may have happened. `unfit`: it happened, and what came back cannot be stored.
 */
export type Outcome =
  | { readonly outcome: "answered"; readonly result: EffectResult }
  | {
      readonly outcome: "notDone" | "unknown" | "unfit";
      /** May be stored: it names no place in the team's code. */
      readonly failure: EffectFailure;
      /** `file:line:column` of what was thrown, for operators; undefined when the stack does not tell. */
      readonly at?: string | undefined;
    };

/** Codes of Node.js and undici for connections that never stood, so that nothing was sent. */
const neverConnected: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const causesMax = 8;
const reasonForm = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const messageCharactersMax = 300;
/** A schema is compiled once in its life. */
const outputChecks = new WeakMap<JsonObject, SchemaCheck>();

/**
 * Reads the end of a call. Never throws, whatever the worker returned or threw.
 *
 * @param conceal hides what must not be told in what the worker said, before that is cut and escaped, which would hide it from whoever looks for it
 */
export function outcomeOf(worker: WorkerDefinition, end: CallEnd, conceal: Conceal): Outcome {
  try {
    return read(worker, end, conceal);
  } catch {
    // Members of what came may throw themselves, or be what no type says.
    if (end.end === "returned") return unfit(worker, "it cannot be read");
    const { code, message } = describeFailure(undefined, `Worker ${worker.name}`);
    return { outcome: "unknown", failure: { code, message } };
  }
}

type Conceal = (text: string) => string;

function read(worker: WorkerDefinition, end: CallEnd, conceal: Conceal): Outcome {
  switch (end.end) {
    case "returned":
      return returned(worker, end.output);
    case "threw":
      return threw(worker, end.error, conceal);
    case "timedOut": {
      const message = `Worker ${worker.name} did not answer within ${worker.timeoutMs} ms; its call was aborted.`;
      return { outcome: "unknown", failure: { code: "effect_timeout", message } };
    }
    case "stopped": {
      const message = `The call of worker ${worker.name} was aborted: ${end.why}.`;
      return { outcome: "unknown", failure: { code: "effect_unknown", message } };
    }
  }
}

/** Why a result cannot be stored as one of this worker's; undefined when it can. */
export function misfitOf(worker: WorkerDefinition, output: unknown): string | undefined {
  const problem = jsonProblem(output, "/output");
  if (problem !== undefined) return problem;
  if (!isJsonObject(output)) return "it is no object";
  let check = outputChecks.get(worker.outputSchema);
  if (check === undefined) {
    check = compileSchema(worker.outputSchema);
    outputChecks.set(worker.outputSchema, check);
  }
  const text = JSON.stringify(output);
  const [misfit] = check(JSON.parse(text)); // without the members that are undefined
  if (misfit !== undefined) return `${misfit.pointer || "/"} ${misfit.message}`;
  if (Buffer.byteLength(text) <= limits.effectPayloadBytesMax) return undefined;
  return `it has more than ${limits.effectPayloadBytesMax} bytes`;
}

function returned(worker: WorkerDefinition, output: unknown): Outcome {
  const misfit = misfitOf(worker, output);
  if (misfit === undefined) {
    const ok = JSON.parse(JSON.stringify(output)) as JsonObject; // checked; detached from the worker's own object
    return { outcome: "answered", result: { ok } };
  }
  return unfit(worker, misfit);
}

function unfit(worker: WorkerDefinition, misfit: string): Outcome {
  const message = `What worker ${worker.name} returned does not fit its output schema: ${misfit}. Correct the worker, then redrive: the call is made again with the same key.`;
  return { outcome: "unfit", failure: { code: "effect_output_invalid", message } };
}

function threw(worker: WorkerDefinition, error: unknown, conceal: Conceal): Outcome {
  const { code, message, at } = describeFailure(error, `Worker ${worker.name}`);
  if (isNamed(error, "TerminalError")) {
    const shown = shownText(error, conceal);
    return { outcome: "answered", result: { failed: { code: reasonOf(error) ?? code, message: shown } } };
  }
  if (isNamed(error, "TryAgainError")) {
    const shown = shownText(error, conceal);
    return { outcome: "notDone", failure: { code: "try_again", message: shown } };
  }
  const failure = { code, message: at === undefined ? message : message.replace(` at ${at}`, "") };
  return { outcome: hasNeverConnected(error) ? "notDone" : "unknown", failure, at };
}

function shownText({ message }: Error, conceal: Conceal): string {
  return terminalSafe(conceal(message).slice(0, messageCharactersMax));
}

/** By name: the team's file may have its classes from another copy of the package. */
function isNamed(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name;
}

function reasonOf(error: Error): string | undefined {
  const { reason } = error as { readonly reason?: unknown }; // only looked at
  return typeof reason === "string" && reasonForm.test(reason) ? reason : undefined;
}

/** fetch hides the socket's error in `cause`. */
function hasNeverConnected(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < causesMax && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && neverConnected.has(cause.code)) return true;
    cause = "cause" in cause ? cause.cause : undefined;
  }
  return false;
}

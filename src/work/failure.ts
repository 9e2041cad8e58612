/** What is told of an error of the team's code: its name and its place there; its text stays out, it may hold payload. */
import { fileURLToPath } from "node:url";
import { isEventplaneError, terminalSafe } from "../kernel/index.js";
import type { WorkFailure } from "./port.js";

/** A failure with what to do about it. */
export interface Failure extends WorkFailure {
  /** No retry helps: a dead letter at once. */
  readonly isTerminal: boolean;
  /** `file:line:column` in the code of the team; undefined when the stack does not tell. */
  readonly at: string | undefined;
}

const ownFolder = fileURLToPath(new URL("..", import.meta.url));
const errorName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const terminalMessageCharactersMax = 300;

/**
 * Describes what a controller or a worker threw.
 *
 * The text of a TerminalError and of our own errors is meant to be shown; of every other error only its name and place are.
 *
 * @param who threw it, as the message calls it
 */
export function describeFailure(error: unknown, who = "The controller"): Failure {
  try {
    return described(error, who);
  } catch {
    // Members of what is thrown may throw themselves.
    const message = `${who} threw something that cannot be described.`;
    return { code: "Error", message, isTerminal: false, at: undefined };
  }
}

function described(error: unknown, who: string): Failure {
  const at = error instanceof Error ? placeOf(error) : undefined;
  const where = at === undefined ? "" : ` at ${at}`;
  const isTerminal = error instanceof Error && error.name === "TerminalError";
  if (isTerminal) {
    const message = terminalSafe(error.message.slice(0, terminalMessageCharactersMax));
    return { code: "terminal_error", message: `${message}${where}`, isTerminal, at };
  }
  if (isEventplaneError(error)) return { code: error.code, message: `${error.message}${where}`, isTerminal, at };
  const name = error instanceof Error && errorName.test(error.name) ? error.name : "Error";
  return { code: name, message: `${who} threw ${name}${where}.`, isTerminal, at };
}

/** The first frame outside Eventplane and Node.js. */
function placeOf(error: Error): string | undefined {
  const frames = (error.stack ?? "")
    .split("\n")
    .slice(1)
    .flatMap((line) => frameOf(line) ?? []);
  return frames.find(
    (frame) => !frame.startsWith(ownFolder) && !frame.startsWith("node:") && !frame.includes("/node_modules/"),
  );
}

function frameOf(line: string): string | undefined {
  const place = /\(?((?:file:\/\/|\/|[A-Za-z]:\\|node:)[^()]*:\d+:\d+)\)?$/.exec(line.trim())?.[1];
  return place?.startsWith("file://") ? decodeURIComponent(place.slice("file://".length)) : place;
}

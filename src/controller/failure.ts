/** What is told of a controller's error: its name and the place in the team's own code; its text stays out, it may hold payload. */
import { fileURLToPath } from "node:url";
import { isEventplaneError, terminalSafe } from "../kernel/index.js";
import type { WorkFailure } from "../work/index.js";

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
 * Describes what reconcile threw.
 *
 * A TerminalError's text is meant to be shown; of every other error only its name and place are.
 */
export function describeFailure(error: unknown): Failure {
  try {
    return described(error);
  } catch {
    // Members of what is thrown may throw themselves.
    const message = "The controller threw something that cannot be described.";
    return { code: "Error", message, isTerminal: false, at: undefined };
  }
}

function described(error: unknown): Failure {
  const at = error instanceof Error ? placeOf(error) : undefined;
  const where = at === undefined ? "" : ` at ${at}`;
  const isTerminal = error instanceof Error && error.name === "TerminalError";
  if (isTerminal) {
    const message = terminalSafe(error.message.slice(0, terminalMessageCharactersMax));
    return { code: "terminal_error", message: `${message}${where}`, isTerminal, at };
  }
  if (isEventplaneError(error)) return { code: error.code, message: `${error.message}${where}`, isTerminal, at };
  const name = error instanceof Error && errorName.test(error.name) ? error.name : "Error";
  return { code: name, message: `The controller threw ${name}${where}.`, isTerminal, at };
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

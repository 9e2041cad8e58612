/** What is said of calls that a thread did not answer. */
import { EventplaneError } from "../../kernel/index.js";
import type { ThreadEnd } from "./handler-thread.js";

/** `timeout` of a call. */
export function timedOut(name: string, timeoutMs: number): EventplaneError {
  return new EventplaneError("timeout", `${name} did not end within ${timeoutMs} ms.`);
}

/** Why a thread is lost: it ended by itself, or said what no thread of ours says. */
export type LostWhy = ThreadEnd["why"] | "protocol";

const how: Readonly<Record<LostWhy, string>> = {
  memory: "needed more memory than it may have",
  uncaught: "ended, because something was thrown that nobody caught",
  exit: "ended itself",
  protocol: "was ended, because it sent what is no answer",
};

/** `thread_lost`: the call may have had its effect. */
export function threadLost(name: string, end: { readonly why: LostWhy; readonly error?: unknown }): EventplaneError {
  return new EventplaneError("thread_lost", `The thread of ${name} ${how[end.why]}.`, {
    details: { subscription: name, why: end.why },
    cause: end.error,
  });
}

/** `thread_lost`: no thread was to be had in time, because those that were told to end do not, or because new ones end at once. */
export function noThread(name: string, waitMs: number): EventplaneError {
  return new EventplaneError("thread_lost", `No thread of ${name} was ready within ${waitMs} ms; it was not called.`, {
    details: { subscription: name, why: "none" },
  });
}

/** `config_invalid`: the module cannot be used. */
export function notLoaded(name: string, why: string, cause?: unknown): EventplaneError {
  return new EventplaneError("config_invalid", `The module of ${name} cannot be loaded in a thread: ${why}.`, {
    details: { subscription: name },
    cause,
  });
}

/** `aborted`. */
export function threadsClosed(name: string): EventplaneError {
  return new EventplaneError("aborted", `The threads of ${name} were ended.`);
}

/** One call of a worker: bounded in time, and ended from outside when it must be. */

import type { WorkerDefinition } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";
import { type Clock, EventplaneError, isEventplaneError } from "../kernel/index.js";

/** How a call ended. `stopped`: nobody waits for it any more, and nobody knows what it did. */
export type CallEnd =
  | { readonly end: "returned"; readonly output: unknown }
  | { readonly end: "threw"; readonly error: unknown }
  | { readonly end: "timedOut" }
  | { readonly end: "stopped"; readonly why: string };

/** What is called with. */
export interface CallOptions {
  readonly worker: WorkerDefinition;
  readonly input: JsonObject;
  readonly idempotencyKey: string;
  readonly clock: Clock;
  /** Its abort ends the call; its reason says why. */
  readonly signal: AbortSignal;
}

/** A call that is told to end may still bring its answer so long. */
const lastWordsMs = 250;

/**
 * Makes the call and waits for it, at most `timeoutMs`. A call that goes on all the same is left alone: its end is not
 * looked at, and its place is free.
 */
export async function makeCall({ worker, input, idempotencyKey, clock, signal }: CallOptions): Promise<CallEnd> {
  const abort = new AbortController();
  const over = new AbortController();
  const told = new Promise<void>((resolve) => {
    const stop = (): void => {
      abort.abort(signal.reason);
      resolve();
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true, signal: over.signal });
  });
  const called = Promise.resolve()
    .then(() => worker.run({ input, idempotencyKey, signal: abort.signal }))
    .then(
      (output): CallEnd => ({ end: "returned", output }),
      (error: unknown): CallEnd => ({ end: "threw", error }),
    );
  const sleep = (ms: number): Promise<void> => clock.sleep(ms, over.signal).catch(ignoreAbort);
  const timedOut = sleep(worker.timeoutMs).then((): CallEnd => ({ end: "timedOut" }));
  const stopped = told.then(() => sleep(lastWordsMs)).then((): CallEnd => ({ end: "stopped", why: whyOf(signal) }));
  try {
    const end = await Promise.race([called, timedOut, stopped]);
    // An error that only says that it was told to stop says nothing about the call.
    return end.end === "threw" && signal.aborted ? { end: "stopped", why: whyOf(signal) } : end;
  } finally {
    over.abort();
    abort.abort(new EventplaneError("effect_timeout", `The time of worker ${worker.name} is over.`));
  }
}

function whyOf({ reason }: AbortSignal): string {
  return isEventplaneError(reason) ? reason.message : "its caller ended it";
}

function ignoreAbort(error: unknown): void {
  if (!isEventplaneError(error, "aborted")) throw error;
}

/** One thread: it is started, gets one call at a time, and ends, by itself or because it does not answer. */
import { Worker } from "node:worker_threads";
import { assert, thrownError } from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import type { LoadedApp, ThreadMessage } from "./messages.js";
import { stackOfThread } from "./thread-place.js";

/** How to start a thread. */
export interface ThreadOptions {
  /** A module that calls `serveThread`. */
  readonly entry: URL;
  /** For the module, as `workerData`. */
  readonly entryData: unknown;
  /** Heap of the thread, MiB; more ends it. */
  readonly heapMbMax: number;
}

/** Why a thread ended by itself. */
export type ThreadEnd = "memory" | "crash";

/** Told of what a thread does by itself. */
export interface ThreadListener {
  onReady(app: LoadedApp): void;
  /** The app does not load in the thread. */
  onBroken(error: Error): void;
  onAnswer(id: number, answer: string): void;
  onThrown(id: number, error: Error): void;
  onLog(id: number, write: (logger: Logger) => void): void;
  /** Something was thrown that belongs to no call. */
  onStray(error: Error): void;
  /** Once. */
  onEnd(end: ThreadEnd): void;
}

/** What lives shorter than a call. */
const youngMbMax = 16;
/** How long the place of a thread is looked for before it is ended without. */
const placeMsMax = 1_000;

/** A running thread. */
export class ControllerThread {
  readonly #worker: Worker;
  readonly #listener: ThreadListener;
  #hasEnded = false;
  #end: ThreadEnd = "crash";

  constructor(options: ThreadOptions, listener: ThreadListener) {
    this.#listener = listener;
    this.#worker = new Worker(options.entry, {
      workerData: options.entryData,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMbMax, maxYoungGenerationSizeMb: youngMbMax },
      // Of ours, and for the thread alone: the flags of the process are its own.
      execArgv: [],
      name: "eventplane controllers",
    });
    this.#worker.on("message", (message: ThreadMessage) => this.#hear(message));
    this.#worker.on("error", (error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY") this.#end = "memory";
      else listener.onStray(error instanceof Error ? error : new Error("something that is no error"));
    });
    this.#worker.on("exit", () => {
      if (!this.#hasEnded) listener.onEnd(this.#end);
      this.#hasEnded = true;
    });
  }

  /** Sends a call. */
  post(id: number, text: string): void {
    assert(!this.#hasEnded, "a thread that has ended gets no calls");
    this.#worker.postMessage({ id, text });
  }

  /** The stack of what the thread does now; empty when it cannot be had. */
  stack(): Promise<string> {
    return stackOfThread(this.#worker, AbortSignal.timeout(placeMsMax));
  }

  /** Ends the thread, whatever it does. Its listener hears nothing any more. Idempotent. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#worker.terminate();
  }

  #hear(message: ThreadMessage): void {
    if (this.#hasEnded) return;
    const listener = this.#listener;
    if ("ready" in message) listener.onReady(message.ready);
    else if ("broken" in message) listener.onBroken(thrownError(message.broken));
    else if ("stray" in message) listener.onStray(thrownError(message.stray));
    else if ("answer" in message) listener.onAnswer(message.id, message.answer);
    else if ("thrown" in message) listener.onThrown(message.id, thrownError(message.thrown));
    else {
      const { level, fields, message: text } = message.log;
      listener.onLog(message.id, (logger) => logger[level](fields, text));
    }
  }
}

/** One thread of a handler, seen from the bus: it is started, says what it says, and ends, by itself or because it is ended. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { ThreadSettings } from "./thread-handler.js";
import { type FromThread, readFromThread, type StartMessage, type ToThread } from "./thread-messages.js";

/** Why a thread ended by itself. `error` is what nobody caught in it. */
export interface ThreadEnd {
  readonly why: "memory" | "uncaught" | "exit";
  readonly error: unknown;
}

/** Told of what a thread does. */
export interface ThreadListener {
  /** undefined: it said what no thread of ours says. */
  onMessage(message: FromThread | undefined): void;
  /** It has ended; undefined when it was told to. Once. */
  onEnd(end: ThreadEnd | undefined): void;
}

const youngMbMax = 16;

/** A running thread. It keeps the process alive only between {@link HandlerThread.hold} and {@link HandlerThread.letGo}. */
export class HandlerThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #listener: ThreadListener;
  readonly #ended: Promise<void>;
  #end: ThreadEnd | undefined = { why: "exit", error: undefined };
  #isTold = false;

  /** Starts it. @throws what node:worker_threads says of `data` that cannot be cloned */
  constructor({ module, exportName, heapMbMax, data, onOutput }: ThreadSettings, listener: ThreadListener) {
    this.#listener = listener;
    this.#worker = new Worker(new URL("./thread-entry.js", import.meta.url), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: heapMbMax, maxYoungGenerationSizeMb: youngMbMax },
      // Nothing of the process is handed on.
      env: {},
      argv: [],
      execArgv: [],
      // The entry takes what is printed; nothing gets past it to the process by the way of Node.
      stdout: true,
      stderr: true,
      name: "eventplane bus handler",
    });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on("message", (message: unknown) => this.#hear(message));
    port1.on("messageerror", () => this.#hear(undefined));
    port1.unref();
    this.#worker.unref();
    this.#worker.on("error", (error: unknown) => this.#note(error));
    this.#ended = new Promise((resolve) => this.#worker.once("exit", () => resolve(this.#over())));
    const start: StartMessage = { port: port2, module: module.href, exportName, wantsOutput: onOutput !== undefined };
    this.#worker.postMessage(start, [port2]);
  }

  /** Sends a message. @throws what node:worker_threads says of an event that cannot be cloned */
  post(message: ToThread): void {
    this.#port.postMessage(message);
  }

  /** Hears what has come and waits to be read; for a look at the last moment. */
  hearNow(): void {
    for (;;) {
      const received = this.#isTold ? undefined : receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#hear(received.message);
    }
  }

  /** Keeps the process alive. */
  hold(): void {
    this.#worker.ref();
  }

  /** Lets the process end. */
  letGo(): void {
    this.#worker.unref();
  }

  /** Ends it, whatever it does, except for a call of the operating system, which ends first. Its listener hears no more messages. Idempotent. */
  end(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#end = undefined;
    this.#port.close();
    this.letGo();
    void this.#worker.terminate();
  }

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  #hear(message: unknown): void {
    if (!this.#isTold) this.#listener.onMessage(readFromThread(message));
  }

  #note(error: unknown): void {
    if (this.#isTold) return;
    const isMemory = error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    this.#end = { why: isMemory ? "memory" : "uncaught", error };
  }

  #over(): void {
    // What it said before it ended is heard first.
    this.hearNow();
    this.#isTold = true;
    this.#port.close();
    this.#listener.onEnd(this.#end);
  }
}

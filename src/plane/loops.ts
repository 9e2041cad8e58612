/** Background loops of a process: started by name, ended together. */
import { setMaxListeners } from "node:events";
import type { Logger } from "../observe/index.js";

/** Holds the loops that a process runs; a loop that ends by itself is a fault that is logged and kept for /readyz. */
export class Loops {
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #failed = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
    // Each loop waits on it, and what a loop calls as well; Node's warning would stand among lines of JSON.
    setMaxListeners(0, this.#stop.signal);
  }

  /** For /readyz: loops that ended although nobody stopped them. */
  get stopped(): readonly string[] {
    return [...this.#failed].map((name) => `${name}_stopped`);
  }

  /** Starts a loop that runs until its signal aborts. */
  start(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    this.#running.push(
      run(this.#stop.signal).then(
        () => this.#ended(name, undefined),
        (error: unknown) => this.#ended(name, error),
      ),
    );
  }

  /** Aborts all loops and waits for their end. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  #ended(name: string, error: unknown): void {
    if (this.#stop.signal.aborted && error === undefined) return;
    this.#failed.add(name);
    this.#logger.error({ loop: name, error }, "A background loop ended; restart this process");
  }
}

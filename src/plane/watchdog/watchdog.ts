/** Watches the main thread of a serving process from outside, and remembers for /readyz what has held it. */
import { Worker } from "node:worker_threads";
import type { AppDefinition } from "../../event/index.js";
import type { Clock } from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import { type Activity, LoopMarks } from "./loop-marks.js";
import { markedApp, markedFolds } from "./marked-app.js";
import type { WatchdogData } from "./watchdog-thread.js";

/** Where the thread writes: standard output or error, for programs or for people. */
export interface WatchdogOutput {
  readonly fd: 1 | 2;
  readonly isHuman: boolean;
}

/** How to start one. */
export interface WatchdogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly output: WatchdogOutput;
  /** How long the event loop may be held before it is told; default 1 s. */
  readonly heldMsMin?: number;
}

const heldMsMinDefault = 1_000;
const beatMs = 100;
/** How long /readyz tells of it. */
const toldMs = 60_000;
const heapMb = 32;

/** A running watchdog. */
export class Watchdog implements AsyncDisposable {
  readonly #options: WatchdogOptions;
  readonly #marks: LoopMarks;
  readonly #worker: Worker;
  readonly #stop = new AbortController();
  #beating: Promise<void> | undefined;
  #held: { readonly what: string; readonly ms: number; readonly atMs: number } | undefined;

  /** Starts its thread. */
  constructor(options: WatchdogOptions) {
    const { heldMsMin = heldMsMinDefault, output } = options;
    this.#options = options;
    this.#marks = new LoopMarks({ heldMsMin, onHeld: ({ activity, ms }) => this.#note(activity, ms) });
    const data: WatchdogData = { memory: this.#marks.memory, heldMsMin, ...output };
    this.#worker = new Worker(new URL("./watchdog-thread.js", import.meta.url), {
      workerData: data,
      execArgv: [],
      name: "eventplane watchdog",
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.on("error", (error) =>
      options.logger.warn({ error }, "The watchdog of the event loop ended; what holds it is not named any more"),
    );
    this.#worker.unref();
  }

  /** The application, so that what holds the event loop can be named. From the first one on the loop is watched. */
  watch(app: AppDefinition): AppDefinition {
    this.#beating ??= this.#beat();
    return markedApp(app, this.#marks);
  }

  /** The application for those parts of the process that fold and guard. */
  watchFolds(app: AppDefinition): AppDefinition {
    return markedFolds(app, this.#marks);
  }

  /** For /readyz: what has held the event loop in the last minute; nobody answers while it is held. */
  get degraded(): readonly string[] {
    const held = this.#held;
    if (held === undefined || this.#options.clock.monotonicMs() - held.atMs > toldMs) return [];
    return [`event_loop_held: ${held.what} ${(held.ms / 1_000).toFixed(1)} s`];
  }

  /** Ends the thread. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#beating;
    await this.#worker.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #beat(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#marks.beat();
      await this.#options.clock.sleep(beatMs, signal).catch(() => undefined);
    }
  }

  #note({ role, name, ...stream }: Activity, ms: number): void {
    const heldMs = Math.round(ms);
    this.#held = { what: `${role} ${name}`, ms, atMs: this.#options.clock.monotonicMs() };
    this.#options.logger.warn(
      { [role]: name, ...stream, heldMs },
      "The event loop was held; nobody was served meanwhile",
    );
  }
}

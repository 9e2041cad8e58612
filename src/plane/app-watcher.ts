/** Notices that the application's file, or a source beside it, was saved. */
import { type FSWatcher, watch } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const sources: ReadonlySet<string> = new Set([".ts", ".mts", ".js", ".mjs", ".json"]);
/** Editors save in several steps: the last one counts. */
const quietMs = 100;

/** Watches one folder, because editors replace files instead of writing them. */
export class AppWatcher {
  readonly #watcher: FSWatcher;
  #isDirty = false;
  #wake: (() => void) | undefined;

  constructor(file: string) {
    this.#watcher = watch(dirname(resolve(file)), { persistent: false }, (_event, name) => {
      if (name !== null && !sources.has(extname(name))) return;
      this.#isDirty = true;
      this.#wake?.();
    });
    // The folder was removed: there is nothing left to reload.
    this.#watcher.on("error", () => this.close());
  }

  /** Calls `onSave` after each save, one at a time, until `signal` aborts. */
  async run(onSave: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#wake?.();
    signal.addEventListener("abort", stop);
    try {
      while (!signal.aborted) {
        if (this.#isDirty) {
          await this.#quiet();
          if (!signal.aborted) await onSave();
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Stops watching. Idempotent. */
  close(): void {
    this.#watcher.close();
  }

  async #quiet(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      await sleep(quietMs);
    }
  }
}

/** A handler that runs in threads of its own. */
import { existsSync } from "node:fs";
import { EventplaneError } from "../../kernel/index.js";
import { whole } from "../subscription-options.js";

/**
 * A handler that is the export of a module, loaded in worker threads of this subscription. What holds a thread, ends it or fills its memory costs
 * that call and that thread. Events reach it as copies, frozen there.
 */
export interface ThreadHandler {
  readonly isolation: "thread";
  /** A JavaScript module: `new URL("./charge.js", import.meta.url)`. */
  readonly module: URL;
  /** The export that is the handler: a function as `on` takes it; `default` by default. */
  readonly export?: string;
  /** Heap of one thread, MiB: 64 by default, 8 to 4,096. A call that needs more ends its thread and has failed. */
  readonly heapMbMax?: number;
  /** `workerData` of node:worker_threads in the module: anything that can be cloned. Environment and arguments are empty there. */
  readonly data?: unknown;
  /** Told of each line that the module prints, made harmless; at most 100 a second of a thread. Without it they are thrown away. */
  readonly onOutput?: (line: string, from: "stdout" | "stderr") => unknown;
}

/** A handler in threads with its defaults. */
export interface ThreadSettings {
  readonly module: URL;
  readonly exportName: string;
  readonly heapMbMax: number;
  readonly data: unknown;
  readonly onOutput: ThreadHandler["onOutput"];
}

const heapMb = { from: 8, to: 4_096 };
const heapMbMaxDefault = 64;

/** Whether a handler is to run in threads. */
export function isThreadHandler(handler: unknown): handler is ThreadHandler {
  return typeof handler === "object" && handler !== null && "isolation" in handler && handler.isolation === "thread";
}

/**
 * Checks the choices and adds the defaults. What the module holds is only known when a thread has loaded it.
 *
 * @throws EventplaneError `config_invalid`
 */
export function threadSettings(handler: ThreadHandler): ThreadSettings {
  const { module, export: exportName = "default", heapMbMax = heapMbMaxDefault, data, onOutput } = handler;
  if (!(module instanceof URL) || !["file:", "data:"].includes(module.protocol))
    throw new EventplaneError("config_invalid", "The option module is a file: or data: URL of a JavaScript module.");
  if (module.protocol === "file:" && !existsSync(module))
    throw new EventplaneError("config_invalid", `There is no module ${module.href}.`);
  return { module, exportName, heapMbMax: whole("heapMbMax", heapMbMax, heapMb), data, onOutput };
}

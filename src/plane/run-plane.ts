/**
 * One process from start to end: the checks that cost nothing, the plane, the reloads, the order of ending.
 */
import type { AppDefinition } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";
import { systemClock } from "../kernel/time.js";
import type { Logger } from "../observe/index.js";
import { AppWatcher } from "./app-watcher.js";
import type { Config } from "./config.js";
import { appCacheFolder, prepareFolder } from "./data-folder.js";
import { boundHeapGrowth } from "./heap-growth.js";
import { assertPortFree } from "./port-check.js";
import { Watchdog, type WatchdogOutput } from "./watchdog/watchdog.js";

/** A plane that serves. */
export interface RunningPlane {
  readonly url: string;
  /** base64url of the root's raw public key. */
  readonly rootPublicKey: string;
}

/** How to run one. */
export interface RunPlaneOptions {
  readonly config: Config;
  /** The application's file. */
  readonly appFile: string;
  readonly logger: Logger;
  /** `dev` migrates by itself and reloads a saved configuration. */
  readonly mode: "dev" | "start";
  /** Where the watchdog of the event loop writes: standard output or error, JSON or for people; absent: there is none. */
  readonly watchdog?: WatchdogOutput | undefined;
  /** Its abort ends the process in order. */
  readonly signal: AbortSignal;
  /** Called once it serves; what it throws ends the plane. */
  readonly onReady: (plane: RunningPlane) => Promise<void> | void;
  /** Called after each reload, with the reason when the old app stays. */
  readonly onReload?: (failure: EventplaneError | undefined) => void;
}

/**
 * Runs until `signal` aborts; then everything is drained and ended, the embedded database last.
 *
 * @throws EventplaneError of the folder, the port, the app, the database and the keys, within 2 s where nothing has to be
 * started to know; `database_unreachable` when an embedded PostgreSQL ends by itself
 */
export async function runPlane(options: RunPlaneOptions): Promise<void> {
  const { config, appFile, logger, mode, signal } = options;
  boundHeapGrowth();
  if (mode === "dev" && config.isGiven("process.roles")) {
    const message = "`dev` runs every role: leave process.roles out, or use `start`.";
    throw new EventplaneError("config_invalid", message, { details: { name: "process.roles" } });
  }
  const dataDir = config.required("data.dir");
  prepareFolder(dataDir);
  await assertPortFree({ host: config.required("edge.host"), port: config.integer("edge.port") }, dataDir);
  const load = async (): Promise<AppDefinition> => {
    const { loadApp } = await import("./load-app.js");
    return loadApp(appFile, { cacheDir: appCacheFolder(dataDir) });
  };
  const watcher = mode === "dev" ? new AppWatcher(appFile) : undefined;
  const watchdog =
    options.watchdog === undefined ? undefined : new Watchdog({ clock: systemClock, logger, output: options.watchdog });
  try {
    const { StandingPlane } = await import("./standing-plane.js");
    const app = load();
    app.catch(() => undefined); // awaited by the plane
    const plane = await StandingPlane.open({
      config,
      app,
      logger,
      migrates: mode === "dev",
      reference: mode === "dev" ? "open" : "off",
      ...(mode === "start" ? { threadsOf: appFile } : {}),
      ...(watchdog === undefined ? {} : { watchdog }),
      signal,
    });
    try {
      await options.onReady(plane);
      const ended = aborted(signal);
      const reload = async (): Promise<void> =>
        options.onReload?.(await reloadApp(() => load().then((next) => plane.replaceApp(next))));
      await Promise.race([ended, plane.lost, watcher?.run(reload, signal) ?? ended]);
    } finally {
      await plane.close();
    }
  } finally {
    watcher?.close();
    await watchdog?.close();
  }
}

async function reloadApp(reload: () => Promise<void>): Promise<EventplaneError | undefined> {
  try {
    await reload();
    return undefined;
  } catch (error) {
    if (isEventplaneError(error)) return error;
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

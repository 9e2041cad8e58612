/** The side of a thread: it runs the controllers of the app that it has loaded, one call after another. */

import { type ReconcileCall, reconcile } from "../../controller/index.js";
import { type AppDefinition, checkDecisions, deepFreeze, foldDigest } from "../../event/index.js";
import { assert, type Clock, thrownData } from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import type { CallMessage, LoadedApp, LogData, ThreadMessage } from "./messages.js";

/** The thread's end of the way to the plane; `parentPort` of node:worker_threads. */
export interface ThreadPort {
  postMessage(message: ThreadMessage): void;
  on(event: "message", listener: (message: CallMessage) => void): unknown;
}

/** What a thread serves. */
export interface ServedApp {
  readonly app: AppDefinition;
  /** Measures how long each reconcile takes. */
  readonly clock: Clock;
}

/** Entries of `ctx.log` that one call may write. */
const logLinesMax = 64;
const logCharactersMax = 2_000;

/**
 * Loads the app, says so, and answers calls until the thread is ended.
 *
 * @param load what fails in it is told to the plane, which then does not start
 */
export async function serveThread(port: ThreadPort, load: () => Promise<ServedApp>): Promise<void> {
  let served: ServedApp;
  try {
    served = await load();
  } catch (error) {
    port.postMessage({ broken: thrownData(error) });
    return;
  }
  port.on("message", (message) => port.postMessage(answer(served, message, (log) => port.postMessage(log))));
  port.postMessage({ ready: loadedApp(served.app) });
}

/** What tells one app from another, as far as decisions and folds go. */
export function loadedApp({ controllers, aggregates }: AppDefinition): LoadedApp {
  return {
    controllers: [...controllers.keys()].sort(),
    foldDigests: Object.fromEntries(
      [...aggregates].map(([name, aggregate]) => [name, foldDigest(aggregate).toString("hex")]),
    ),
  };
}

function answer(
  { app, clock }: ServedApp,
  { id, text }: CallMessage,
  tell: (message: ThreadMessage) => void,
): ThreadMessage {
  try {
    const call = deepFreeze(JSON.parse(text)) as ReconcileCall; // the plane wrote it
    const controller = app.controllers.get(call.controller);
    assert(controller !== undefined, "a thread has the controllers that the plane has");
    const logger = loggerTo((log) => tell({ id, log }));
    const { controller: _name, resource, ...rest } = call;
    const reconciled = reconcile(controller, resource, { app, clock, logger, ...rest });
    checkDecisions(reconciled.decisions, controller.name); // what is no decision could not be told either
    return { id, answer: JSON.stringify(reconciled) };
  } catch (error) {
    return { id, thrown: thrownData(error) };
  }
}

function loggerTo(tell: (log: LogData) => void): Logger {
  let lines = 0;
  const write =
    (level: LogData["level"]): Logger["info"] =>
    (fields, message) => {
      // The fields are those that reconcile gives, plain data; the message is whatever the controller gave.
      if (++lines <= logLinesMax)
        tell({ level, fields: fields as LogData["fields"], message: String(message).slice(0, logCharactersMax) });
    };
  const logger: Logger = {
    debug: () => {},
    info: write("info"),
    warn: write("warn"),
    error: write("warn"),
    child: () => logger,
  };
  return logger;
}

/** A thread of the plane's controllers: the module that it starts with. */
import { parentPort, workerData } from "node:worker_threads";
import { assert, systemClock } from "../../kernel/index.js";
import { loadApp } from "../load-app.js";
import { strayMessage } from "./messages.js";
import { serveThread } from "./serve-thread.js";

/** What the plane gives the thread. */
export interface ControllersThreadData {
  readonly appFile: string;
  readonly cacheDir: string;
}

const port = parentPort;
assert(port !== null, "this module runs in a thread");
const { appFile, cacheDir } = workerData as ControllersThreadData; // openPlane gives it

// What a controller has left behind may not end the thread under the next one.
process.on("uncaughtException", (error) => port.postMessage(strayMessage(error)));
process.on("unhandledRejection", (error) => port.postMessage(strayMessage(error)));

await serveThread(port, async () => ({ app: await loadApp(appFile, { cacheDir }), clock: systemClock }));

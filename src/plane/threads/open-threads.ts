/** The threads that a plane runs its controllers in. */

import type { AppDefinition } from "../../event/index.js";
import { systemClock, systemRandom } from "../../kernel/index.js";
import type { Logger, Metrics } from "../../observe/index.js";
import type { ControllersThreadData } from "./controllers-thread.js";
import { ThreadPool } from "./thread-pool.js";

/** How many threads, and what they load. */
export interface ThreadsOptions {
  /** At least 1. */
  readonly count: number;
  readonly data: ControllersThreadData;
}

/**
 * Starts the threads.
 *
 * @throws EventplaneError `config_invalid` as `ThreadPool.open`
 */
export function openThreads(
  { count, data }: ThreadsOptions,
  parts: { readonly app: AppDefinition; readonly logger: Logger; readonly metrics: Metrics },
): Promise<ThreadPool> {
  const { app, logger, metrics } = parts;
  return ThreadPool.open({
    app,
    threads: count,
    entry: new URL("./controllers-thread.js", import.meta.url),
    entryData: data,
    clock: systemClock,
    random: systemRandom,
    logger: logger.child({ role: "controllers" }),
    onLost: (why) => metrics.controllerThreadLost(why),
    onReady: (ready) => metrics.controllerThreads(ready),
  });
}

/** For /readyz: nothing while all threads can take calls. */
export function threadsDegraded(threads: ThreadPool | undefined): readonly string[] {
  if (threads === undefined) return [];
  const { ready, wanted } = threads.threads;
  return ready === wanted ? [] : [`controller_threads: ${ready} of ${wanted}`];
}

/** Keeps the metrics of the work queue: how much waits, and how long already. */
import { type AppDefinition, runtimeComponent } from "../event/index.js";
import { type Clock, isEventplaneError } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import type { WorkStore } from "../work/index.js";

const intervalMs = 5_000;

/** Looks every 5 s until `signal` aborts; a database that cannot be reached leaves the last values standing. */
export async function watchBacklog(
  parts: {
    readonly work: Pick<WorkStore, "backlog">;
    readonly app: AppDefinition;
    readonly metrics: Pick<Metrics, "workQueue">;
    readonly clock: Clock;
  },
  signal: AbortSignal,
): Promise<void> {
  const components = [...parts.app.controllers.keys(), runtimeComponent];
  while (!signal.aborted) {
    try {
      const { rows, oldestSeconds } = await parts.work.backlog(components);
      parts.metrics.workQueue({ name: "reconciles", depth: rows, oldestSeconds });
      await parts.clock.sleep(intervalMs, signal);
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      if (!signal.aborted) await parts.clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }
}

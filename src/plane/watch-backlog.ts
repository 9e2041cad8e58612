/** Keeps the metrics of the work queues: how much waits, how long already, and what waits for a decision. */
import { type AppDefinition, effectComponent, runtimeComponent, workerOfComponent } from "../event/index.js";
import { type Clock, isEventplaneError } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import type { StandingEffects, WorkStore } from "../work/index.js";

const intervalMs = 5_000;

/** The effects that wait for somebody's decision, as they were seen last. */
export class StandingWatch {
  #standing: readonly StandingEffects[] = [];

  see(standing: readonly StandingEffects[]): void {
    this.#standing = standing;
  }

  /** For /readyz: how many are held and dead; nothing when none is. */
  get degraded(): readonly string[] {
    return (["held", "dead"] as const).flatMap((state) => {
      const count = this.#standing
        .filter((effect) => effect.state === state)
        .reduce((sum, effect) => sum + effect.count, 0);
      return count === 0 ? [] : [`effects_${state}: ${count}`];
    });
  }
}

/** What the watch needs. */
export interface WatchBacklogParts {
  readonly work: Pick<WorkStore, "backlog" | "standingEffects">;
  readonly app: AppDefinition;
  readonly metrics: Pick<Metrics, "workQueue" | "effectsStanding">;
  readonly clock: Clock;
  readonly standing: StandingWatch;
}

/** Looks every 5 s until `signal` aborts; a database that cannot be reached leaves the last values standing. */
export async function watchBacklog(parts: WatchBacklogParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await look(parts);
      await parts.clock.sleep(intervalMs, signal);
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      if (!signal.aborted) await parts.clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }
}

async function look({ app, work, metrics, standing }: WatchBacklogParts): Promise<void> {
  const controllers = [...app.controllers.keys(), runtimeComponent];
  const workers = [...app.workers.keys()].map((worker) => effectComponent("result", worker));
  for (const [name, components] of [
    ["reconciles", controllers],
    ["effects", workers],
  ] as const) {
    if (components.length === 0) continue;
    const { rows, oldestSeconds } = await work.backlog(components);
    metrics.workQueue({ name, depth: rows, oldestSeconds });
  }
  // Those of workers that the app has no more wait for a decision too.
  const effects = await work.standingEffects();
  standing.see(effects);
  metrics.effectsStanding(
    effects.map(({ component, state, count }) => ({ worker: workerOfComponent(component) ?? "", state, count })),
  );
}

/** Keeps the metrics of the work queues: how much waits, how long already, and what waits for a decision. */
import { type AppDefinition, effectComponent, runtimeComponent, workerOfComponent } from "../event/index.js";
import { type Clock, isEventplaneError } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import type { StandingWork, UnattendedRows, WorkStore } from "../work/index.js";

const intervalMs = 5_000;
/** While a deployment rolls, another process may have the controllers that this one has not. */
const unattendedAfterMs = 60_000;

/** What waits for somebody's decision, as it was seen last. */
export class StandingWatch {
  #standing: readonly StandingWork[] = [];
  #unattended: readonly UnattendedRows[] = [];

  see(standing: readonly StandingWork[], unattended: readonly UnattendedRows[]): void {
    this.#standing = standing;
    this.#unattended = unattended;
  }

  /**
   * For /readyz: how many effects are held and dead, how many controllers gave up, and what waits for controllers that
   * nobody runs; nothing when none is.
   */
  get degraded(): readonly string[] {
    const counts = new Map<string, number>();
    for (const { component, state, count } of this.#standing) {
      const name = isWebhook(component)
        ? "webhooks_undelivered"
        : workerOfComponent(component) === undefined
          ? "dead_letters"
          : `effects_${state}`;
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
    for (const { component, rows } of this.#unattended) counts.set(`waiting_for_unknown_controller_${component}`, rows);
    return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name}: ${count}`);
  }
}

/** What the watch needs. */
export interface WatchBacklogParts {
  readonly work: Pick<WorkStore, "backlog" | "standing" | "unattended">;
  readonly app: AppDefinition;
  readonly metrics: Pick<Metrics, "workQueue" | "effectsStanding" | "deadLetters">;
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
  // Those of controllers and workers that the app has no more wait for a decision too.
  const stands = await work.standing();
  const unattended = await work.unattended(controllers, { dueForMs: unattendedAfterMs });
  standing.see(stands, unattended);
  metrics.workQueue({
    name: "unattended",
    depth: unattended.reduce((sum, { rows }) => sum + rows, 0),
    oldestSeconds: Math.max(0, ...unattended.map(({ oldestSeconds }) => oldestSeconds)),
  });
  metrics.deadLetters(byKind(stands.filter(({ state }) => state === "dead")));
  metrics.effectsStanding(
    stands.flatMap(({ component, state, count }) => {
      const worker = workerOfComponent(component);
      return worker === undefined ? [] : [{ worker, state, count }];
    }),
  );
}

function isWebhook(component: string): boolean {
  return component.startsWith("webhook:");
}

/** Those of all webhooks together: there are as many components as tenants want. */
function byKind(stands: readonly StandingWork[]): readonly StandingWork[] {
  const [webhooks, others] = [
    stands.filter((each) => isWebhook(each.component)),
    stands.filter((each) => !isWebhook(each.component)),
  ];
  if (webhooks.length === 0) return others;
  const count = webhooks.reduce((sum, each) => sum + each.count, 0);
  return [...others, { component: "webhook", state: "dead", count }];
}

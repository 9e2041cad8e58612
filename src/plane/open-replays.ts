/** The part of a process that brings replays to their ends. */
import { LookAgain, type Reconciler } from "../controller/index.js";
import type { AppDefinition } from "../event/index.js";
import { type Clock, type Doorbell, systemRandom } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import { ControllerTarget, PostgresReplayProgress, ReplayRunner, type ReplayTargets } from "../replay/index.js";
import type { Coalescer, ResourceLoader } from "../store/index.js";
import { PostgresReader } from "../store/postgres/index.js";
import { PostgresWorkStore } from "../work/postgres/index.js";
import type { DatabasePools } from "./database.js";

/** What it shares with the rest of the process. */
export interface ReplayParts {
  /** With the platform's aggregates. */
  readonly app: AppDefinition;
  readonly pools: DatabasePools;
  readonly logs: { readonly runtime: Coalescer };
  readonly loader: ResourceLoader;
  /** Runs the controllers; default: this thread. */
  readonly reconciler?: Reconciler;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Makes the runner; every controller of the app is a target. */
export function openReplays(parts: ReplayParts): ReplayRunner {
  const { app, pools, logs, loader, clock, logger, metrics } = parts;
  const work = new PostgresWorkStore(pools.runtime, { codeVersion: app.version });
  const look = new LookAgain({ ...parts, work, appending: logs.runtime });
  const controllers = new Map(
    [...app.controllers.keys()].map((name) => [name, new ControllerTarget(look, name, clock)]),
  );
  const targets: ReplayTargets = { controller: (name) => controllers.get(name) };
  return new ReplayRunner({
    ...parts,
    work,
    reader: new PostgresReader(pools.runtime),
    loader,
    appending: logs.runtime,
    progress: new PostgresReplayProgress(pools.runtime),
    targets,
    random: systemRandom,
    logger: logger.child({ role: "replays" }),
    onGiven: ({ target, results }) => metrics.replayed(target, results),
  });
}

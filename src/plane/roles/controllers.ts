/** The role that decides: controllers, what administrators ask of them, and replays. */
import { ControllerRuntime } from "../../controller/index.js";
import { systemRandom } from "../../kernel/index.js";
import { ResourceLoader } from "../../store/index.js";
import { PostgresReader, PostgresSnapshots } from "../../store/postgres/index.js";
import { PostgresWorkStore } from "../../work/postgres/index.js";
import { openChanges } from "../open-changes.js";
import { openReplays } from "../open-replays.js";
import { openSnapshots } from "../open-snapshots.js";
import type { PlaneOptions } from "../plane-options.js";
import { type Shared, withPlatform } from "../shared.js";
import { threadsDegraded } from "../threads/open-threads.js";

/** Starts it. @throws EventplaneError `unavailable` */
export async function startControllers(options: PlaneOptions, shared: Shared): Promise<void> {
  const { loops, degraded, threads } = shared;
  const loader = openLoader(options, shared);
  const runtime = await openRuntime(options, shared, loader);
  const { logger } = options;
  const changes = openChanges({ ...shared, loader, logger });
  const reconciler = threads === undefined ? {} : { reconciler: threads };
  const replays = openReplays({ ...shared, loader, logger, ...reconciler });
  degraded.push(() => threadsDegraded(threads));
  loops.start("controllers", (signal) => runtime.run(signal));
  loops.start("changes", (signal) => changes.run(signal));
  loops.start("replays", (signal) => replays.run(signal));
}

/** The resources that controllers decide on, by themselves and for replays. */
function openLoader(options: PlaneOptions, shared: Shared): ResourceLoader {
  const { folding, pools, verifier, signers } = shared;
  const reader = new PostgresReader(pools.runtime);
  const logger = options.logger.child({ role: "controllers" });
  const snapshots = new PostgresSnapshots(pools.runtime);
  const keeper = { signer: signers.of("runtime"), snapshots };
  return new ResourceLoader({
    reader,
    verifier,
    app: withPlatform(folding),
    snapshots: openSnapshots({ ...shared, reader, logger, snapshots, keeper }),
  });
}

async function openRuntime(
  options: PlaneOptions,
  { app, pools, logs, clock, doorbell, metrics, threads }: Shared,
  loader: ResourceLoader,
): Promise<ControllerRuntime> {
  const work = new PostgresWorkStore(pools.runtime, { codeVersion: app.version });
  if (options.isAlone === true) await work.endLeases();
  const logger = options.logger.child({ role: "controllers" });
  return new ControllerRuntime({
    app,
    work,
    coalescer: logs.runtime,
    loader,
    clock,
    random: systemRandom,
    ...(threads === undefined ? {} : { reconciler: threads }),
    ...(options.claimsMax === undefined ? {} : { claimsMax: options.claimsMax }),
    logger,
    doorbell,
    metrics,
  });
}

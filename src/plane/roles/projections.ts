/** The role that folds: the table of resources, and the application's projections. */
import { liftOf } from "../../event/index.js";
import {
  assertInstalled,
  endProjectionLeases,
  PostgresProjectionStore,
  PostgresResourceTable,
  ProjectionRunner,
  ResourcesProjector,
} from "../../projection/index.js";
import { PostgresReader } from "../../store/postgres/index.js";
import type { PlaneOptions } from "../plane-options.js";
import { type Shared, withPlatform } from "../shared.js";

/** Starts it. @throws EventplaneError `migration_needed` when a projection is not installed; `unavailable` */
export async function startProjections(options: PlaneOptions, shared: Shared): Promise<void> {
  const { app, pools, loops, degraded } = shared;
  const projector = openProjector(options, shared);
  await assertInstalled(pools.projector, [...app.projections.values()]);
  if (options.isAlone === true) await endProjectionLeases(pools.projector);
  const runners = openRunners(options, shared);
  degraded.push(
    () => stoppedResources(projector),
    () => stoppedProjections(runners),
  );
  loops.start("projections", (signal) => projector.run(signal));
  for (const [name, runner] of runners) loops.start(`projection_${name}`, (signal) => runner.run(signal));
}

function openProjector(
  options: PlaneOptions,
  { folding, pools, clock, doorbell, metrics }: Shared,
): ResourcesProjector {
  return new ResourcesProjector({
    table: new PostgresResourceTable(pools.projector),
    reader: new PostgresReader(pools.reader),
    app: withPlatform(folding),
    clock,
    doorbell,
    metrics,
    logger: options.logger.child({ role: "projections" }),
  });
}

/** One a projection, by its name. */
function openRunners(options: PlaneOptions, shared: Shared): ReadonlyMap<string, ProjectionRunner> {
  const { app, pools, clock, doorbell, metrics } = shared;
  const { rolePrefix } = options;
  const holder = shared.processId;
  const logger = options.logger.child({ role: "projections" });
  const reader = new PostgresReader(pools.reader);
  return new Map(
    [...app.projections].map(([name, definition]) => {
      const store = new PostgresProjectionStore(pools.projector, { rolePrefix, definition });
      const parts = { definition, store, reader, lift: liftOf(app), holder, clock, logger, metrics, doorbell };
      return [name, new ProjectionRunner(parts)];
    }),
  );
}

function stoppedResources(projector: ResourcesProjector): readonly string[] {
  const tenants = projector.stopped().length;
  return tenants === 0 ? [] : [`resources_projection_stopped: tenants ${tenants}`];
}

/** Which projections stand still for how many tenants, and why. */
function stoppedProjections(runners: ReadonlyMap<string, ProjectionRunner>): readonly string[] {
  return [...runners].flatMap(([name, { summary, newerTenants }]) => {
    const stopped = (summary?.stopped ?? []).map(
      ({ code, tenants }) => `projection_stopped: ${name} ${code} tenants ${tenants}`,
    );
    const differing = summary?.differing ?? 0;
    return [
      ...stopped,
      ...(differing === 0 ? [] : [`projection_differs: ${name} tenants ${differing}`]),
      ...(newerTenants === 0 ? [] : [`projection_newer: ${name} tenants ${newerTenants}`]),
    ];
  });
}

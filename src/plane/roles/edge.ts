/** The role that takes requests. */
import { createEdge, type Edge, type EdgeDependencies } from "../../edge/index.js";
import { systemIds } from "../../kernel/index.js";
import {
  PostgresProjectionOverview,
  PostgresProjectionRows,
  PostgresResourceReader,
  type ProjectionRunner,
  type ResourcesProjector,
} from "../../projection/index.js";
import { PostgresReplayProgress } from "../../replay/index.js";
import { ResourceLoader } from "../../store/index.js";
import { PostgresSnapshots } from "../../store/postgres/index.js";
import { PostgresWorkStore } from "../../work/postgres/index.js";
import type { Intakes } from "../intakes.js";
import type { Loops } from "../loops.js";
import { openSnapshots } from "../open-snapshots.js";
import type { PlaneOptions } from "../plane-options.js";
import { type Shared, withPlatform } from "../shared.js";
import { threadsDegraded } from "../threads/open-threads.js";
import { stoppedProjections } from "./projections.js";

/** Resources as the edge and embedded callers see them. */
export interface Reading {
  readonly loader: ResourceLoader;
  readonly resources: PostgresResourceReader;
  readonly projections: EdgeDependencies["projections"];
}

export function openReading(options: PlaneOptions, shared: Shared): Reading {
  const { folding, pools, verifier, reader } = shared;
  const logger = options.logger.child({ role: "edge" });
  const snapshots = openSnapshots({ ...shared, logger, snapshots: new PostgresSnapshots(pools.edge) });
  const loader = new ResourceLoader({ reader, verifier, app: withPlatform(folding), snapshots });
  return {
    loader,
    resources: new PostgresResourceReader(pools.edge),
    projections: { rows: new PostgresProjectionRows(pools.edge), overview: new PostgresProjectionOverview(pools) },
  };
}

export function openEdge(
  options: PlaneOptions,
  shared: Shared,
  running: {
    readonly loops: Loops;
    readonly projector: ResourcesProjector;
    readonly runners: ReadonlyMap<string, ProjectionRunner>;
    readonly reading: Reading;
    readonly intakes: Pick<Intakes, "failed" | "degraded">;
  },
): Promise<Edge> {
  const { pools, directory, verifier, logs, reader, clock, doorbell, metrics, standing } = shared;
  const { loops, projector, runners, reading, intakes } = running;
  const { name, listen: _, ...bounds } = options.edge;
  const logger = options.logger.child({ role: "edge" });
  return createEdge({
    ...reading,
    app: shared.folding,
    log: logs.edge,
    reader,
    work: new PostgresWorkStore(pools.edge),
    replays: new PostgresReplayProgress(pools.edge),
    doorbell,
    verifier,
    keys: directory,
    signer: shared.signers.edge.signer,
    clock,
    ids: systemIds,
    logger,
    metrics,
    ...bounds,
    edge: name,
    notReady: async () => [...loops.failed, ...intakes.failed].map((name) => `${name}_stopped`),
    degraded: () => {
      const tenants = projector.stopped().length;
      const stopped = tenants === 0 ? [] : [`resources_projection_stopped: tenants ${tenants}`];
      return [
        ...stopped,
        ...stoppedProjections(runners),
        ...threadsDegraded(shared.threads),
        ...(options.watchdog?.degraded ?? []),
        ...standing.degraded,
        ...intakes.degraded,
      ];
    },
  });
}

/** The role that decides: the resources that controllers see, and the loop that calls them. */
import { ControllerRuntime } from "../../controller/index.js";
import { systemRandom } from "../../kernel/index.js";
import { ResourceLoader } from "../../store/index.js";
import { PostgresReader, PostgresSnapshots } from "../../store/postgres/index.js";
import { PostgresWorkStore } from "../../work/postgres/index.js";
import { openSnapshots } from "../open-snapshots.js";
import type { PlaneOptions } from "../plane-options.js";
import { type Shared, withPlatform } from "../shared.js";

/** The resources that controllers decide on, by themselves and for replays. */
export function openLoader(options: PlaneOptions, shared: Shared): ResourceLoader {
  const { folding, pools, verifier, signers } = shared;
  const reader = new PostgresReader(pools.runtime);
  const logger = options.logger.child({ role: "controllers" });
  const snapshots = new PostgresSnapshots(pools.runtime);
  const keeper = { signer: signers.runtime.signer, snapshots };
  return new ResourceLoader({
    reader,
    verifier,
    app: withPlatform(folding),
    snapshots: openSnapshots({ ...shared, reader, logger, snapshots, keeper }),
  });
}

export async function openRuntime(
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

/**
 * The composition root: adapters behind ports, one process with edge, controllers, workers and projections.
 */
import type { Edge } from "../edge/index.js";
import { createVerifier, KeyDirectory } from "../event/index.js";
import { systemClock, systemIds } from "../kernel/index.js";
import { createMetrics } from "../observe/index.js";
import { assertInstalled, endProjectionLeases, ProjectionQueries } from "../projection/index.js";
import { PostgresReader } from "../store/postgres/index.js";
import { PostgresWorkStore } from "../work/postgres/index.js";
import { Bootstrap } from "./bootstrap.js";
import { openPools } from "./database.js";
import { createDoorbell } from "./doorbell/index.js";
import { type CallerIdentity, EmbeddedCaller } from "./embedded-caller.js";
import { Intakes } from "./intakes.js";
import { Loops } from "./loops.js";
import { openChanges } from "./open-changes.js";
import { openReplays } from "./open-replays.js";
import type { PlaneOptions } from "./plane-options.js";
import { openLoader, openRuntime } from "./roles/controllers.js";
import { openEdge, openReading } from "./roles/edge.js";
import { openProjector, openRunners } from "./roles/projections.js";
import { openWorkers } from "./roles/workers.js";
import { openLogs, type Shared, withPlatform } from "./shared.js";
import { openSigners } from "./signers.js";
import { openThreads } from "./threads/open-threads.js";
import type { ThreadPool } from "./threads/thread-pool.js";
import { StandingWatch, watchBacklog } from "./watch-backlog.js";

/** A running plane. */
export interface Plane extends AsyncDisposable {
  /** Where it listens; empty when it does not. */
  readonly url: string;
  /** base64url of the root's raw public key: what verifiers must be given. */
  readonly rootPublicKey: string;
  readonly edge: Edge;
  /**
   * The way in for code of this process: the pipeline of HTTP, without HTTP.
   *
   * @throws EventplaneError `platform_stale`; `forbidden` for a tenant that does not exist
   */
  as(identity: CallerIdentity): EmbeddedCaller;
  /** Questions to projections for whoever may see all tenants. */
  readonly queries: ProjectionQueries;
  /** Drains requests and reconciles, then ends connections. Idempotent, bounded. */
  close(): Promise<void>;
}

/**
 * Opens a plane on a migrated database and serves.
 *
 * @throws EventplaneError of the configuration, the database and the keys; nothing stays open
 */
export async function openPlane(options: PlaneOptions): Promise<Plane> {
  const pools = await openPools(options.databaseUrl, options);
  const metrics = createMetrics();
  let threads: ThreadPool | undefined;
  try {
    if (options.threads !== undefined) threads = await openThreads(options.threads, { ...options, metrics });
    const { app: given, watchdog } = options;
    const app = watchdog?.watch(given) ?? given;
    return await compose({ ...options, app }, { pools, metrics, threads, folding: watchdog?.watchFolds(app) ?? app });
  } catch (error) {
    await threads?.close();
    await pools.close();
    throw error;
  }
}

async function compose(
  options: PlaneOptions,
  opened: Pick<Shared, "folding" | "pools" | "metrics" | "threads">,
): Promise<Plane> {
  const { pools, metrics, threads } = opened;
  const clock = systemClock;
  const doorbell = createDoorbell();
  const signers = openSigners(options.keys);
  const directory = new KeyDirectory(signers.rootPublicKey);
  const verifier = createVerifier(directory);
  const reader = new PostgresReader(pools.edge);
  const logs = openLogs({ pools, signers, doorbell, metrics, clock });
  const app = withPlatform(options.app);
  const standing = new StandingWatch();
  const shared: Shared = { ...opened, app, signers, directory, verifier, logs, reader, clock, doorbell, standing };

  await bootstrap(options, shared);
  const loader = openLoader(options, shared);
  const runtime = await openRuntime(options, shared, loader);
  const projector = openProjector(options, shared);
  await assertInstalled(pools.projector, [...app.projections.values()]);
  if (options.isAlone === true) await endProjectionLeases(pools.projector);
  const runners = openRunners(options, shared);
  const loops = new Loops(options.logger);
  const reading = openReading(options, shared);
  const intakes = new Intakes({ ...shared, logger: options.logger });
  const edge = await openEdge(options, shared, { loops, projector, runners, reading, intakes });
  loops.start("controllers", (signal) => runtime.run(signal));
  if (app.workers.size > 0) loops.start("workers", (signal) => openWorkers(options, shared).run(signal));
  const changes = openChanges({ ...shared, loader, logger: options.logger });
  loops.start("changes", (signal) => changes.run(signal));
  const replays = openReplays({
    ...shared,
    loader,
    logger: options.logger,
    ...(threads === undefined ? {} : { reconciler: threads }),
  });
  loops.start("replays", (signal) => replays.run(signal));
  loops.start("projections", (signal) => projector.run(signal));
  for (const [name, runner] of runners) loops.start(`projection_${name}`, (signal) => runner.run(signal));
  loops.start("backlog", (signal) => watchBacklog({ ...shared, work: new PostgresWorkStore(pools.runtime) }, signal));
  const close = once(async () => {
    await intakes.close();
    await edge.close();
    await loops.close();
    await threads?.close();
    await Promise.all([logs.edge.close(), logs.runtime.close(), logs.root?.log.close()]);
    await pools.close();
  });
  try {
    const { listen } = options.edge;
    const url = listen === undefined ? "" : await edge.listen(listen);
    await edge.platform.catchUp(); // so that nobody is refused because it knows nothing yet
    intakes.start(edge);
    const queries = new ProjectionQueries({ app, rows: reading.projections.rows, clock });
    const caller = { ...shared, ...reading, queries, edge, ids: systemIds };
    const as = (identity: CallerIdentity): EmbeddedCaller => new EmbeddedCaller(caller, identity);
    return { url, rootPublicKey: signers.rootPublicKey, edge, as, queries, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What must be in the platform log before anybody is served. */
async function bootstrap(options: PlaneOptions, { reader, directory, clock, logs, signers }: Shared): Promise<void> {
  const steps = new Bootstrap({ reader, directory, clock, ids: systemIds, edgeName: options.edge.name });
  await steps.introduce([signers.edge, signers.runtime], logs.root);
  await steps.registerSchemas(options.app, logs.edge);
  await steps.registerBasePolicies(logs.edge);
  if (options.onAdminKey !== undefined) await options.onAdminKey(await steps.createAdminKey(logs.edge));
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}

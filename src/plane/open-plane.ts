/**
 * The composition root: adapters behind ports, one process with edge, controllers, workers and projections.
 */
import { ControllerRuntime } from "../controller/index.js";
import { createEdge, type Edge, type EdgeDependencies, platformApp } from "../edge/index.js";
import { type AppDefinition, createVerifier, KeyDirectory, type Verifier } from "../event/index.js";
import { type Clock, type Doorbell, type Signer, systemClock, systemIds, systemRandom } from "../kernel/index.js";
import { createMetrics, type Logger, type Metrics } from "../observe/index.js";
import {
  assertInstalled,
  endProjectionLeases,
  PostgresProjectionOverview,
  PostgresProjectionRows,
  PostgresProjectionStore,
  PostgresResourceReader,
  PostgresResourceTable,
  ProjectionQueries,
  ProjectionRunner,
  ResourcesProjector,
} from "../projection/index.js";
import { PostgresReplayProgress } from "../replay/index.js";
import { type Appender, Coalescer, ResourceLoader } from "../store/index.js";
import { PostgresAppender, PostgresReader, PostgresSnapshots, type RolePasswords } from "../store/postgres/index.js";
import { PostgresWorkStore } from "../work/postgres/index.js";
import { WorkerRuntime } from "../worker/index.js";
import { Bootstrap } from "./bootstrap.js";
import { type DatabasePools, openPools } from "./database.js";
import { createDoorbell } from "./doorbell/index.js";
import { type CallerIdentity, EmbeddedCaller } from "./embedded-caller.js";
import { Loops } from "./loops.js";
import { measuredAppender } from "./measured-appender.js";
import { openChanges } from "./open-changes.js";
import { openReplays } from "./open-replays.js";
import { openSnapshots } from "./open-snapshots.js";
import { openSigners, type PlaneKeys, type Signers } from "./signers.js";
import { openThreads, type ThreadsOptions, threadsDegraded } from "./threads/open-threads.js";
import type { ThreadPool } from "./threads/thread-pool.js";
import { StandingWatch, watchBacklog } from "./watch-backlog.js";
import type { Watchdog } from "./watchdog/watchdog.js";

/** How to open a plane. */
export interface PlaneOptions {
  readonly app: AppDefinition;
  /** Any URL of the database; user and password are replaced by those of each role. */
  readonly databaseUrl: string;
  readonly rolePrefix: string;
  readonly passwords: RolePasswords;
  readonly connectionsMax: number;
  /** Work rows that the controllers hold at once; default: the runtime's. */
  readonly claimsMax?: number;
  /** Runs the controllers in threads that load this application themselves; default: in this thread. */
  readonly threads?: ThreadsOptions;
  /** Names what holds the event loop; of the process, not of the plane. */
  readonly watchdog?: Watchdog;
  /** How long `close` waits for calls of workers before it aborts them; default: the runtime's. */
  readonly workerStopGraceMs?: number;
  readonly keys: PlaneKeys;
  /** Without `listen` it is reached by {@link Plane.as} only. */
  readonly edge: Pick<EdgeDependencies, "trustedProxies" | "failedAttemptsPerMinute"> & {
    readonly name: string;
    readonly listen?: { readonly host: string; readonly port: number };
  };
  readonly logger: Logger;
  /** No other process works on this database: what a plane before this one had in hand when it was killed is due at once. */
  readonly isAlone?: boolean;
  /** Called with the text of a new admin key when the platform has none. */
  readonly onAdminKey?: (key: string) => Promise<void> | void;
}

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

/** The app together with the platform's own aggregates: what the runtime folds and settles. */
function withPlatform(app: AppDefinition): AppDefinition {
  return { ...app, aggregates: new Map([...app.aggregates, ...platformApp.aggregates]) };
}

/** What the parts of one plane share. */
interface Shared {
  readonly app: AppDefinition;
  /** The same for those parts that fold and guard: without the platform's aggregates. */
  readonly folding: AppDefinition;
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly directory: KeyDirectory;
  readonly verifier: Verifier;
  readonly logs: Logs;
  readonly reader: PostgresReader;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly standing: StandingWatch;
  /** Undefined: the controllers run in this thread. */
  readonly threads: ThreadPool | undefined;
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
  const edge = await openEdge(options, shared, { loops, projector, runners, reading });
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

/** The resources that controllers decide on, by themselves and for replays. */
function openLoader(options: PlaneOptions, shared: Shared): ResourceLoader {
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

function openWorkers(options: PlaneOptions, shared: Shared): WorkerRuntime {
  const { app, pools, logs, verifier, clock, doorbell, metrics } = shared;
  return new WorkerRuntime({
    app,
    work: new PostgresWorkStore(pools.runtime, { codeVersion: app.version }),
    coalescer: logs.runtime,
    reader: new PostgresReader(pools.runtime),
    verifier,
    clock,
    random: systemRandom,
    ...(options.workerStopGraceMs === undefined ? {} : { stopGraceMs: options.workerStopGraceMs }),
    logger: options.logger.child({ role: "workers" }),
    doorbell,
    metrics,
  });
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

/** Resources as the edge and embedded callers see them. */
interface Reading {
  readonly loader: ResourceLoader;
  readonly resources: PostgresResourceReader;
  readonly projections: EdgeDependencies["projections"];
}

function openReading(options: PlaneOptions, shared: Shared): Reading {
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

/** One a projection, by its name. */
function openRunners(options: PlaneOptions, shared: Shared): ReadonlyMap<string, ProjectionRunner> {
  const { app, pools, clock, doorbell, metrics } = shared;
  const { rolePrefix } = options;
  const holder = systemIds.uuid4();
  const logger = options.logger.child({ role: "projections" });
  const reader = new PostgresReader(pools.reader);
  return new Map(
    [...app.projections].map(([name, definition]) => {
      const store = new PostgresProjectionStore(pools.projector, { rolePrefix, definition });
      const parts = { definition, store, reader, holder, clock, logger, metrics, doorbell };
      return [name, new ProjectionRunner(parts)];
    }),
  );
}

function openEdge(
  options: PlaneOptions,
  shared: Shared,
  running: {
    readonly loops: Loops;
    readonly projector: ResourcesProjector;
    readonly runners: ReadonlyMap<string, ProjectionRunner>;
    readonly reading: Reading;
  },
): Promise<Edge> {
  const { pools, directory, verifier, logs, reader, clock, doorbell, metrics, standing } = shared;
  const { loops, projector, runners, reading } = running;
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
    clock,
    ids: systemIds,
    logger,
    metrics,
    ...bounds,
    edge: name,
    notReady: async () => loops.failed.map((name) => `${name}_stopped`),
    degraded: () => {
      const tenants = projector.stopped().length;
      const stopped = tenants === 0 ? [] : [`resources_projection_stopped: tenants ${tenants}`];
      return [
        ...stopped,
        ...stoppedProjections(runners),
        ...threadsDegraded(shared.threads),
        ...(options.watchdog?.degraded ?? []),
        ...standing.degraded,
      ];
    },
  });
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

interface Logs {
  readonly edge: Coalescer;
  readonly runtime: Coalescer;
  readonly root: { readonly signer: Signer; readonly log: Coalescer } | undefined;
}

function openLogs(options: {
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly clock: Clock;
}): Logs {
  const { pools, signers, doorbell, clock } = options;
  const edgeAppender = measuredAppender(new PostgresAppender(pools.edge, "edge"), options.metrics);
  const runtimeAppender = measuredAppender(new PostgresAppender(pools.runtime, "runtime"), options.metrics);
  const log = (appender: Appender, signer: Signer): Coalescer =>
    new Coalescer({ appender, signer, doorbell, clock, random: systemRandom });
  return {
    edge: log(edgeAppender, signers.edge.signer),
    runtime: log(runtimeAppender, signers.runtime.signer),
    root: signers.root === undefined ? undefined : { signer: signers.root, log: log(edgeAppender, signers.root) },
  };
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}

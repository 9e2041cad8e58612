/**
 * The composition root: adapters behind ports, and one process with the roles that it was given.
 */
import { hostname } from "node:os";
import type { AdministrationRequest, Edge, Erasure } from "../edge/index.js";
import { createVerifier, KeyDirectory } from "../event/index.js";
import { assert, systemClock, systemIds, type TenantId } from "../kernel/index.js";
import { createMetrics } from "../observe/index.js";
import { KeyEncryptionKeys } from "../personal/index.js";
import type { ProjectionQueries } from "../projection/index.js";
import { PostgresReader } from "../store/postgres/index.js";
import type { ProcessReport } from "../work/index.js";
import { PostgresProcessRegister, PostgresWorkStore } from "../work/postgres/index.js";
import { openPools } from "./database.js";
import { createDoorbell } from "./doorbell/index.js";
import type { CallerIdentity, EmbeddedCaller } from "./embedded-caller.js";
import { type HealthServer, openHealthServer } from "./health-server.js";
import { runHeartbeat } from "./heartbeat.js";
import { Introductions } from "./introductions.js";
import { Loops } from "./loops.js";
import { packageVersion } from "./package-version.js";
import type { PlaneOptions } from "./plane-options.js";
import { holdingOf, type ProcessRole, processRoles } from "./process-roles.js";
import { startControllers } from "./roles/controllers.js";
import { type OpenEdge, openEdge } from "./roles/edge.js";
import { startProjections } from "./roles/projections.js";
import { startRelay } from "./roles/relay.js";
import { startWorkers } from "./roles/workers.js";
import { openLogs, type Shared, withPlatform } from "./shared.js";
import { openSigners } from "./signers.js";
import { openThreads } from "./threads/open-threads.js";
import { StandingWatch, watchBacklog } from "./watch-backlog.js";

/** A running process of a plane, whatever its roles. */
export interface PlaneProcess extends AsyncDisposable {
  /** Where it listens; empty when it does not. */
  readonly url: string;
  /** base64url of the root's raw public key: what verifiers must be given. */
  readonly rootPublicKey: string;
  /** Drains requests and reconciles, then ends connections. Idempotent, bounded. */
  close(): Promise<void>;
}

/** A running plane: a process with an edge. */
export interface Plane extends PlaneProcess {
  readonly edge: Edge;
  /**
   * The way in for code of this process: the pipeline of HTTP, without HTTP.
   *
   * @throws EventplaneError `platform_stale`; `forbidden` for a tenant that does not exist
   */
  as(identity: CallerIdentity): EmbeddedCaller;
  /** Questions to projections for whoever may see all tenants. */
  readonly queries: ProjectionQueries;
  /** Erases a data subject. @throws EventplaneError `request_invalid` for a name that no subject may have; `busy`, `unavailable` */
  eraseSubject(tenantId: TenantId, subject: string, request: AdministrationRequest): Promise<Erasure>;
}

const nameCharactersMax = 128;
const codeVersionCharactersMax = 256;
const everyRole: ReadonlySet<ProcessRole> = new Set(processRoles);

/**
 * Opens a plane with every role on a migrated database and serves.
 *
 * @throws EventplaneError of the configuration, the database and the keys; nothing stays open
 */
export async function openPlane(options: Omit<PlaneOptions, "roles">): Promise<Plane> {
  const { process, edge } = await open({ ...options, roles: everyRole });
  assert(edge !== undefined, "a process with every role has an edge");
  const { edge: taking, as, queries, eraseSubject } = edge;
  return { ...process, edge: taking, as, queries, eraseSubject };
}

/**
 * Opens a process with these roles, which holds the logins and keys of these roles only.
 *
 * @throws EventplaneError as {@link openPlane}; `key_unknown` when nobody introduces its key within 30 s
 */
export async function openProcess(options: PlaneOptions): Promise<PlaneProcess> {
  const { process } = await open(options);
  return process;
}

async function open(
  given: PlaneOptions,
): Promise<{ readonly process: PlaneProcess; readonly edge: OpenEdge | undefined }> {
  const options = { ...given, roles: rolesIn(given) };
  const { roles } = options;
  const closing: (() => Promise<void>)[] = [];
  const close = once(async () => {
    for (const end of closing.splice(0).reverse()) await end();
  });
  try {
    const shared = await openShared(options, closing);
    const edge = roles.has("edge") ? await openEdge(options, shared) : undefined;
    closing.push(() => shared.loops.close());
    if (edge !== undefined)
      closing.push(
        () => edge.edge.close(),
        () => edge.intakes.close(),
      );
    else await learnKeys(options, shared);
    await startRoles(options, shared);
    startHeartbeat(options, shared);
    const url = await listen(options, shared, { edge, closing });
    const { rootPublicKey } = shared.signers;
    return { process: { url, rootPublicKey, close, [Symbol.asyncDispose]: close }, edge };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without a transport nothing is relayed, and nobody logs in for it. */
function rolesIn({ roles, transport }: PlaneOptions): ReadonlySet<ProcessRole> {
  return transport === undefined ? new Set([...roles].filter((role) => role !== "relay")) : roles;
}

/** What is opened before any role; each part with its end. */
async function openShared(options: PlaneOptions, closing: (() => Promise<void>)[]): Promise<Shared> {
  const { roles, watchdog, logger } = options;
  const metrics = createMetrics();
  const pools = await openPools(options.databaseUrl, { ...options, logins: holdingOf(roles).logins });
  closing.push(() => pools.close());
  const signers = openSigners(options.keys);
  const directory = new KeyDirectory(signers.rootPublicKey);
  const doorbell = createDoorbell();
  const clock = systemClock;
  const logs = openLogs({ pools, signers, doorbell, metrics, clock });
  closing.push(() => logs.close());
  const threads =
    options.threads === undefined || !roles.has("controllers")
      ? undefined
      : await openThreads(options.threads, { ...options, metrics });
  if (threads !== undefined) closing.push(() => threads.close());
  const given = watchdog?.watch(options.app) ?? options.app;
  const standing = new StandingWatch();
  return {
    processId: systemIds.uuid4(),
    app: withPlatform(given),
    folding: watchdog?.watchFolds(given) ?? given,
    pools,
    signers,
    directory,
    verifier: createVerifier(directory),
    logs,
    clock,
    doorbell,
    keks: new KeyEncryptionKeys(options.keys.personal ?? []),
    metrics,
    standing,
    threads,
    loops: new Loops(logger),
    degraded: [() => watchdog?.degraded ?? [], () => standing.degraded],
  };
}

/** An edge learns them by its fold of the platform; a relay alone verifies nothing. */
async function learnKeys({ roles }: PlaneOptions, shared: Shared): Promise<void> {
  const { pools, signers, loops } = shared;
  const { keys, logins } = holdingOf(roles);
  if (!logins.has("runtime") && !logins.has("reader")) return;
  const introductions = new Introductions({
    ...shared,
    reader: new PostgresReader(keys.has("runtime") ? pools.runtime : pools.reader),
  });
  await introductions.read();
  for (const { signer } of signers.held) await introductions.waitFor(signer.keyId);
  loops.start("introductions", (signal) => introductions.run(signal));
}

async function startRoles(options: PlaneOptions, shared: Shared): Promise<void> {
  const { roles } = options;
  if (roles.has("controllers")) await startControllers(options, shared);
  if (roles.has("workers")) startWorkers(options, shared);
  if (roles.has("projections")) await startProjections(options, shared);
  if (roles.has("relay")) startRelay(options, shared);
  if (!roles.has("controllers") && !roles.has("workers")) return;
  const work = new PostgresWorkStore(shared.pools.runtime);
  shared.loops.start("backlog", (signal) => watchBacklog({ ...shared, work }, signal));
}

/** Says in the register that this process runs, with the first login that it has. */
function startHeartbeat({ roles }: PlaneOptions, shared: Shared): void {
  const { pools, loops, degraded, clock, processId, app } = shared;
  const [login] = [...holdingOf(roles).logins];
  const version = packageVersion();
  const register = new PostgresProcessRegister(pools[login ?? "edge"]);
  const report = (): ProcessReport => ({
    processId,
    name: `${hostname()}:${process.pid}`.slice(0, nameCharactersMax),
    roles: [...roles],
    version,
    codeVersion: (app.version ?? "").slice(0, codeVersionCharactersMax),
    reasons: loops.stopped,
    degraded: degraded.flatMap((tell) => tell()),
  });
  loops.start("heartbeat", (signal) => runHeartbeat({ register, clock, report }, signal));
}

async function listen(
  options: PlaneOptions,
  shared: Shared,
  { edge, closing }: { readonly edge: OpenEdge | undefined; readonly closing: (() => Promise<void>)[] },
): Promise<string> {
  const { listen: address } = options.edge;
  if (edge !== undefined) {
    const url = address === undefined ? "" : await edge.edge.listen(address);
    await edge.edge.platform.catchUp(); // so that nobody is refused because it knows nothing yet
    edge.intakes.start(edge.edge);
    return url;
  }
  if (address === undefined) return "";
  const health: HealthServer = await openHealthServer(address, shared);
  closing.push(() => health.close());
  return health.url;
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}

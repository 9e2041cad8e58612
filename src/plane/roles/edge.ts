/** The role that takes requests, over HTTP and from code of this process. */
import {
  type AdministrationRequest,
  createEdge,
  type Edge,
  type EdgeDependencies,
  type Erasure,
  eraseSubject,
} from "../../edge/index.js";
import { systemIds, type TenantId } from "../../kernel/index.js";
import { assertOpens, KeyRing, PersonalData, PostgresDataKeys, runUpkeep, subjectName } from "../../personal/index.js";
import {
  PostgresProjectionOverview,
  PostgresProjectionRows,
  PostgresResourceReader,
  ProjectionQueries,
} from "../../projection/index.js";
import { PostgresAllowances } from "../../quota/index.js";
import { PostgresReplayProgress } from "../../replay/index.js";
import { ResourceLoader } from "../../store/index.js";
import { PostgresReader, PostgresSnapshots } from "../../store/postgres/index.js";
import { PostgresSystemStatus, PostgresWorkStore } from "../../work/postgres/index.js";
import { Bootstrap } from "../bootstrap.js";
import { type CallerIdentity, EmbeddedCaller } from "../embedded-caller.js";
import { Intakes } from "../intakes.js";
import { openSnapshots } from "../open-snapshots.js";
import type { PlaneOptions } from "../plane-options.js";
import { type Shared, withPlatform } from "../shared.js";
import { openWebhookDesk, startWebhooks, type WebhookDesk } from "./webhooks.js";

/** An edge that is ready to listen. */
export interface OpenEdge {
  readonly edge: Edge;
  /** Not started yet; to be closed before the edge. */
  readonly intakes: Intakes;
  readonly queries: ProjectionQueries;
  readonly as: (identity: CallerIdentity) => EmbeddedCaller;
  readonly eraseSubject: (tenantId: TenantId, subject: string, request: AdministrationRequest) => Promise<Erasure>;
}

/** Resources as the edge and embedded callers see them. */
interface Reading {
  readonly loader: ResourceLoader;
  readonly resources: PostgresResourceReader;
  readonly projections: EdgeDependencies["projections"];
  readonly personal: PersonalData;
  readonly dataKeys: PostgresDataKeys;
}

/** Opens it, once the platform log has what must be there before anybody is served. */
export async function openEdge(options: PlaneOptions, shared: Shared): Promise<OpenEdge> {
  const reader = new PostgresReader(shared.pools.edge);
  await bootstrap(options, shared, reader);
  const reading = openReading(options, shared, reader);
  const upkeep = { ...shared, keys: reading.dataKeys, logger: options.logger };
  await assertOpens(upkeep);
  shared.loops.start("data_keys", (signal) => runUpkeep(upkeep, signal));
  const intakes = new Intakes({ ...shared, logger: options.logger });
  const webhooks = openWebhookDesk(options, shared);
  const edge = await createEdge(dependenciesOf(options, shared, { reader, reading, intakes, webhooks }));
  if (webhooks !== undefined) startWebhooks(options, shared, { edge, desk: webhooks });
  const queries = new ProjectionQueries({ app: shared.app, rows: reading.projections.rows, clock: shared.clock });
  const caller = { ...shared, ...reading, reader, queries, edge, ids: systemIds };
  const erasing = { ...reading, log: shared.logs.edge, ids: systemIds };
  return {
    edge,
    intakes,
    queries,
    as: (identity) => new EmbeddedCaller(caller, identity),
    eraseSubject: async (tenantId, name, request) => {
      const stamp = edge.administration.stamp(request, tenantId);
      return eraseSubject(erasing, { tenantId, subject: subjectName(name), stamp });
    },
  };
}

async function bootstrap(
  options: PlaneOptions,
  { directory, clock, logs, signers }: Shared,
  reader: PostgresReader,
): Promise<void> {
  const steps = new Bootstrap({ reader, directory, clock, ids: systemIds, edgeName: options.edge.name });
  await steps.introduce(signers.held, logs.root);
  await steps.registerSchemas(options.app, logs.edge);
  await steps.registerBasePolicies(logs.edge);
  if (options.onAdminKey !== undefined) await options.onAdminKey(await steps.createAdminKey(logs.edge));
}

function openReading(options: PlaneOptions, shared: Shared, reader: PostgresReader): Reading {
  const { folding, pools, verifier, keks, clock } = shared;
  const logger = options.logger.child({ role: "edge" });
  const snapshots = openSnapshots({ ...shared, reader, logger, snapshots: new PostgresSnapshots(pools.edge) });
  const loader = new ResourceLoader({ reader, verifier, app: withPlatform(folding), snapshots });
  const dataKeys = new PostgresDataKeys(pools.edge);
  const ring = new KeyRing({ store: dataKeys, keks, clock, ids: systemIds });
  return {
    loader,
    personal: new PersonalData({ app: folding, ring }),
    dataKeys,
    resources: new PostgresResourceReader(pools.edge),
    projections: { rows: new PostgresProjectionRows(pools.edge), overview: new PostgresProjectionOverview(pools.edge) },
  };
}

function dependenciesOf(
  options: PlaneOptions,
  shared: Shared,
  opened: {
    readonly reader: PostgresReader;
    readonly reading: Reading;
    readonly intakes: Intakes;
    readonly webhooks: WebhookDesk | undefined;
  },
): EdgeDependencies {
  const { pools, directory, verifier, logs, clock, doorbell, metrics, loops, degraded } = shared;
  const { reader, reading, intakes, webhooks } = opened;
  const { name, listen: _, ...bounds } = options.edge;
  return {
    ...reading,
    app: shared.folding,
    log: logs.edge,
    reader,
    work: new PostgresWorkStore(pools.edge),
    replays: new PostgresReplayProgress(pools.edge),
    allowances: new PostgresAllowances(pools.edge),
    ...(webhooks === undefined ? {} : { webhooks }),
    status: new PostgresSystemStatus(pools.edge),
    doorbell,
    verifier,
    keys: directory,
    signer: shared.signers.of("edge"),
    clock,
    ids: systemIds,
    logger: options.logger.child({ role: "edge" }),
    metrics,
    ...bounds,
    edge: name,
    notReady: async () => [...loops.stopped, ...intakes.stopped],
    degraded: () => [...degraded.flatMap((tell) => tell()), ...intakes.degraded],
  };
}

/** An edge as a plane composes it, without controllers: HTTP, API keys, schemas, stamps, signatures, SSE; all on. */
import { randomUUID } from "node:crypto";
import { Writable } from "node:stream";
import { Type } from "typebox";
import { defineAggregate, defineApp } from "../../dist/controller/index.js";
import { createEdge, type Edge } from "../../dist/edge/index.js";
import {
  createEd25519Signer,
  createVerifier,
  EventFactory,
  generateSigningKey,
  KeyDirectory,
} from "../../dist/event/index.js";
import { systemClock, systemIds, type TenantId } from "../../dist/kernel/index.js";
import { createLogger, createMetrics } from "../../dist/observe/index.js";
import { KeyEncryptionKeys, KeyRing, PersonalData, PostgresDataKeys } from "../../dist/personal/index.js";
import { Bootstrap } from "../../dist/plane/bootstrap.js";
import { createDoorbell } from "../../dist/plane/doorbell/index.js";
import { boundHeapGrowth } from "../../dist/plane/heap-growth.js";
import {
  PostgresProjectionOverview,
  PostgresProjectionRows,
  PostgresResourceReader,
} from "../../dist/projection/index.js";
import { PostgresAllowances } from "../../dist/quota/index.js";
import { PostgresReplayProgress } from "../../dist/replay/index.js";
import { Coalescer, ResourceLoader } from "../../dist/store/index.js";
import { createPool, PostgresAppender, PostgresReader } from "../../dist/store/postgres/index.js";
import { testCausedBy } from "../../dist/testing/index.js";
import { PostgresSystemStatus, PostgresWorkStore } from "../../dist/work/postgres/index.js";
import { serveParent } from "../support/child.js";
import { specOf } from "../support/payload.js";

/** Opens the edge on a migrated database; or publishes `perSecond` events to the tenants for `seconds`. */
export type EdgeOrder =
  | { readonly open: { readonly databaseUrl: string } }
  | {
      readonly publish: { readonly tenantIds: readonly string[]; readonly perSecond: number; readonly seconds: number };
    };

/** Where it listens, and the key of its administrator. */
export interface EdgeAnswer {
  readonly url: string;
  readonly adminKey: string;
}

const app = defineApp({
  aggregates: [
    defineAggregate("organization", {
      spec: Type.Object({
        name: Type.String({ maxLength: 80 }),
        plan: Type.Union([Type.Literal("free"), Type.Literal("team"), Type.Literal("enterprise")]),
        region: Type.Union([Type.Literal("eu"), Type.Literal("us")]),
        seats: Type.Integer(),
        contact: Type.Object({ locale: Type.String(), timezone: Type.String() }),
        note: Type.String(),
      }),
      status: {},
      intents: { create: { creates: true } },
    }),
  ],
  controllers: [],
});

const doorbell = createDoorbell();
let edge: Edge | undefined;
let log: Coalescer | undefined;

serveParent<EdgeOrder>(
  async (order) => {
    if ("open" in order) return open(order.open.databaseUrl);
    await publish(order.publish);
    return {};
  },
  async () => {
    await edge?.close();
    await log?.close();
  },
);

async function open(databaseUrl: string): Promise<EdgeAnswer> {
  boundHeapGrowth(); // as runPlane does for `evtctl dev` and `start`
  const clock = systemClock;
  const pool = createPool(databaseUrl);
  const [rootKey, edgeKey] = [generateSigningKey(), generateSigningKey()];
  const root = createEd25519Signer({ privateKey: rootKey.privateKeyPem, tier: "operator" });
  const signer = createEd25519Signer({ privateKey: edgeKey.privateKeyPem, tier: "edge" });
  const keys = new KeyDirectory(rootKey.publicKey);
  const verifier = createVerifier(keys);
  const reader = new PostgresReader(pool);
  const appender = new PostgresAppender(pool, "edge");
  log = new Coalescer({ appender, signer, clock, doorbell });
  const rootLog = new Coalescer({ appender, signer: root, clock, doorbell });
  const bootstrap = new Bootstrap({ reader, directory: keys, clock, ids: systemIds, edgeName: "bench" });
  await bootstrap.introduce([{ signer, publicKey: edgeKey.publicKey }], { signer: root, log: rootLog });
  await bootstrap.registerSchemas(app, log);
  const adminKey = await bootstrap.createAdminKey(log);
  const dataKeys = new PostgresDataKeys(pool);
  const ring = new KeyRing({ store: dataKeys, keks: new KeyEncryptionKeys([]), clock, ids: systemIds });
  edge = await createEdge({
    app,
    log,
    reader,
    loader: new ResourceLoader({ reader, verifier, app }),
    resources: new PostgresResourceReader(pool),
    projections: {
      rows: new PostgresProjectionRows(pool),
      overview: new PostgresProjectionOverview(pool),
    },
    work: new PostgresWorkStore(pool),
    replays: new PostgresReplayProgress(pool),
    allowances: new PostgresAllowances(pool),
    personal: new PersonalData({ app, ring }),
    dataKeys,
    status: new PostgresSystemStatus(pool),
    doorbell,
    verifier,
    keys,
    signer,
    clock,
    ids: systemIds,
    logger: createLogger({ level: "warn", destination: new Writable({ write: (_chunk, _encoding, done) => done() }) }),
    metrics: createMetrics(),
    edge: "bench",
  });
  const url = await edge.listen({ host: "127.0.0.1", port: 0 });
  await edge.platform.catchUp();
  return { url, adminKey };
}

const tickMs = 10;
/** Receipts that nobody reads would be memory of the edge. */
const forget = (): void => undefined;

/** Evenly over time and tenants, through the edge's own coalescer. */
async function publish({
  tenantIds,
  perSecond,
  seconds,
}: Extract<EdgeOrder, { publish: object }>["publish"]): Promise<void> {
  const factory = new EventFactory({ app, ids: systemIds });
  const started = performance.now();
  const total = perSecond * seconds;
  const appends: Promise<unknown>[] = [];
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * perSecond));
    for (; sent < due; sent++) {
      const tenantId = tenantIds[sent % tenantIds.length] as TenantId; // ids that the edge gave
      const { text, object } = specOf(sent);
      const spec = object as Parameters<typeof factory.intent>[0]["spec"]; // a JSON object by construction
      const item = factory.intent(
        { tenantId, type: "organization.create", aggregateId: randomUUID(), spec, specText: text },
        testCausedBy,
      );
      appends.push(log?.append({ tenantId, items: [item] }).then(forget) ?? Promise.resolve());
    }
    await systemClock.sleep(tickMs);
  }
  await Promise.all(appends);
}

/** An edge on real HTTP over a store, with one platform admin key and as many tenants as a test asks for. */
import { Writable } from "node:stream";
import { z } from "zod";
import { defineAggregate, defineApp } from "../../src/controller/index.js";
import {
  createEdge,
  type Edge,
  issueKey,
  platformApp,
  principalIdOf,
  type ResourceSource,
} from "../../src/edge/index.js";
import {
  type AppDefinition,
  type AppendItem,
  type CausedBy,
  createEd25519Signer,
  createVerifier,
  EventFactory,
  generateSigningKey,
  introduceKey,
  introductionSpec,
  KeyDirectory,
} from "../../src/event/index.js";
import {
  type Clock,
  type Doorbell,
  formatUs,
  PLATFORM_TENANT_ID,
  type Signer,
  systemClock,
  systemIds,
  type TenantId,
} from "../../src/kernel/index.js";
import { createLogger, createMetrics } from "../../src/observe/index.js";
import { createDoorbell } from "../../src/plane/doorbell/index.js";
import { MemoryProjectionRows } from "../../src/projection/index.js";
import { type AllowanceStore, MemoryAllowances, type QuotaDefaults } from "../../src/quota/index.js";
import { MemoryReplayProgress } from "../../src/replay/index.js";
import { type Appender, Coalescer, createMemoryStore, type LogReader, ResourceLoader } from "../../src/store/index.js";
import { testPersonal } from "../../src/testing/index.js";
import { type DeadLetter, MemorySystemStatus } from "../../src/work/index.js";

export { type Answer, answerOf, call, eventually, refusalsIn } from "./edge-answers.js";

/** The adapters below an edge. */
export interface FixtureStore {
  readonly edge: Appender;
  readonly reader: LogReader;
  /** Default: in memory, shared by the edges of the fixture. */
  readonly allowances?: AllowanceStore;
}

/** What a test may change. */
export interface EdgeFixtureOptions {
  readonly store?: FixtureStore;
  readonly app?: AppDefinition;
  readonly clock?: Clock;
  readonly doorbell?: Doorbell;
  readonly deadLetters?: readonly DeadLetter[];
  readonly trustedProxies?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  readonly compression?: "on" | "off";
  /** Default: more than any test shows. */
  readonly failedAttemptsPerMinute?: number;
  /** Default: open. */
  readonly reference?: "open" | "off";
  readonly quotaDefaults?: Partial<QuotaDefaults>;
  /** Default: a free one. */
  readonly port?: number;
}

/** A running edge and its keys. */
export interface EdgeFixture {
  readonly edge: Edge;
  readonly url: string;
  readonly adminKey: string;
  readonly reader: LogReader;
  readonly verifier: ReturnType<typeof createVerifier>;
  /** Every line that was logged. */
  readonly logged: () => string;
  /** Makes a tenant with a key of all grants. */
  readonly tenant: (slug: string, grants?: readonly string[]) => Promise<FixtureTenant>;
  /** Another edge over the same store, which hears of nothing: it has a doorbell of its own. */
  readonly another: (
    more?: Pick<EdgeFixtureOptions, "app" | "port">,
  ) => Promise<{ readonly edge: Edge; readonly url: string }>;
  readonly close: () => Promise<void>;
}

/** A tenant of a test. */
export interface FixtureTenant {
  readonly id: TenantId;
  readonly slug: string;
  readonly key: string;
  readonly keyId: string;
}

const organization = defineAggregate("organization", {
  spec: z.object({
    name: z.string().max(80),
    plan: z.enum(["free", "team", "enterprise"]),
    region: z.enum(["eu", "us"]),
  }),
  status: {},
  intents: {
    create: { creates: true },
    "change-plan": { schema: z.object({ plan: z.enum(["free", "team"]) }) },
    delete: { deletes: true },
  },
});

/** Takes any object, so that tests can send what they like. */
const note = defineAggregate("note", {
  spec: { type: "object", properties: {}, additionalProperties: true },
  status: {},
  intents: { create: { creates: true }, change: {} },
});

/** Refuses by a guard: a locked door takes nothing. */
const door = defineAggregate("door", {
  spec: z.object({ locked: z.boolean(), opened: z.int().optional() }),
  status: {},
  intents: { create: { creates: true }, change: {} },
  guard: (resource, intent) =>
    resource?.spec.locked === true && intent.type === "door.change" ? "The door is locked." : undefined,
});

/** The application of the tests. */
export const testApp: AppDefinition = defineApp({ aggregates: [organization, note, door], controllers: [] });

/** Starts an edge; in memory unless a store is given. */
export async function startEdge(options: EdgeFixtureOptions = {}): Promise<EdgeFixture> {
  const clock = options.clock ?? systemClock;
  const given = options.store ?? createMemoryStore({ clock });
  const store = { allowances: new MemoryAllowances(clock), ...given };
  const doorbell = options.doorbell ?? createDoorbell();
  const keys = await introduce(store, clock, doorbell);
  const adminKey = await createAdminKey(keys);
  const lines: string[] = [];
  const parts = { ...options, clock, store, doorbell, keys, lines };
  const first = await startOne(parts);
  const opened = [first];
  const another: EdgeFixture["another"] = async (more = {}) => {
    const edge = await startOne({ ...parts, doorbell: createDoorbell(), ...more });
    opened.push(edge);
    return edge;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(({ edge }) => edge.close()));
    await keys.log.close();
  };
  const tenant = tenantMaker(first.url, adminKey);
  const verifier = createVerifier(keys.directory);
  return { ...first, adminKey, reader: store.reader, verifier, logged: () => lines.join(""), close, tenant, another };
}

interface EdgeParts extends Omit<EdgeFixtureOptions, "store"> {
  readonly store: Required<FixtureStore>;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly keys: FixtureKeys;
  readonly lines: string[];
}

async function startOne(parts: EdgeParts): Promise<{ readonly edge: Edge; readonly url: string }> {
  const { keys, store, clock, doorbell, lines, app = testApp, deadLetters = [] } = parts;
  const { reader } = store;
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString("utf8"));
      done();
    },
  });
  const directory = new KeyDirectory(keys.rootPublicKey);
  const verifier = createVerifier(directory);
  const loader = new ResourceLoader({ reader, verifier, app });
  const edge = await createEdge({
    app,
    log: keys.log,
    reader,
    loader,
    resources: resourcesFrom(reader, loader),
    projections: {
      rows: new MemoryProjectionRows(new Map()),
      overview: { tenant: noProjection, summary: noProjection, stopped: noProjection },
    },
    work: {
      deadLetters: async (tenantId) => deadLetters.filter((letter) => letter.tenantId === tenantId),
      deadLetter: async (tenantId, id) =>
        deadLetters.find((letter) => letter.tenantId === tenantId && letter.id === id),
      deadLetterGroups: async () => [],
      controllerRows: async () => [],
      effects: async () => [],
      effect: async () => undefined,
    },
    replays: new MemoryReplayProgress(),
    allowances: store.allowances,
    ...(parts.quotaDefaults === undefined ? {} : { quotaDefaults: parts.quotaDefaults }),
    ...testPersonal(app, reader, clock),
    status: new MemorySystemStatus(),
    doorbell,
    verifier,
    keys: directory,
    signer: keys.signer,
    clock,
    ids: systemIds,
    logger: createLogger({ level: "debug", destination }),
    metrics: createMetrics(),
    edge: "edge-1",
    reference: parts.reference ?? "open",
    failedAttemptsPerMinute: parts.failedAttemptsPerMinute ?? 1_000_000,
    ...(parts.compression === undefined ? {} : { compression: parts.compression }),
    ...(parts.allowedOrigins === undefined ? {} : { allowedOrigins: parts.allowedOrigins }),
    ...(parts.trustedProxies === undefined ? {} : { trustedProxies: parts.trustedProxies }),
  });
  let url: string;
  try {
    url = await edge.listen({ host: "127.0.0.1", port: parts.port ?? 0 });
  } catch (error) {
    await edge.close();
    throw error;
  }
  await edge.platform.catchUp();
  return { edge, url };
}

/** The app of these tests declares none. */
async function noProjection(): Promise<never> {
  throw new Error("there is no projection");
}

interface FixtureKeys {
  readonly directory: KeyDirectory;
  readonly rootPublicKey: string;
  readonly log: Coalescer;
  readonly signer: Signer;
  readonly factory: EventFactory;
  readonly causedBy: CausedBy;
}

async function introduce(store: FixtureStore, clock: Clock, doorbell: Doorbell): Promise<FixtureKeys> {
  const root = generateSigningKey();
  const own = generateSigningKey();
  const rootSigner = createEd25519Signer({ privateKey: root.privateKeyPem, tier: "operator" });
  const signer = createEd25519Signer({ privateKey: own.privateKeyPem, tier: "edge" });
  const factory = new EventFactory({ app: platformApp, ids: systemIds });
  const from = formatUs(clock.nowUs() - 3_600_000_000);
  const introduction = introduceKey(rootSigner, {
    publicKey: own.publicKey,
    tier: "edge",
    kinds: ["intent", "fact"],
    from,
  });
  const causedBy: CausedBy = {
    principal: { type: "system", id: "fixture" },
    via: "system",
    requestId: systemIds.uuid7(),
    rulingId: systemIds.uuid7(),
    policySetHash: "none",
    policies: [],
    edge: "edge-1",
    keyId: null,
    at: formatUs(clock.nowUs()),
  };
  const rootLog = new Coalescer({ appender: store.edge, signer: rootSigner, clock, doorbell });
  const fact = factory.systemFact(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: "signing-key.introduced",
      aggregateId: own.keyId,
      spec: introductionSpec(introduction),
    },
    causedBy,
  );
  await rootLog.append({ tenantId: PLATFORM_TENANT_ID, items: [fact] });
  await rootLog.close();
  const log = new Coalescer({ appender: store.edge, signer, clock, doorbell });
  const directory = new KeyDirectory(root.publicKey);
  directory.accept(introduction);
  return { directory, rootPublicKey: root.publicKey, log, signer, factory, causedBy };
}

async function createAdminKey({ log, factory, causedBy }: FixtureKeys): Promise<string> {
  const keyId = systemIds.uuid7();
  const { key, secretHash } = issueKey(keyId);
  const principalId = principalIdOf(PLATFORM_TENANT_ID, "admin");
  const spec = { tenantId: PLATFORM_TENANT_ID, name: "admin", principalId, grants: ["admin"], secretHash };
  const item: AppendItem = factory.intent(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: "key.create",
      id: keyId,
      aggregateId: keyId,
      spec,
      specText: JSON.stringify(spec),
    },
    causedBy,
  );
  await log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  return key;
}

function tenantMaker(url: string, adminKey: string): EdgeFixture["tenant"] {
  const post = async (path: string, body: unknown): Promise<Record<string, string>> => {
    const headers = { authorization: `Bearer ${adminKey}`, "content-type": "application/json" };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (response.status !== 201) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Record<string, string>; // both routes answer with texts only
  };
  return async (slug, grants = ["publisher", "reader", "subscriber"]) => {
    const { id = "" } = await post("/v1/admin/tenants", { slug });
    const created = await post(`/v1/admin/tenants/${slug}/keys`, { name: "test", grants });
    return { id: id as TenantId, slug, key: created.key ?? "", keyId: created.id ?? "" }; // a UUID made by the edge
  };
}

/** Folds straight from the log: what the projection will hold once it has caught up. */
function resourcesFrom(reader: LogReader, loader: ResourceLoader): ResourceSource {
  return {
    get: (tenantId, stream) => loader.load(tenantId, stream),
    list: async (tenantId, { aggregateType, after = "", limit }) => {
      const rows = await reader.read(tenantId, { filter: { aggregateType }, limit: 1_000 });
      const ids = [...new Set(rows.map((row) => row.aggregateId))].sort().filter((id) => id > after);
      const loaded = await Promise.all(
        ids.slice(0, limit).map((aggregateId) => loader.load(tenantId, { aggregateType, aggregateId })),
      );
      return {
        resources: loaded.flatMap((each) => (each === undefined ? [] : [each])),
        next: ids.length > limit ? (ids[limit - 1] ?? null) : null,
      };
    },
    count: async (tenantId, max) => {
      const rows = await reader.read(tenantId, { limit: 1_000 });
      return Math.min(max, new Set(rows.map((row) => `${row.aggregateType}/${row.aggregateId}`)).size);
    },
    position: async (tenantId) => (await reader.head(tenantId)).position,
  };
}

/** A whole plane in this process: real PostgreSQL, HTTP, controllers and the resources projection, with two tenants. */
import { randomBytes } from "node:crypto";
import { Writable } from "node:stream";
import { createClient, type EventplaneClient, type PublishReceipt, type ResourceView } from "../../src/client/index.js";
import {
  type AppDefinition,
  createEd25519Signer,
  createVerifier,
  type EventRow,
  generateSigningKey,
  type IntakeDefinition,
  KeyDirectory,
  type ProjectionDefinition,
  type Verifier,
  type WorkerDefinition,
} from "../../src/event/index.js";
import {
  type JsonObject,
  PLATFORM_TENANT_ID,
  type Signer,
  systemClock,
  type TenantId,
} from "../../src/kernel/index.js";
import { createLogger } from "../../src/observe/index.js";
import { openPlane, type Plane } from "../../src/plane/open-plane.js";
import { installProjections } from "../../src/projection/index.js";
import { loginRoles } from "../../src/store/postgres/index.js";
import { createTestApp, type TestReconcile } from "../../src/testing/index.js";
import { type Installation, installEventplane } from "./postgres-installation.js";

/** A tenant with a key of publisher, reader and subscriber. */
export interface PlaneTenant {
  readonly id: TenantId;
  readonly slug: string;
  readonly key: string;
  readonly client: EventplaneClient;
}

/** A plane that tests may close and open again on the same database. */
export class PlaneFixture {
  installation: Installation;
  readonly #keys = {
    root: generateSigningKey().privateKeyPem,
    edge: generateSigningKey().privateKeyPem,
    runtime: generateSigningKey().privateKeyPem,
  };
  /** What the data keys are under, unless a plane is started with others. */
  readonly personalKey: string = randomBytes(32).toString("base64url");
  readonly #app: AppDefinition;
  readonly #allowedNetworks: readonly string[] | undefined;
  readonly #lines: string[] = [];
  readonly #planes: Plane[] = [];
  #adminKey = "";

  private constructor(installation: Installation, app: AppDefinition, allowedNetworks: readonly string[] | undefined) {
    this.installation = installation;
    this.#app = app;
    this.#allowedNetworks = allowedNetworks;
  }

  /** Installs and opens one. `controllers` watch the aggregate `organization`, whose intents take any spec. */
  static async open(
    controllers: Readonly<Record<string, TestReconcile>>,
    options: {
      readonly serverUrl?: string;
      readonly workers?: readonly WorkerDefinition[];
      /** Controllers of a second aggregate, `project`. */
      readonly projects?: Readonly<Record<string, TestReconcile>>;
      readonly projections?: readonly ProjectionDefinition[];
      readonly intakes?: readonly IntakeDefinition[];
      /** In the place of the application of the tests. */
      readonly app?: AppDefinition;
      /** It sends webhooks, to these networks too. */
      readonly allowedNetworks?: readonly string[];
    } = {},
  ): Promise<PlaneFixture> {
    const {
      workers = [],
      projects,
      projections = [],
      intakes = [],
      app: own,
      allowedNetworks,
      ...installing
    } = options;
    const app = own ?? {
      ...createTestApp(controllers, workers, projects),
      projections: new Map(projections.map((projection) => [projection.name, projection])),
      intakes: new Map(intakes.map((intake) => [intake.name, intake])),
    };
    const fixture = new PlaneFixture(await installEventplane(installing), app, allowedNetworks);
    await fixture.start();
    return fixture;
  }

  /** Opens one more plane on the same database, of another version of the code if one is given. */
  async start({
    personalKeys,
    ...code
  }: Partial<AppDefinition> & { readonly personalKeys?: readonly string[] } = {}): Promise<Plane> {
    const { database } = this.installation;
    const app = { ...this.#app, ...code };
    await installProjections(database.ownerUrl, {
      rolePrefix: database.rolePrefix,
      definitions: [...app.projections.values()],
    });
    const passwords = Object.fromEntries(
      loginRoles.map((role) => [role, new URL(this.installation.url(role)).password]),
    );
    const plane = await openPlane({
      app,
      databaseUrl: database.ownerUrl,
      rolePrefix: database.rolePrefix,
      passwords,
      connectionsMax: 6,
      claimsMax: 32,
      workerStopGraceMs: 300,
      keys: { ...this.#keys, personal: personalKeys ?? [this.personalKey] },
      edge: { name: "edge-1", listen: { host: "127.0.0.1", port: 0 } },
      ...(this.#allowedNetworks === undefined
        ? {}
        : { webhooks: { key: "a key of the tests", allowedNetworks: this.#allowedNetworks } }),
      logger: createLogger({
        level: "debug",
        destination: new Writable({ write: (chunk, _, done) => (this.#lines.push(String(chunk)), done()) }),
      }),
      ...(this.#adminKey === "" ? { onAdminKey: (key: string) => void (this.#adminKey = key) } : {}),
    });
    this.#planes.push(plane);
    return plane;
  }

  /** Ends all planes; the database stays. */
  async stop(): Promise<void> {
    await Promise.all(this.#planes.splice(0).map((plane) => plane.close()));
  }

  /** Goes on with another database, as after a restore. */
  async moveTo(installation: Installation): Promise<void> {
    await this.stop();
    this.installation = installation;
    await this.start();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.installation.close();
  }

  /** The first one that runs. */
  get plane(): Plane {
    const [first] = this.#planes;
    if (first === undefined) throw new Error("No plane runs.");
    return first;
  }

  get url(): string {
    return this.#planes[0]?.url ?? "";
  }

  /** Of the platform, grant `admin`. */
  get adminKey(): string {
    return this.#adminKey;
  }

  /** Every line that was logged. */
  get logged(): string {
    return this.#lines.join("");
  }

  /** The tenant of this slug with a new key. */
  async tenant(slug: string): Promise<PlaneTenant> {
    const { admin } = createClient({ baseUrl: this.url, apiKey: this.#adminKey });
    const { id } = await admin.createTenant({ slug });
    const { key } = await admin.createKey(slug, { name: "test", grants: ["publisher", "reader", "subscriber"] });
    return { id: id as TenantId, slug, key, client: this.client(slug, key) }; // a UUID made by the edge
  }

  /** The plane's own signing key of this tier: what an intruder in that process would have. */
  signer(tier: "edge" | "runtime"): Signer {
    return createEd25519Signer({ privateKey: this.#keys[tier], tier });
  }

  /** Waits until the controllers have seen everything and nothing is due. */
  async idle(tenantId: TenantId): Promise<void> {
    const sql = `select 1 from eventplane.heads h join eventplane.cursors c using (tenant_id, position)
      where h.tenant_id = $1 and c.consumer = 'work'
        and not exists (select from eventplane.work w where w.tenant_id = $1 and w.state = 'ready')`;
    await until("the controllers to be idle", async () => (await this.installation.asSuperuser(sql, [tenantId]))[0]);
  }

  client(tenant: string, apiKey: string): EventplaneClient {
    return createClient({ baseUrl: this.url, tenant, apiKey, attemptsMax: 12 });
  }

  /** All events of a tenant in position order, as a verifier reads them. */
  async log(tenantId: TenantId): Promise<readonly EventRow[]> {
    const rows: EventRow[] = [];
    for (let page: readonly EventRow[] | undefined; page === undefined || page.length === pageEvents; ) {
      page = await this.installation.reader.read(tenantId, { after: rows.at(-1)?.position ?? 0, limit: pageEvents });
      rows.push(...page);
    }
    return rows;
  }

  /** A verifier that was given a root public key and learns the rest from the platform's log; by default the right one. */
  async verifier(rootPublicKey: string = this.#planes[0]?.rootPublicKey ?? ""): Promise<Verifier> {
    const directory = new KeyDirectory(rootPublicKey);
    for (const row of await this.log(PLATFORM_TENANT_ID)) {
      if (row.type === "signing-key.introduced") directory.accept(JSON.parse(row.specText) as JsonObject); // a stored spec; accept checks it
    }
    return createVerifier(directory);
  }
}

const pageEvents = 1_000;

/** Publishes `organization.create`. */
export function create(
  tenant: PlaneTenant,
  aggregateId: string,
  spec: object = {},
): Promise<PublishReceipt & { readonly repeated: boolean }> {
  return tenant.client.publish({ type: "organization.create", aggregateId, spec });
}

/** The resource once it has this phase, at most 15 s from now. */
export function inPhase(tenant: PlaneTenant, aggregateId: string, phase: string): Promise<ResourceView> {
  return until(`${aggregateId} to be ${phase}`, async () => {
    const found = await tenant.client.resource("organization", aggregateId).catch(() => undefined);
    return found?.phase === phase ? found : undefined;
  });
}

/** Looks every 20 ms until there is an answer, at most 15 s. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + 15_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`Not within 15 s: ${what}`);
    await systemClock.sleep(20);
  }
}

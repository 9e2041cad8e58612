/** The edge of a test plane: the pipeline, the platform's log and its tenants, without HTTP. */
import type { IntentMessage } from "../controller/index.js";
import {
  Authorizer,
  type Cedar,
  type CreatedKey,
  type ErasureParts,
  eraseSubject,
  type Grant,
  type KeyWish,
  PlatformAdministration,
  PlatformFold,
  type PlatformState,
  type Principal,
  PublishPipeline,
  platformApp,
  RefusalLog,
} from "../edge/index.js";
import { type AppDefinition, EventFactory, type Verifier } from "../event/index.js";
import {
  type Clock,
  type Doorbell,
  PLATFORM_TENANT_ID,
  type Signer,
  systemIds,
  type TenantId,
} from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { subjectName } from "../personal/index.js";
import { type CallerIdentity, type CallerParts, EmbeddedCaller } from "../plane/embedded/index.js";
import {
  MemoryProjectionRows,
  type MemoryProjectionStore,
  type MemoryResourceTable,
  ProjectionQueries,
} from "../projection/index.js";
import { Coalescer, type MemoryStore, ResourceLoader } from "../store/index.js";
import type { TestPersonal } from "./test-personal.js";

/** What it is made of. */
export interface TestEdgeParts extends TestPersonal {
  readonly app: AppDefinition;
  readonly store: MemoryStore;
  readonly signer: Signer;
  readonly cedar: Cedar;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly logger: Logger;
  readonly table: MemoryResourceTable;
  readonly projections: ReadonlyMap<string, MemoryProjectionStore>;
}

const edge = "test";
const ids = systemIds;
const principal: Principal = {
  type: "system",
  id: "test",
  tenantId: PLATFORM_TENANT_ID,
  grants: new Set<Grant>(["admin"]),
};

/** Time stands still in a test plane, so nothing would come back. */
const unlimited = { charge: () => undefined, giveBack: () => undefined };

/** Publishes as an edge does: the same pipeline, with schemas, guards, stamps, and refusals in the log; without limits. */
export class TestEdge {
  readonly #platform: PlatformFold;
  readonly #caller: CallerParts;
  readonly #administration: PlatformAdministration;
  readonly #erasing: ErasureParts;

  constructor(parts: TestEdgeParts) {
    const { app, store, signer, verifier, clock, doorbell, logger, table, projections, personal } = parts;
    const { reader } = store;
    const log = new Coalescer({ appender: store.edge, signer, clock, doorbell });
    const factory = new EventFactory({ app: platformApp, ids });
    const report = (failure: unknown): void => logger.warn({ error: failure }, "Refusals could not be written.");
    this.#platform = new PlatformFold({ reader, doorbell, clock, verify: (row) => verifier.verify(row) });
    const authorizer = new Authorizer({
      cedar: parts.cedar,
      policies: this.#platform.state.policies,
      report: (failure) => logger.error({ failure }, "The policies could not decide; the request was denied."),
    });
    const refusals = new RefusalLog({ factory, log, authorizer, clock, edge, report });
    void refusals.run(new AbortController().signal); // it sleeps on the plane's clock, and ends with it
    const loader = new ResourceLoader({ reader, verifier, app });
    this.#administration = new PlatformAdministration({
      log,
      clock,
      ids,
      platform: this.#platform,
      authorizer,
      edge,
    });
    const { schemas } = this.#platform.state;
    const pipeline = new PublishPipeline({
      app,
      ids,
      clock,
      log,
      reader,
      loader,
      authorizer,
      refusals,
      personal,
      schemas,
      edge,
      limits: unlimited,
    });
    // Nobody else writes to this platform's log, so what is known of it is never old.
    const platform = { fresh: () => this.#platform.state };
    const queries = new ProjectionQueries({ app, rows: new MemoryProjectionRows(projections), clock });
    this.#erasing = { log, ids, personal, dataKeys: parts.dataKeys };
    this.#caller = {
      edge: { pipeline, platform },
      reader,
      loader,
      resources: table,
      queries,
      personal,
      doorbell,
      clock,
      ids,
    };
  }

  /** Questions for whoever may see all tenants. */
  get queries(): ProjectionQueries {
    return this.#caller.queries;
  }

  /** What is known of tenants. */
  get platform(): PlatformState {
    return this.#platform.state;
  }

  /** Makes a tenant, or finds it. */
  async createTenant(slug: string): Promise<TenantId> {
    const { id } = await this.#administration.createTenant(slug, {
      principal,
      requestId: ids.uuid7(),
      via: "system",
      resource: "area:tenants",
    });
    return id;
  }

  /** Makes an API key of a tenant. */
  createKey(tenantId: TenantId, wish: KeyWish): Promise<CreatedKey> {
    return this.#administration.createKey(tenantId, wish, {
      principal,
      requestId: ids.uuid7(),
      via: "system",
      resource: "area:keys",
    });
  }

  /** Erases the personal data of a data subject. */
  async eraseSubject(tenantId: TenantId, subject: string): Promise<void> {
    const request = { principal, requestId: ids.uuid7(), via: "system", resource: "area:subjects" } as const;
    const stamp = this.#administration.stamp(request, tenantId);
    await eraseSubject(this.#erasing, { tenantId, subject: subjectName(subject), stamp });
  }

  /** A principal at work in a tenant. @throws EventplaneError `forbidden` for a tenant that does not exist */
  as<Message extends IntentMessage>(identity: CallerIdentity): EmbeddedCaller<Message> {
    return new EmbeddedCaller(this.#caller, identity);
  }
}

/** What each test of the contract suite of projection stores has. */
import { strict as check } from "node:assert";
import type { ProjectionDefinition } from "../event/index.js";
import { systemClock, systemIds, type TenantId } from "../kernel/index.js";
import {
  type AcrossTenantsPage,
  type Cursor,
  type ProjectionPage,
  ProjectionQueries,
  type ProjectionQuery,
  type ProjectionRows,
  type ProjectionStep,
  type ProjectionStore,
  type TableWrites,
} from "../projection/index.js";
import type { Appender } from "../store/index.js";
import { appending, appendOf, createTestSigner, draftIntent, newTenantId, signAppend } from "./drafts.js";

/** An opened store with its log. */
export interface ProjectionsUnderTest {
  readonly edge: Appender;
  /** The store of one projection, installed. */
  store(definition: ProjectionDefinition): Promise<ProjectionStore>;
  /** What is asked of it, over the stores that were opened. */
  rows(definition: ProjectionDefinition): ProjectionRows;
  close(): Promise<void>;
}

const signer = createTestSigner("edge");
/** Of whoever leads. */
export const leaseMs = 60_000;
/** A tenant of which nothing is noted. */
export const noNotes = {
  ownVersion: 0,
  platformVersion: 0,
  isPaused: false,
  failure: undefined,
  check: undefined,
} as const;
const first = "00000000-0000-0000-0000-000000000000";

/** A projection of its own, in a tenant of its own. */
export class Scene {
  readonly tenantId: TenantId = newTenantId();
  readonly holder: string = systemIds.uuid4();
  readonly store: ProjectionStore;
  readonly #queries: ProjectionQueries;
  readonly #under: ProjectionsUnderTest;
  readonly #name: string;

  constructor(
    under: ProjectionsUnderTest,
    parts: { readonly store: ProjectionStore; readonly definition: ProjectionDefinition },
  ) {
    const { store, definition } = parts;
    this.#under = under;
    this.store = store;
    const app = { projections: new Map([[definition.name, definition]]) };
    this.#name = definition.name;
    this.#queries = new ProjectionQueries({ app, rows: under.rows(definition), clock: systemClock });
  }

  async lead(): Promise<number> {
    const epoch = await this.store.lead(this.holder, leaseMs);
    check.ok(epoch !== undefined);
    return epoch;
  }

  open(build: number, role: "live" | "rebuild" = "live"): ProjectionStep {
    return { step: "open", build, role, version: 1, fingerprint: "f1" };
  }

  /** Leads, and opens the first build. */
  async begin(): Promise<number> {
    const epoch = await this.lead();
    check.equal(await this.store.change(epoch, this.tenantId, [this.open(1), { step: "note", ...noNotes }]), true);
    return epoch;
  }

  async publish(tenantId: TenantId = this.tenantId): Promise<void> {
    const item = appending(draftIntent({ tenantId, aggregateId: systemIds.uuid4() }), { expectedVersion: "any" });
    const [outcome] = await this.#under.edge.append([signAppend(signer, appendOf(item))]);
    check.equal(outcome?.result, "appended");
  }

  async digest(build = 1, tenantId: TenantId = this.tenantId): Promise<string> {
    const [found] = await this.store.digests(tenantId, [build]);
    check.ok(found !== undefined);
    return found.digest;
  }

  query(query: ProjectionQuery, tenantId: TenantId = this.tenantId): Promise<ProjectionPage> {
    return this.#queries.query(tenantId, this.#name, query);
  }

  acrossTenants(query: ProjectionQuery): Promise<AcrossTenantsPage> {
    return this.#queries.acrossTenants(this.#name, query);
  }

  news(platformVersion = 0, fingerprint = "f1"): Promise<readonly TenantId[]> {
    const query = { after: first, limit: 1_000, fingerprint, platformVersion };
    return this.store.tenantsWithNews(query).then((news) => news.map(({ tenantId }) => tenantId));
  }
}

/** A cursor; its hash is made of the position. */
export const at = (position: number): Cursor => ({ logEpoch: 1, position, hash: Buffer.alloc(32, position) });
/** Moves the cursor of a build, with what is written meanwhile. */
export const advance = (
  build: number,
  [from, to]: readonly [number, number],
  writes: Partial<TableWrites> = {},
): ProjectionStep => ({
  step: "advance",
  build,
  from: from === 0 ? undefined : at(from),
  to: at(to),
  writes: { rows: new Map(), totals: new Map(), ...writes },
});
/** What is added to a counter. */
export const totals = (key: string, ...added: readonly number[]): Partial<TableWrites> => ({
  totals: new Map([["types_totals", new Map([[key, added]])]]),
});
/** A row of latest values as it becomes; undefined: it goes. */
export const row = (key: string, position: number, value: string | undefined): Partial<TableWrites> => ({
  rows: new Map([["last_rows", new Map([[key, value === undefined ? undefined : { key, position, value }]])]]),
});

/** Claims, each with what proves it. */
export type Cases = Readonly<Record<string, (scene: Scene) => Promise<void>>>;

/** One projection on memory, for tests of how it is run. */
import type { ProjectionDefinition } from "../event/index.js";
import { PLATFORM_TENANT_ID, systemIds, type TenantId } from "../kernel/index.js";
import {
  MemoryProjectionStore,
  type ProjectionRequest,
  ProjectionRunner,
  type ProjectionRunnerOptions,
  projectionRequests,
} from "../projection/index.js";
import { createMemoryStore, type MemoryStore } from "../store/index.js";
import { appending, appendOf, createTestSigner, creating, draftIntent, draftSystemFact, signAppend } from "./drafts.js";
import { testProjection } from "./test-projection.js";
import { VirtualClock } from "./virtual-clock.js";

const signer = createTestSigner("edge");
/** Longer than the lease of a leader. */
const leaseEndsMs = 10_001;

/** Runs projections on a log in memory, on a clock that the test moves. */
export class ProjectionBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly log: MemoryStore = createMemoryStore({ clock: this.clock });
  readonly store: MemoryProjectionStore;
  readonly definition: ProjectionDefinition;
  readonly errors: (readonly [fields: unknown, message: string])[] = [];

  constructor(definition: ProjectionDefinition = testProjection("plans").definition) {
    this.definition = definition;
    this.store = new MemoryProjectionStore(definition, this.log, this.clock);
  }

  /** One process. */
  runner(options: Partial<ProjectionRunnerOptions> = {}): ProjectionRunner {
    const { definition, store, clock } = this;
    const silent = { debug: () => {}, info: () => {}, warn: () => {} };
    const error = (fields: unknown, message: string): void => void this.errors.push([fields, message]);
    const logger = { ...silent, error, child: () => logger };
    const holder = systemIds.uuid4();
    return new ProjectionRunner({ definition, store, reader: this.log.reader, holder, clock, logger, ...options });
  }

  /** An intent on an organization. */
  async publish(tenantId: TenantId, name: string, aggregateId: string, spec: object = {}): Promise<void> {
    const event = draftIntent({
      tenantId,
      aggregateId,
      type: `organization.${name}`,
      specText: JSON.stringify(spec),
    });
    const item = name === "create" ? creating(event) : appending(event, { expectedVersion: "any" });
    await this.log.edge.append([signAppend(signer, appendOf(item))]);
  }

  /** What an operator asks, of all tenants by default. */
  async ask(request: ProjectionRequest, tenantId: TenantId = PLATFORM_TENANT_ID): Promise<void> {
    const aggregate = { aggregateType: "projection", aggregateId: this.definition.name };
    const event = draftSystemFact({ tenantId, type: projectionRequests[request], ...aggregate });
    const item = { event, effect: "system", expectedVersion: "any" } as const;
    await this.log.edge.append([signAppend(signer, appendOf(item))]);
  }

  /** Another process takes over at once. */
  async next(options: Partial<ProjectionRunnerOptions> = {}): Promise<ProjectionRunner> {
    await this.clock.advance(leaseEndsMs);
    return this.runner(options);
  }

  /** Builds in one line each: number, version, role, position. */
  async builds(tenantId: TenantId): Promise<readonly string[]> {
    const { builds } = await this.store.tenant(tenantId);
    return builds.map(({ build, role, cursor, version }) => `${build} v${version} ${role} ${cursor?.position ?? 0}`);
  }

  /** State digest of the live build. */
  async digest(tenantId: TenantId): Promise<string> {
    const live = (await this.store.tenant(tenantId)).builds.find(({ role }) => role === "live");
    const [found] = await this.store.digests(tenantId, [live?.build ?? 0]);
    return found?.digest ?? "";
  }

  /** All rows of the live build, by table and key. */
  async rows(tenantId: TenantId): Promise<Record<string, unknown>> {
    const live = (await this.store.tenant(tenantId)).builds.find(({ role }) => role === "live");
    const { rows, totals } = this.store.tables(tenantId, live?.build ?? 0);
    const all = [...rows, ...totals].flatMap(([table, found]) =>
      [...found.values()].map((row) => [`${table} ${row.key}`, "value" in row ? JSON.parse(row.value) : row.values]),
    );
    return Object.fromEntries(all);
  }
}

/**
 * A whole plane in the test's own process: the edge's pipeline, controllers, workers and the resources projection as they
 * are, over the store and the work rows in memory, on a clock that stands still until the test lets time pass.
 */
import type { AnyAggregate, App, IntentMessage } from "../controller/index.js";
import { Cedar, type CreatedKey, type Edge, type KeyWish } from "../edge/index.js";
import { type AppDefinition, type Event, effectComponent, runtimeComponent, toEvent } from "../event/index.js";
import { EventplaneError, formatUs, limits, parseUs, systemIds, type TenantId } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import type { CallerIdentity, EmbeddedCaller, TypedResource } from "../plane/embedded/index.js";
import {
  type AcrossTenantsPage,
  type DeclaredTables,
  MemoryProjectionStore,
  MemoryResourceTable,
  type ProjectionOf,
  queryAcrossTenants,
  type RowOf,
  type TypedQuery,
} from "../projection/index.js";
import { createMemoryStore, type MemoryStore, type ReadQuery, type Receipt } from "../store/index.js";
import { type DeadLetter, MemoryWorkStore } from "../work/index.js";
import { CapturedLog, type LoggedEntry } from "./captured-log.js";
import { withClosedDoors } from "./check-projection.js";
import { type FakeCall, FakeWorkers, type WorkerFakes } from "./fake-workers.js";
import { type PlantedFault, PlantedFaults } from "./planted-faults.js";
import { pureCall } from "./pure-call.js";
import { TestEdge } from "./test-edge.js";
import { openTestHttp } from "./test-http.js";
import { createTestKeys, type TestKeys } from "./test-keys.js";
import { testPersonal } from "./test-personal.js";
import { TestProcess, type TestProcessParts } from "./test-process.js";
import { VirtualClock } from "./virtual-clock.js";

/** How to make one. */
export interface TestPlaneOptions<Workers = unknown> {
  /** What answers in the place of each worker, by its name. A worker without one must not be asked. */
  readonly workers?: WorkerFakes<Workers>;
  /** Slugs of the tenants that there are; the first is where things happen unless another is named. Default `acme`. */
  readonly tenants?: readonly [string, ...string[]];
  /** RFC 3339; default 2026-01-01T00:00:00Z. */
  readonly now?: string;
}

/** Where something is done or read. */
export interface InTenant {
  /** Slug; default the first tenant. */
  readonly tenant?: string;
}

/** Turns of the event loop in a row in which nobody touches store or work rows before the plane is at rest. */
const quietTurns = 2;
/** Turns before it says that the app never comes to rest. */
const turnsMax = 200_000;

/**
 * Makes a plane for a test. Nothing of it outlives the test, so nothing has to be closed unless it listens.
 *
 * @example
 * const p = await testPlane(app, { workers: { "billing-customer": () => ({ id: "cus_1" }) } });
 * const { aggregateId } = await p.publish(organization.create({ name: "Acme", plan: "team" }));
 * await p.settle();
 * (await p.resource(organization, aggregateId)).phase // "Ready"
 * @throws EventplaneError `config_invalid` for a fake of a worker that the app does not have; `request_invalid` for a slug
 * that a tenant may not have
 */
export async function testPlane<Message extends IntentMessage, Workers>(
  app: App<Message, Workers>,
  options: TestPlaneOptions<Workers> = {},
): Promise<TestPlane<Message>> {
  const { tenants = ["acme"], workers = {} } = options;
  const plane = new TestPlane<Message>(app, { ...options, workers, cedar: new Cedar() });
  for (const slug of tenants) await plane.createTenant(slug);
  return plane;
}

/** See {@link testPlane}. */
export class TestPlane<Message extends IntentMessage = IntentMessage> implements AsyncDisposable {
  /** Moved by {@link advance}; give it to what must live in the same time. */
  readonly clock: VirtualClock;
  readonly #keys: TestKeys = createTestKeys();
  readonly #log = new CapturedLog();
  readonly #faults = new PlantedFaults();
  readonly #fakes: FakeWorkers;
  readonly #work: MemoryWorkStore;
  readonly #store: MemoryStore;
  readonly #table: MemoryResourceTable;
  readonly #edge: TestEdge;
  readonly #parts: TestProcessParts;
  #process: TestProcess;
  #http: Promise<{ readonly edge: Edge; readonly url: string }> | undefined;
  #url: string | undefined;
  #home: string | undefined;
  #activity = 0;

  /** Use {@link testPlane}. */
  constructor(
    given: AppDefinition,
    {
      workers,
      cedar,
      now,
    }: { readonly workers: Readonly<Record<string, unknown>>; readonly cedar: Cedar; readonly now?: string },
  ) {
    const clock = new VirtualClock(...(now === undefined ? [] : [timeOf(now)]));
    const { edge: signer, runtime, verifier } = this.#keys;
    this.clock = clock;
    this.#fakes = new FakeWorkers(given, workers, this.#faults);
    const projections = pureProjections(given);
    const app = { ...given, controllers: pureControllers(given), workers: this.#fakes.workers, projections };
    this.#work = new MemoryWorkStore({ clock, reader: () => this.#store.reader, tenants: () => this.#store.tenants() });
    this.#store = createMemoryStore({ clock, settleLease: (tenantId, lease) => this.#work.settle(tenantId, lease) });
    this.#table = new MemoryResourceTable(this.#store);
    const { logger } = this.#log;
    const table = this.#table;
    const stores = new Map(
      [...projections].map(([name, projection]) => [name, new MemoryProjectionStore(projection, this.#store, clock)]),
    );
    const shared = {
      app,
      store: this.#store,
      table,
      projections: stores,
      verifier,
      clock,
      doorbell: createDoorbell(),
      logger,
      ...testPersonal(app, this.#store.reader, clock),
    };
    this.#edge = new TestEdge({ ...shared, signer, cedar });
    this.#parts = {
      ...shared,
      signer: runtime,
      holder: systemIds.uuid4(),
      work: this.#work,
      faults: this.#faults,
      onActivity: () => void this.#activity++,
      onDeath: () => void (this.#process = new TestProcess(this.#parts)),
    };
    this.#process = new TestProcess(this.#parts);
  }

  /** What was logged, by the plane and by controllers. */
  get logged(): readonly LoggedEntry[] {
    return this.#log.entries;
  }

  /** RFC 3339 UTC with microseconds. */
  get now(): string {
    return formatUs(this.clock.nowUs());
  }

  /** Where it listens; undefined before {@link listen}. */
  get url(): string | undefined {
    return this.#url;
  }

  /**
   * Serves HTTP and SSE on a free port of 127.0.0.1, for tests of what talks to it. End it with {@link close}.
   *
   * @returns its address; the same one when it listens already
   */
  async listen(): Promise<string> {
    const { signer: _, ...parts } = this.#parts;
    this.#http ??= openTestHttp({ ...parts, signer: this.#keys.edge, directory: this.#keys.directory });
    this.#url = (await this.#http).url;
    return this.#url;
  }

  /** Stops listening. A plane that does not listen needs no end. */
  async close(): Promise<void> {
    const http = this.#http;
    this.#http = undefined;
    this.#url = undefined;
    await (await http)?.edge.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Makes an API key of a tenant, for {@link listen}. @throws EventplaneError `schema_violation` */
  createKey(tenant: string, wish: KeyWish): Promise<CreatedKey> {
    return this.#edge.createKey(this.#tenantId({ tenant }), wish);
  }

  /**
   * Erases the personal data of a data subject, for ever.
   *
   * @throws EventplaneError `request_invalid` for a name that no subject may have
   */
  eraseSubject(subject: string, where: InTenant = {}): Promise<void> {
    return this.#edge.eraseSubject(this.#tenantId(where), subject);
  }

  /** Makes one more tenant. */
  async createTenant(slug: string): Promise<TenantId> {
    const id = await this.#edge.createTenant(slug);
    this.#home ??= slug;
    return id;
  }

  /**
   * Publishes an intent as the principal `test`.
   *
   * @throws EventplaneError every refusal: `schema_violation`, `guard_refused`, `wrong_expected_version` …
   */
  async publish(intent: Message, where: InTenant = {}): Promise<Receipt> {
    return (await this.as({ tenant: this.#slug(where), principal: { id: "test" } }).publish(intent)).receipt;
  }

  /** Whoever acts, as in `plane.as` of a plane that serves. @throws EventplaneError `forbidden` */
  as(identity: CallerIdentity): EmbeddedCaller<Message> {
    return this.#edge.as(identity);
  }

  /** A table added up over all tenants, as `acrossTenants` of a plane that serves. @throws EventplaneError as there */
  acrossTenants<Tables extends DeclaredTables, const Name extends keyof Tables & string>(
    projection: ProjectionOf<Tables>,
    query: TypedQuery<Tables, Name>,
  ): Promise<AcrossTenantsPage<RowOf<Tables[Name]>>> {
    return queryAcrossTenants(this.#edge.queries, projection, query);
  }

  /**
   * Works until nothing is due now; what waits for the clock stays, and so do calls that hang. Fakes are waited for.
   *
   * @throws EventplaneError `config_invalid` when a worker without a fake was asked, `timeout` when the app never rests
   */
  async settle(): Promise<void> {
    for (let turn = 0, quiet = 0; quiet < quietTurns; turn++) {
      if (turn === turnsMax) {
        throw new EventplaneError("timeout", "The app never comes to rest: do controllers wake one another for ever?");
      }
      const before = this.#activity;
      await this.clock.turn();
      await this.#fakes.answered();
      quiet = this.#activity === before ? quiet + 1 : 0;
    }
  }

  /**
   * Lets `ms` milliseconds pass, step by step from one time at which something is due to the next, and settles after each.
   *
   * @throws EventplaneError as {@link settle}
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    await this.settle();
    while (this.clock.monotonicMs() < endMs) {
      await this.clock.jump(Math.min(endMs, await this.#nextMs()) - this.clock.monotonicMs());
      await this.settle();
    }
  }

  /** Something will go wrong. */
  plant(fault: PlantedFault): void {
    this.#faults.plant(fault);
  }

  /** Planted faults that have not struck yet. */
  get standingFaults(): readonly PlantedFault[] {
    return this.#faults.left;
  }

  /** Kills the process that runs controllers, workers and projections, as `kill -9` does, and starts another one. */
  kill(): void {
    this.#process.kill();
    this.#parts.onDeath();
  }

  /** What the fake of a worker was called with, in order. */
  calls(worker: string): readonly FakeCall[] {
    return this.#fakes.calls(worker);
  }

  /**
   * A resource as lists and reads show it.
   *
   * @throws EventplaneError `not_found`
   */
  async resource<Of extends AnyAggregate>(
    { definition: { name } }: Of,
    aggregateId: string,
    where: InTenant = {},
  ): Promise<TypedResource<Of>> {
    const resource = await this.#table.get(this.#tenantId(where), { aggregateType: name, aggregateId });
    if (resource !== undefined) return resource as TypedResource<Of>; // its schemas let it in
    const message = `Tenant ${this.#slug(where)} has no ${name}/${aggregateId}. Was settle() called after publishing it?`;
    throw new EventplaneError("not_found", message);
  }

  /** All resources of an aggregate, by their ids. */
  async resources<Of extends AnyAggregate>(
    { definition: { name } }: Of,
    where: InTenant = {},
  ): Promise<readonly TypedResource<Of>[]> {
    const query = { aggregateType: name, limit: Number.MAX_SAFE_INTEGER };
    const { resources } = await this.#table.list(this.#tenantId(where), query);
    return resources as readonly TypedResource<Of>[]; // their schemas let them in
  }

  /** The tenant's log in position order, or the part of it that the query names; at most 1,000 events. */
  async events({ tenant, ...query }: InTenant & ReadQuery = {}): Promise<readonly Event[]> {
    const where = tenant === undefined ? {} : { tenant };
    const rows = await this.#store.reader.read(this.#tenantId(where), { limit: limits.readPageMax, ...query });
    return rows.map(toEvent);
  }

  /** Everything that followed from one intent: the events with its correlation id. */
  trace({ correlationId }: Pick<Receipt, "correlationId">, where: InTenant = {}): Promise<readonly Event[]> {
    return this.events({ ...where, filter: { correlationId } });
  }

  /** What was given up. */
  deadLetters(where: InTenant = {}): Promise<readonly DeadLetter[]> {
    return this.#work.deadLetters(this.#tenantId(where));
  }

  /** When something is due next. A call that hangs, and a row that waits for a breaker, are woken by the clock alone. */
  async #nextMs(): Promise<number> {
    const { controllers, workers } = this.#parts.app;
    const effects = [...workers.keys()].map((name) => effectComponent("result", name));
    const components = [...controllers.keys(), runtimeComponent, ...effects];
    const dueMs = await this.#work.nextDueMs(components);
    if (this.#fakes.isHanging || dueMs === 0) return this.clock.nextEndMs;
    return this.clock.monotonicMs() + (dueMs ?? Number.POSITIVE_INFINITY);
  }

  #slug({ tenant = this.#home ?? "" }: InTenant): string {
    return tenant;
  }

  #tenantId(where: InTenant): TenantId {
    const slug = this.#slug(where);
    const tenant = this.#edge.platform.tenant(slug);
    if (tenant !== undefined) return tenant.id;
    throw new EventplaneError("forbidden", `There is no tenant ${slug}: testPlane(app, { tenants: ["${slug}"] }).`);
  }
}

/** Reconciles meet closed doors: what is not pure fails here, as it should never reach a plane that serves. */
function pureControllers({ controllers }: AppDefinition): AppDefinition["controllers"] {
  return new Map(
    [...controllers].map(([name, controller]) => [
      name,
      {
        ...controller,
        reconcile: (context) => pureCall(`Controller ${name}`, () => controller.reconcile(context)),
      },
    ]),
  );
}

/** As above for projections: an apply that is not pure stops its projection with `projection_impure`. */
function pureProjections({ projections }: AppDefinition): AppDefinition["projections"] {
  return new Map([...projections].map(([name, projection]) => [name, withClosedDoors(projection)]));
}

function timeOf(now: string): number {
  const us = parseUs(now);
  if (us !== undefined) return us;
  throw new EventplaneError("usage", "`now` of testPlane(…) is an RFC 3339 time such as 2026-01-31T09:30:00Z.");
}

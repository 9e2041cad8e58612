/** Controllers on the store and the work rows in memory, on a virtual clock: what their unit tests run on. */
import { strict as check } from "node:assert";
import { ControllerRuntime, type ControllerRuntimeOptions } from "../controller/index.js";
import {
  type AppDefinition,
  type AppendItem,
  type Decision,
  EventFactory,
  mutate,
  type Resource,
  type WorkerDefinition,
} from "../event/index.js";
import { type Doorbell, formatUs, type JsonObject, systemIds, type TenantId } from "../kernel/index.js";
import { createDoorbell } from "../plane/doorbell/index.js";
import { Coalescer, createMemoryStore, type MemoryStore, type Receipt, ResourceLoader } from "../store/index.js";
import { deadLetterId, MemoryWorkStore } from "../work/index.js";
import { WorkerRuntime, type WorkerRuntimeOptions } from "../worker/index.js";
import { newTenantId, signAppend } from "./drafts.js";
import { createTestApp, type TestReconcile, testCausedBy } from "./test-app.js";
import { createTestKeys, type TestKeys } from "./test-keys.js";
import { testPersonal } from "./test-personal.js";
import { VirtualClock } from "./virtual-clock.js";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

interface Entry {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** One tenant, a runtime with the determinism check on, and what it logged as warning or error. */
export class RuntimeBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly keys: TestKeys = createTestKeys();
  readonly doorbell: Doorbell = createDoorbell();
  readonly tenantId: TenantId = newTenantId();
  readonly logged: Entry[] = [];
  readonly runtime: ControllerRuntime;
  readonly workers: WorkerRuntime;
  readonly loader: ResourceLoader;
  readonly work: MemoryWorkStore;
  readonly store: MemoryStore;
  readonly app: AppDefinition;
  readonly #factory: EventFactory;
  readonly #edge: Coalescer;
  readonly #workerOptions: Omit<WorkerRuntimeOptions, "app">;

  constructor(
    controllers: Readonly<Record<string, TestReconcile>>,
    options: Partial<ControllerRuntimeOptions> = {},
    {
      workers = [],
      projects,
      ...workerOptions
    }: {
      readonly workers?: readonly WorkerDefinition[];
      /** Controllers of `project`; see createTestApp. */
      readonly projects?: Readonly<Record<string, TestReconcile>>;
    } & Partial<WorkerRuntimeOptions> = {},
  ) {
    const { clock } = this;
    const app = createTestApp(controllers, workers, projects);
    this.app = app;
    this.work = new MemoryWorkStore({ clock, reader: () => this.store.reader, tenants: () => this.store.tenants() });
    this.store = createMemoryStore({ clock, settleLease: (tenantId, lease) => this.work.settle(tenantId, lease) });
    this.loader = new ResourceLoader({ reader: this.store.reader, verifier: this.keys.verifier, app });
    this.#factory = new EventFactory({ app, ids: systemIds });
    const { doorbell } = this;
    this.#edge = new Coalescer({ appender: this.store.edge, signer: this.keys.edge, clock, doorbell });
    const coalescer = new Coalescer({ appender: this.store.runtime, signer: this.keys.runtime, clock, doorbell });
    const note = (fields: Entry["fields"], message: string): void => void this.logged.push({ fields, message });
    const logger = { ...silent, warn: note, error: note, child: () => logger };
    this.runtime = new ControllerRuntime({
      app,
      work: this.work,
      coalescer,
      loader: this.loader,
      clock,
      random: () => 0.5,
      logger,
      doorbell,
      checkDeterminism: true,
      ...options,
    });
    this.#workerOptions = {
      work: this.work,
      coalescer,
      reader: this.store.reader,
      verifier: this.keys.verifier,
      personal: testPersonal(app, this.store.reader, clock).personal,
      clock,
      random: () => 0.5,
      logger,
      doorbell,
      ...workerOptions,
    };
    this.workers = this.workersOf(workers);
  }

  /** Workers as another process with these would run them. */
  workersOf(workers: readonly WorkerDefinition[], options: Partial<WorkerRuntimeOptions> = {}): WorkerRuntime {
    return new WorkerRuntime({ ...this.#workerOptions, ...options, app: createTestApp({}, workers) });
  }

  /** @param type of an organization; whole with a dot in it */
  async publish(
    type: string,
    aggregateId: string,
    spec: JsonObject = {},
    tenantId: TenantId = this.tenantId,
  ): Promise<Receipt> {
    const named = type.includes(".") ? type : `organization.${type}`;
    const request = { tenantId, type: named, aggregateId, spec, specText: JSON.stringify(spec) };
    return this.#append(this.#factory.intent(request, testCausedBy), tenantId);
  }

  /** Appends a decision as a runtime in another process would: this one hears of it from the log only. */
  async decideElsewhere(aggregateId: string, controller: string, decisions: Decision): Promise<void> {
    const resource = await this.resource(aggregateId);
    const aggregate = this.app.aggregates.get(resource.aggregateType);
    check.ok(aggregate !== undefined);
    const now = formatUs(this.clock.nowUs());
    const { items } = mutate.decide({ resource, aggregate, controller, decisions, now });
    const append = signAppend(this.keys.runtime, { tenantId: this.tenantId, items });
    const [outcome] = await this.store.runtime.append([append]);
    check.equal(outcome?.result, "appended");
  }

  /** What an administrator decides on an effect. */
  async decideEffect(type: "effect.resolved" | "effect.retried", askId: string, spec: JsonObject): Promise<void> {
    const fact = { tenantId: this.tenantId, type, aggregateId: askId, spec };
    await this.#append(this.#factory.systemFact(fact, testCausedBy), this.tenantId);
  }

  /** Lets controllers and workers work until neither has anything to do now. */
  async settleAll(): Promise<void> {
    for (let before = -1, after = 0; before !== after; ) {
      before = after;
      await this.runtime.settle();
      await this.workers.settle();
      after = (await this.types()).length;
    }
  }

  async decide(
    type: "dead-letter.redriven" | "dead-letter.discarded",
    aggregateId: string,
    component: string,
    aggregateType = "organization",
  ): Promise<void> {
    const key = { aggregateType, aggregateId, component };
    const id = deadLetterId({ tenantId: this.tenantId, ...key });
    const fact = { tenantId: this.tenantId, type, aggregateId: id, spec: key };
    await this.#append(this.#factory.systemFact(fact, testCausedBy), this.tenantId);
  }

  async #append(item: AppendItem, tenantId: TenantId): Promise<Receipt> {
    const outcome = await this.#edge.append({ tenantId, items: [item] });
    const receipt = outcome.result === "appended" ? outcome.receipts[0] : undefined;
    check.ok(receipt !== undefined, JSON.stringify(outcome));
    return receipt;
  }

  async resource(aggregateId: string, aggregateType = "organization"): Promise<Resource> {
    const resource = await this.loader.load(this.tenantId, { aggregateType, aggregateId });
    check.ok(resource !== undefined, "there is such a resource");
    return resource;
  }

  async types(): Promise<readonly string[]> {
    const rows = await this.store.reader.read(this.tenantId, { limit: 1000 });
    return rows.map(({ type }) => type);
  }

  /** Works until nothing is due, and lets the backoffs of failing controllers pass. */
  async settleFailures(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) {
      await this.runtime.settle();
      await this.clock.advance(200);
    }
    await this.runtime.settle();
  }
}

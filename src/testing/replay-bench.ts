/** Replays on the store and the work rows in memory, on a virtual clock: what their unit tests run on. */
import { strict as check } from "node:assert";
import { LookAgain } from "../controller/index.js";
import { type AppDefinition, EventFactory, type Resource, type WorkerDefinition } from "../event/index.js";
import { type JsonObject, PLATFORM_TENANT_ID, systemIds } from "../kernel/index.js";
import {
  ControllerTarget,
  MemoryReplayProgress,
  type ReplayFilter,
  ReplayRunner,
  type ReplayRunnerOptions,
  type ReplaySpec,
  type ReplayTarget,
  replayAggregate,
  replayDefinition,
} from "../replay/index.js";
import { Coalescer } from "../store/index.js";
import { RuntimeBench } from "./runtime-bench.js";
import { createTestApp, type TestReconcile, testCausedBy } from "./test-app.js";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

/** One tenant with its controllers and workers, and runners of its replays. */
export class ReplayBench {
  readonly bench: RuntimeBench;
  readonly progress: MemoryReplayProgress = new MemoryReplayProgress();
  readonly #app: AppDefinition;
  readonly #factory: EventFactory;
  readonly #edge: Coalescer;
  readonly #runtime: Coalescer;

  constructor(controllers: Readonly<Record<string, TestReconcile>>, workers: readonly WorkerDefinition[] = []) {
    this.bench = new RuntimeBench(controllers, { checkDeterminism: false }, { workers, projects: {} });
    const { store, keys, clock, doorbell } = this.bench;
    const app = createTestApp(controllers, workers, {});
    this.#app = { ...app, aggregates: new Map([...app.aggregates, [replayAggregate, replayDefinition]]) };
    this.#factory = new EventFactory({ app: this.#app, ids: systemIds });
    this.#edge = new Coalescer({ appender: store.edge, signer: keys.edge, clock, doorbell });
    this.#runtime = new Coalescer({ appender: store.runtime, signer: keys.runtime, clock, doorbell });
  }

  /** A runner as a process has it; each call is another process. */
  runner(options: Partial<ReplayRunnerOptions> = {}): ReplayRunner {
    const { work, store, loader, clock } = this.bench;
    const app = this.#app;
    const look = new LookAgain({ app, work, appending: this.#runtime, loader, clock, logger: silent });
    const targets = new Map<string, ReplayTarget>(
      [...app.controllers.keys()].map((name) => [name, new ControllerTarget(look, name, clock)]),
    );
    return new ReplayRunner({
      app,
      work,
      reader: store.reader,
      loader,
      appending: this.#runtime,
      progress: this.progress,
      targets: { controller: (name) => targets.get(name) },
      clock,
      random: () => 0.5,
      logger: silent,
      ...options,
    });
  }

  /** Makes a replay of all that is in the tenant's log. */
  async create(
    controller: string,
    spec: Partial<ReplaySpec> & { readonly filter?: ReplayFilter } = {},
  ): Promise<string> {
    const { position } = await this.bench.store.reader.head(this.bench.tenantId);
    const id = systemIds.uuid7();
    const wanted: ReplaySpec = {
      tenantId: this.bench.tenantId,
      target: { kind: "controller", name: controller },
      filter: { aggregateType: "organization" },
      until: position,
      ratePerSecond: 10_000,
      dryRun: false,
      allowEffects: false,
      wanted: "running",
      ...spec,
    };
    await this.#publish("create", id, JSON.parse(JSON.stringify(wanted)) as JsonObject); // plain data
    return id;
  }

  /** Pauses, resumes or cancels it. */
  async change(id: string, change: "pause" | "resume" | "cancel"): Promise<void> {
    const wanted = { pause: "paused", resume: "running", cancel: "cancelled" }[change];
    await this.#publish(change, id, { wanted });
  }

  /** Dispatches what is new and takes every turn that is due now. */
  async settle(runner: ReplayRunner): Promise<void> {
    await this.bench.runtime.settle();
    await runner.settle();
    await this.bench.runtime.settle();
  }

  /** The replay as the fold of its events. */
  async replay(id: string): Promise<Resource> {
    const stream = { aggregateType: replayAggregate, aggregateId: id };
    const resource = await this.bench.loader.load(PLATFORM_TENANT_ID, stream);
    check.ok(resource !== undefined, "there is such a replay");
    return resource;
  }

  /** What its status says. */
  async told(id: string): Promise<unknown> {
    return (await this.replay(id)).status["replayer"];
  }

  async #publish(name: string, aggregateId: string, spec: JsonObject): Promise<void> {
    const request = { tenantId: PLATFORM_TENANT_ID, type: `${replayAggregate}.${name}`, aggregateId, spec };
    const item = this.#factory.intent({ ...request, specText: JSON.stringify(spec) }, testCausedBy);
    const outcome = await this.#edge.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
    check.equal(outcome.result, "appended");
  }
}

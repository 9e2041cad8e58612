/** Effects on PostgreSQL with real processes: controllers here, workers in processes of their own, a billing service between. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ControllerRuntime, type ControllerRuntimeOptions } from "../../src/controller/index.js";
import {
  createEd25519Signer,
  createVerifier,
  type EffectState,
  EventFactory,
  type EventRow,
  generateSigningKey,
  introduceKey,
  KeyDirectory,
  type KeyIntroduction,
  type Resource,
  type SystemFactType,
} from "../../src/event/index.js";
import {
  formatUs,
  type JsonObject,
  type Signer,
  systemClock,
  systemIds,
  systemRandom,
  type TenantId,
} from "../../src/kernel/index.js";
import { type AppendItem, Coalescer, ResourceLoader } from "../../src/store/index.js";
import { createPool, PostgresAppender, PostgresReader } from "../../src/store/postgres/index.js";
import {
  createTestApp,
  newTenantId,
  type TestReconcile,
  testCausedBy,
  testCustomer,
  testDecision,
} from "../../src/testing/index.js";
import { PostgresWorkStore } from "../../src/work/index.js";
import { BillingService } from "./billing-service.js";
import { type Installation, installEventplane } from "./postgres-installation.js";

const script = fileURLToPath(new URL("worker-process.mjs", import.meta.url));
const waitMsMax = 20_000;
const silent: ControllerRuntimeOptions["logger"] = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};

/** How a worker's process is started. */
export interface WorkerProcessOptions {
  /** Where its call stays until it is killed. */
  readonly stopAt?: "before" | "after";
  readonly onUnknown?: "retry" | "hold";
  readonly timeoutMs?: number;
  readonly concurrency?: number;
  readonly breaker?: { readonly failures: number; readonly openMs: number };
  /** Default 1 s. */
  readonly leaseMs?: number;
  readonly stopGraceMs?: number;
}

/** A worker's process. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  #errors = "";

  constructor(config: JsonObject) {
    const { PATH = "" } = process.env;
    this.#child = spawn(process.execPath, [script], { env: { PATH }, stdio: ["pipe", "ignore", "pipe"] });
    this.#closed = new Promise((resolve) => this.#child.once("close", (code) => resolve(code)));
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.#errors += chunk));
    this.#child.stdin?.end(JSON.stringify(config));
  }

  get errors(): string {
    return this.#errors;
  }

  /** Sends the signal and waits for the end. @returns exit status and milliseconds */
  async end(signal: NodeJS.Signals): Promise<{ readonly status: number | null; readonly ms: number }> {
    const startMs = performance.now();
    if (this.#child.exitCode === null) this.#child.kill(signal);
    return { status: await this.#closed, ms: performance.now() - startMs };
  }
}

/** One tenant, and what happens to it. */
export class EffectsFixture {
  readonly tenantId: TenantId = newTenantId();
  readonly service: BillingService;
  readonly installation: Installation;
  readonly #processes: WorkerProcess[] = [];
  readonly #root = generateSigningKey();
  readonly #runtimeKey = generateSigningKey();
  readonly #introductions: KeyIntroduction[];
  readonly #edge: Coalescer;
  readonly #factory: EventFactory;
  readonly #loader: ResourceLoader;
  readonly #stop = new AbortController();
  readonly #controllers: Promise<void>;
  readonly #close: () => Promise<void>;

  private constructor(installation: Installation, service: BillingService) {
    this.installation = installation;
    this.service = service;
    const edgeKey = generateSigningKey();
    const rootSigner = createEd25519Signer({ privateKey: this.#root.privateKeyPem, tier: "operator" });
    const introduce = (publicKey: string, tier: "edge" | "runtime"): KeyIntroduction =>
      introduceKey(rootSigner, { publicKey, tier, kinds: ["intent", "fact", "internal"], from: formatUs(0) });
    this.#introductions = [introduce(edgeKey.publicKey, "edge"), introduce(this.#runtimeKey.publicKey, "runtime")];
    const directory = new KeyDirectory(this.#root.publicKey);
    for (const introduction of this.#introductions) directory.accept(introduction);
    const verifier = createVerifier(directory);
    const sign = (privateKey: string, tier: "edge" | "runtime"): Signer => createEd25519Signer({ privateKey, tier });

    // The controllers only ask: their worker is never run here.
    const worker = testCustomer(() => Promise.reject(new Error("called in the wrong process")));
    const billing: TestReconcile = ({ resource, effects }) =>
      testDecision(effects.get<object, object>(worker, { name: resource.aggregateId }));
    const app = createTestApp({ billing }, [worker.definition]);
    const pool = createPool(installation.url("runtime"), { connectionsMax: 4 });
    const reader = new PostgresReader(pool);
    const log = (appender: ConstructorParameters<typeof Coalescer>[0]["appender"], signer: Signer): Coalescer =>
      new Coalescer({ appender, signer, clock: systemClock });
    this.#edge = log(installation.edge, sign(edgeKey.privateKeyPem, "edge"));
    this.#factory = new EventFactory({ app, ids: systemIds });
    this.#loader = new ResourceLoader({ reader, verifier, app });
    this.#controllers = new ControllerRuntime({
      app,
      work: new PostgresWorkStore(pool),
      coalescer: log(new PostgresAppender(pool, "runtime"), sign(this.#runtimeKey.privateKeyPem, "runtime")),
      loader: new ResourceLoader({ reader, verifier, app }),
      clock: systemClock,
      random: systemRandom,
      logger: silent,
      pollMs: 30,
    }).run(this.#stop.signal);
    this.#close = () => pool.end();
  }

  static async open(): Promise<EffectsFixture> {
    return new EffectsFixture(await installEventplane(), await BillingService.open());
  }

  /** Ends the worker's processes and forgets what the service has seen. */
  async reset(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((process) => process.end("SIGKILL")));
    this.service.mood = "prompt";
    this.service.calls.length = 0;
    this.service.points.length = 0;
    this.service.customers.clear();
    this.service.overlapMax = 0;
  }

  async close(): Promise<void> {
    await this.reset();
    this.#stop.abort();
    await this.#controllers;
    await this.#close();
    await this.service.close();
    await this.installation.close();
  }

  startWorker(options: WorkerProcessOptions = {}): WorkerProcess {
    const {
      stopAt,
      onUnknown = "retry",
      timeoutMs = 10_000,
      concurrency = 8,
      breaker,
      leaseMs = 1_000,
      stopGraceMs,
    } = options;
    const text = { type: "string" };
    const schema = (name: string): JsonObject => ({ type: "object", properties: { [name]: text }, required: [name] });
    const process = new WorkerProcess({
      databaseUrl: this.installation.url("runtime"),
      rootPublicKey: this.#root.publicKey,
      introductions: this.#introductions as unknown as JsonObject[], // JSON by construction
      privateKey: this.#runtimeKey.privateKeyPem,
      serviceUrl: this.service.url,
      leaseMs,
      ...(stopAt === undefined ? {} : { stopAt }),
      ...(stopGraceMs === undefined ? {} : { stopGraceMs }),
      worker: {
        name: "customer",
        input: schema("name"),
        output: schema("id"),
        onUnknown,
        timeoutMs,
        concurrency,
        retry: { baseMs: 1, capMs: 1 },
        ...(breaker === undefined ? {} : { breaker }),
      },
    });
    this.#processes.push(process);
    return process;
  }

  async create(aggregateId: string): Promise<void> {
    const request = { tenantId: this.tenantId, type: "organization.create", aggregateId, spec: {}, specText: "{}" };
    await this.#append(this.#factory.intent(request, testCausedBy));
  }

  async decide(type: Extract<SystemFactType, `effect.${string}`>, askId: string, spec: JsonObject): Promise<void> {
    await this.#append(
      this.#factory.systemFact({ tenantId: this.tenantId, type, aggregateId: askId, spec }, testCausedBy),
    );
  }

  async #append(item: AppendItem): Promise<void> {
    const outcome = await this.#edge.append({ tenantId: this.tenantId, items: [item] });
    if (outcome.result !== "appended") throw new Error(JSON.stringify(outcome));
  }

  resource(aggregateId: string): Promise<Resource | undefined> {
    return this.#loader.load(this.tenantId, { aggregateType: "organization", aggregateId });
  }

  /** The effect of a resource once it is in this state. */
  effect(aggregateId: string, state: EffectState["state"]): Promise<EffectState> {
    return this.until(`the effect of ${aggregateId} to be ${state}`, async () => {
      const resource = await this.resource(aggregateId);
      return Object.values(resource?.effects ?? {}).find((effect) => effect.state === state);
    });
  }

  /** The resource once it is Ready. */
  ready(aggregateId: string): Promise<Resource> {
    return this.until(`${aggregateId} to be Ready`, async () => {
      const resource = await this.resource(aggregateId);
      return resource?.phase === "Ready" ? resource : undefined;
    });
  }

  stream(aggregateId: string): Promise<readonly EventRow[]> {
    return this.installation.reader.readStream(this.tenantId, { aggregateType: "organization", aggregateId });
  }

  async count(aggregateId: string, tail: string): Promise<number> {
    return (await this.stream(aggregateId)).filter(({ type }) => type === `organization.${tail}`).length;
  }

  /** Waits until a process says that it is at this point. */
  at(point: "before" | "after"): Promise<true> {
    return this.until(`a call to be at ${point}`, async () => (this.service.points.includes(point) ? true : undefined));
  }

  /** Looks every 20 ms until there is an answer, at most 20 s. */
  async until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const endMs = performance.now() + waitMsMax;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      const errors = this.#processes.map((process) => process.errors).join("\n");
      if (performance.now() > endMs) throw new Error(`Not within ${waitMsMax} ms: ${what}\n${errors}`);
      await systemClock.sleep(20);
    }
  }
}

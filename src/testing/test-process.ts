/** One process of a test plane: controllers, workers and the resources projection over memory. It can be killed. */
import { ControllerRuntime } from "../controller/index.js";
import { type AppDefinition, liftOf, type Verifier } from "../event/index.js";
import type { Clock, Doorbell, Signer } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import {
  type MemoryProjectionStore,
  type MemoryResourceTable,
  ProjectionRunner,
  ResourcesProjector,
} from "../projection/index.js";
import {
  type Appender,
  type AppendOutcome,
  Coalescer,
  type MemoryStore,
  ResourceLoader,
  type SignedAppend,
} from "../store/index.js";
import type { MemoryWorkStore } from "../work/index.js";
import { WorkerRuntime } from "../worker/index.js";
import type { PlantedFaults } from "./planted-faults.js";
import type { TestPersonal } from "./test-personal.js";

/** What outlives a process, and what it is made with. */
export interface TestProcessParts extends TestPersonal {
  readonly app: AppDefinition;
  readonly store: MemoryStore;
  readonly work: MemoryWorkStore;
  readonly table: MemoryResourceTable;
  readonly projections: ReadonlyMap<string, MemoryProjectionStore>;
  /** Of all its processes, one after the other: the one that is dead changes nothing. */
  readonly holder: string;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly logger: Logger;
  readonly faults: PlantedFaults;
  /** Told of every touch of store or work rows. */
  readonly onActivity: () => void;
  /** The process has died of a planted fault. */
  readonly onDeath: () => void;
}

/** In one process everything rings, so looks by the clock only find what a dead process left behind. */
const pollMs = 60_000;
/** A tenth of what a plane that serves allows, so that a test finds controllers that wake one another for ever sooner. */
const reconcilesPerGenerationMax = 1_000;
const half = (): number => 0.5;
/** What a dead process waits for. */
const never = new Promise<never>(() => undefined);

/** See the file's docblock. It works from its construction on. */
export class TestProcess {
  readonly #parts: TestProcessParts;
  #isDead = false;

  constructor(parts: TestProcessParts) {
    this.#parts = parts;
    const { app, store, verifier, clock, doorbell, logger, signer } = parts;
    const appender = this.#mortal(store.runtime);
    const coalescer = new Coalescer({ appender, signer, clock, doorbell, random: half });
    const work = this.#gated(parts.work);
    const reader = this.#gated(store.reader);
    const common = { app, work, coalescer, reader, verifier, clock, random: half, logger, doorbell, pollMs };
    const loader = new ResourceLoader({ reader, verifier, app });
    const { signal } = new AbortController(); // a process does not stop, it is killed
    void new ControllerRuntime({ ...common, loader, checkDeterminism: true, reconcilesPerGenerationMax }).run(signal);
    void new WorkerRuntime({ ...common, personal: parts.personal }).run(signal);
    void new ResourcesProjector({ ...common, table: this.#gated(parts.table) }).run(signal);
    for (const [name, memory] of parts.projections) {
      const definition = app.projections.get(name);
      const { holder } = parts;
      if (definition !== undefined)
        void new ProjectionRunner({ ...common, lift: liftOf(app), definition, store: this.#gated(memory), holder }).run(
          signal,
        );
    }
  }

  /** As `kill -9`: nothing that it has begun goes on, and nothing is handed back. */
  kill(): void {
    this.#isDead = true;
  }

  /** The port as long as the process lives; whatever a dead one asks for never comes. */
  #gated<Port extends object>(port: Port): Port {
    return new Proxy(port, {
      get: (target, key): unknown => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function") return member;
        return (...given: readonly unknown[]): unknown => {
          if (this.#isDead) return never;
          this.#parts.onActivity();
          return this.#whileAlive(member.apply(target, given));
        };
      },
    });
  }

  /** An answer that comes after the death is not heard. */
  async #whileAlive(answer: unknown): Promise<unknown> {
    const got = await answer;
    return this.#isDead ? never : got;
  }

  #mortal(appender: Appender): Appender {
    return this.#gated<Appender>({ tier: appender.tier, append: (call) => this.#append(appender, call) });
  }

  async #append(appender: Appender, call: readonly SignedAppend[]): Promise<readonly AppendOutcome[]> {
    const { faults } = this.#parts;
    if (faults.takeOfProcess("diesBeforeCommit")) return this.#die();
    const lost = call.map(({ lease }) => lease !== undefined && faults.takeOfAppend());
    const added = await appender.append(call.filter((_, index) => lost[index] === false));
    if (faults.takeOfProcess("diesAfterCommit")) return this.#die();
    const outcomes = [...added];
    return lost.map((isLost): AppendOutcome => (isLost ? leaseLost : (outcomes.shift() ?? leaseLost)));
  }

  #die(): Promise<never> {
    this.kill();
    this.#parts.onDeath();
    return never;
  }
}

const leaseLost: AppendOutcome = {
  result: "refused",
  code: "lease_lost",
  index: 0,
  current: { version: 0, generation: 0, lifecycle: "none" },
};

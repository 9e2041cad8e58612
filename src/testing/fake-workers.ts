/** Fakes in the place of what workers call: by name, behind the worker's own schemas, time-out, retries and breaker. */
import type { AppDefinition, TypedWorker, WorkerCall, WorkerDefinition } from "../event/index.js";
import { EventplaneError, type JsonObject, systemClock, TerminalError } from "../kernel/index.js";
import { TryAgainError } from "../worker/index.js";
import type { PlantedFaults } from "./planted-faults.js";

type NameOf<Each> = Each extends { readonly definition: { readonly name: infer Name extends string } } ? Name : never;
type FakeOf<Each> =
  Each extends TypedWorker<infer Input, infer Output> ? (call: WorkerCall<Input>) => Output | Promise<Output> : never;
type UntypedFake = (call: WorkerCall) => JsonObject | Promise<JsonObject>;

/** What answers in the place of each worker, by the worker's name. */
export type WorkerFakes<Workers> = unknown extends Workers
  ? Readonly<Record<string, UntypedFake>>
  : { readonly [Each in Workers as NameOf<Each>]?: FakeOf<Each> };

/** One call that a fake got. */
export interface FakeCall {
  readonly input: JsonObject;
  readonly idempotencyKey: string;
}

/** A fake that has not answered for so long in real time is taken to hang. */
const hangsAfterMs = 1_000;
const never = new Promise<never>(() => undefined);

/** The workers of an app with fakes for what they call. */
export class FakeWorkers {
  /** By name. */
  readonly workers: ReadonlyMap<string, WorkerDefinition>;
  readonly #fakes: Readonly<Record<string, UntypedFake | undefined>>;
  readonly #faults: PlantedFaults;
  readonly #calls = new Map<string, FakeCall[]>();
  /** Calls whose end the runtime waits for. */
  readonly #open = new Set<AbortSignal>();
  /** Answers that come by themselves, in real time. */
  readonly #coming = new Set<Promise<unknown>>();
  #unfaked: EventplaneError | undefined;

  /** @throws EventplaneError `config_invalid` for a fake of a worker that the app does not have */
  constructor(app: AppDefinition, fakes: Readonly<Record<string, unknown>>, faults: PlantedFaults) {
    this.#fakes = fakes as Readonly<Record<string, UntypedFake | undefined>>; // typed by WorkerFakes; outputs are checked when they come
    this.#faults = faults;
    const stranger = Object.keys(fakes).find((name) => !app.workers.has(name));
    if (stranger !== undefined) {
      const message = `The app has no worker ${stranger} to be faked: it has ${[...app.workers.keys()].join(", ") || "none"}.`;
      throw new EventplaneError("config_invalid", message);
    }
    const faked = [...app.workers].map(([name, worker]): [string, WorkerDefinition] => [
      name,
      { ...worker, run: (call) => this.#run(name, call) },
    ]);
    this.workers = new Map(faked);
  }

  /** What the fake of this worker was called with, in order. */
  calls(name: string): readonly FakeCall[] {
    return this.#calls.get(name) ?? [];
  }

  /** Whether calls are under way; after {@link answered} these are the ones that hang. */
  get isHanging(): boolean {
    return this.#open.size > 0;
  }

  /**
   * Waits until every fake that was called has answered, or has not for a second.
   *
   * @throws EventplaneError `config_invalid` when a worker without a fake was asked
   */
  async answered(): Promise<void> {
    while (this.#coming.size > 0) {
      const late = new AbortController();
      const hung = systemClock.sleep(hangsAfterMs, late.signal).then(
        () => this.#coming.clear(),
        () => undefined,
      );
      await Promise.race([...this.#coming, hung]);
      late.abort();
    }
    if (this.#unfaked !== undefined) throw this.#unfaked;
  }

  #run(name: string, call: WorkerCall): Promise<JsonObject> {
    this.#open.add(call.signal);
    // The runtime aborts the signal of every call when it is over, however it ended.
    call.signal.addEventListener("abort", () => this.#open.delete(call.signal), { once: true });
    const fault = this.#faults.takeOfWorker(name);
    if (fault === "hangs") return never;
    if (fault === "fails") return Promise.reject(new TryAgainError(`A planted fault: worker ${name} failed`));
    const answer = this.#answer(name, call).catch(async (error: unknown) => {
      if (fault === "unknown") return {}; // it was called all the same
      throw error;
    });
    const coming = answer.finally(() => this.#coming.delete(coming)).catch(() => undefined);
    this.#coming.add(coming);
    if (fault === undefined) return answer;
    return answer.then(() => Promise.reject(new Error(`A planted fault: the answer of worker ${name} was lost`)));
  }

  async #answer(name: string, call: WorkerCall): Promise<JsonObject> {
    const fake = Object.hasOwn(this.#fakes, name) ? this.#fakes[name] : undefined;
    if (fake === undefined) {
      this.#unfaked = new EventplaneError(
        "config_invalid",
        `Worker ${name} was asked for ${JSON.stringify(call.input)} and nothing answers in its place: testPlane(app, { workers: { "${name}": … } }).`,
      );
      throw new TerminalError(`No fake answers for worker ${name}`);
    }
    const { input, idempotencyKey } = call;
    this.#calls.set(name, [...this.calls(name), { input, idempotencyKey }]);
    return fake(call);
  }
}

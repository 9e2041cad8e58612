/** `effects.get`: what the log knows of an effect, and the note of what is to be asked. Pure. */
import {
  type AppDefinition,
  canonicalJson,
  decisionInvalid,
  type EffectAsk,
  type EffectOutcome,
  type EffectRequests,
  type EffectState,
  effectKey,
  isJsonObject,
  jsonProblem,
  type Resource,
  type WorkerDefinition,
} from "../event/index.js";
import { admitSealed, compileSchema, type JsonObject, limits, type SchemaCheck } from "../kernel/index.js";

/** A schema is compiled once in its life. */
const inputChecks = new WeakMap<JsonObject, SchemaCheck>();

/** The effects that one run of one controller sees and asks for. */
export class EffectAsking implements EffectRequests {
  /** What nobody has asked for before, in the order of the calls. */
  readonly asks: EffectAsk[] = [];
  readonly #app: Pick<AppDefinition, "workers"> | undefined;
  readonly #resource: Resource;
  readonly #controller: string;
  readonly #asked = new Set<string>();
  #calls = 0;

  /** @param app undefined: any worker may be asked */
  constructor(app: Pick<AppDefinition, "workers"> | undefined, resource: Resource, controller: string) {
    this.#app = app;
    this.#resource = resource;
    this.#controller = controller;
  }

  get<Input, Output>(worker: { readonly definition: WorkerDefinition }, input: Input): EffectOutcome<Output> {
    const step = this.#calls++;
    const { name } = worker.definition;
    const inputText = this.#checked(this.#known(worker.definition), input);
    const key = effectKey(this.#controller, name, inputText);
    const known = this.#resource.effects[key];
    if (known !== undefined) return outcomeOf<Output>(known);
    if (!this.#asked.has(key)) {
      this.#asked.add(key);
      this.asks.push({ worker: name, inputText, step });
      if (this.asks.length > limits.effectAsksMax)
        throw this.#invalid(`it asks for more than ${limits.effectAsksMax} effects at once`);
    }
    return pending;
  }

  #known(asked: WorkerDefinition): WorkerDefinition {
    const worker = this.#app === undefined ? asked : this.#app.workers.get(asked.name);
    if (worker !== undefined) return worker;
    throw this.#invalid(`it asks worker ${asked.name}, which is not among the workers of defineApp`);
  }

  #checked(worker: WorkerDefinition, input: unknown): string {
    const { name } = worker;
    const problem = jsonProblem(input, "/input");
    if (problem !== undefined) throw this.#invalid(`${problem}, in what it asks worker ${name}`);
    if (!isJsonObject(input)) throw this.#invalid(`what it asks worker ${name} is no object`);
    const text = canonicalJson(input);
    let check = inputChecks.get(worker.inputSchema);
    if (check === undefined)
      inputChecks.set(worker.inputSchema, (check = compileSchema(admitSealed(worker.inputSchema, "beside"))));
    const [misfit] = check(JSON.parse(text)); // without the members that are undefined
    if (misfit !== undefined) {
      throw this.#invalid(`what it asks worker ${name} does not fit: ${misfit.pointer || "/"} ${misfit.message}`);
    }
    if (Buffer.byteLength(text) > limits.effectPayloadBytesMax) {
      throw this.#invalid(`what it asks worker ${name} has more than ${limits.effectPayloadBytesMax} bytes`);
    }
    return text;
  }

  #invalid(why: string): ReturnType<typeof decisionInvalid> {
    return decisionInvalid(this.#controller, why);
  }
}

const pending = Object.freeze({ pending: true as const });

/** Results were checked against the worker's schema when they came, so they are what its type says. */
function outcomeOf<Output>({ state, result, failure }: EffectState): EffectOutcome<Output> {
  if (result !== undefined) return { ok: result as Output };
  if (failure === undefined || state === "dead") return pending;
  return state === "failed" ? { failed: failure } : { unknown: failure };
}

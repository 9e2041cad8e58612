/**
 * `defineWorker`: one call to the world outside, with what it takes, what it gives, and how patient it is.
 */
import {
  deepFreeze,
  isAggregateType,
  type TypedWorker,
  type WorkerCall,
  type WorkerDefinition,
} from "../event/index.js";
import { EventplaneError, type JsonObject } from "../kernel/index.js";
import { type Infer, type PersonalRole, readSchema, type SchemaSource } from "../schema/index.js";

/** Nothing more for the schema of an object, nothing at all for others. */
type OnlyObject<Schema> = Infer<Schema> extends object ? unknown : never;

/** What a team writes of a worker. */
export interface WorkerConfig<Name extends string, Input extends SchemaSource, Output extends SchemaSource> {
  readonly name: Name;
  /** What a controller asks with: an object, without secrets. */
  readonly input: Input & OnlyObject<Input>;
  /** What `run` gives: an object; it is stored in the log, so no secrets and no more than a controller needs. */
  readonly output: Output & OnlyObject<Output>;
  /** Longest run of one call, milliseconds; default 10,000. Then `signal` aborts and the outcome is unknown. */
  readonly timeoutMs?: number;
  readonly retry?: {
    /** In all, with the first; default 5. Then the effect is a dead letter. */
    readonly attempts?: number;
    /** Upper bound of the first wait, which doubles with each attempt, and of all waits; default 1,000 and 60,000. */
    readonly baseMs?: number;
    readonly capMs?: number;
  };
  readonly breaker?: {
    /** Calls in a row that brought no answer before no more are made; default 5. */
    readonly failures?: number;
    /** How long none is made before one tries; default 30,000. */
    readonly openMs?: number;
  };
  /** Calls at once in one process; default 8. */
  readonly concurrency?: number;
  /**
   * When nobody knows what became of a call: `retry` calls again with the same idempotencyKey, `hold` waits until somebody
   * decides. Default `retry`: take `hold` for services that do not know idempotency keys.
   */
  readonly onUnknown?: "retry" | "hold";
  /**
   * Makes the call. It may run again with the same `idempotencyKey`, also at another process after a crash.
   *
   * What it throws: a TerminalError is the answer "no" and becomes the result `failed`; a TryAgainError says that nothing
   * was done; after anything else, and after the time-out, the outcome is unknown.
   */
  readonly run: (call: WorkerCall<Infer<Input>>) => Promise<Infer<Output>> | Infer<Output>;
}

/** A worker whose name, input and output are known. */
export interface Worker<Name extends string, Input, Output> extends TypedWorker<Input, Output> {
  readonly definition: WorkerDefinition & { readonly name: Name };
}

const defaults = {
  timeoutMs: 10_000,
  retry: { attempts: 5, baseMs: 1_000, capMs: 60_000 },
  breaker: { failures: 5, openMs: 30_000 },
  concurrency: 8,
  onUnknown: "retry",
} as const;
/** A day. */
const durationMsMax = 86_400_000;
const attemptsMax = 100;
const failuresMax = 1_000;
const concurrencyMax = 256;

/**
 * Declares a worker.
 *
 * @example
 * const customer = defineWorker({ name: "billing-customer", input: z.object({ name: z.string() }), output: z.object({ id: z.string() }),
 *   run: async ({ input, idempotencyKey, signal }) => openCustomer(input, { idempotencyKey, signal }) });
 * // in a controller: const account = effects.get(customer, { name: resource.spec.name });
 * @throws EventplaneError `config_invalid`
 */
export function defineWorker<
  const Name extends string,
  const Input extends SchemaSource,
  const Output extends SchemaSource,
>(config: WorkerConfig<Name, Input, Output>): Worker<Name, Infer<Input>, Infer<Output>> {
  const { name, retry = {}, breaker = {}, onUnknown = defaults.onUnknown, run } = config;
  if (!isAggregateType(name))
    throw invalid(`"${name}" cannot name a worker: use a-z, 0-9, _ and -, at most 64, a letter first`);
  if (onUnknown !== "retry" && onUnknown !== "hold") throw invalid(`onUnknown of worker ${name} is retry or hold`);
  if (typeof run !== "function") throw invalid(`worker ${name} needs a function run`);
  const number = (what: string, value: number, max: number): number => {
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
    throw invalid(`${what} of worker ${name} must be a whole number from 1 to ${max}`);
  };
  const definition: WorkerDefinition & { readonly name: Name } = deepFreeze({
    name,
    inputSchema: objectSchema(config.input, `the input of worker ${name}`, "holds"),
    outputSchema: objectSchema(config.output, `the output of worker ${name}`),
    timeoutMs: number("timeoutMs", config.timeoutMs ?? defaults.timeoutMs, durationMsMax),
    retry: {
      attempts: number("retry.attempts", retry.attempts ?? defaults.retry.attempts, attemptsMax),
      baseMs: number("retry.baseMs", retry.baseMs ?? defaults.retry.baseMs, durationMsMax),
      capMs: number("retry.capMs", retry.capMs ?? defaults.retry.capMs, durationMsMax),
    },
    breaker: {
      failures: number("breaker.failures", breaker.failures ?? defaults.breaker.failures, failuresMax),
      openMs: number("breaker.openMs", breaker.openMs ?? defaults.breaker.openMs, durationMsMax),
    },
    concurrency: number("concurrency", config.concurrency ?? defaults.concurrency, concurrencyMax),
    onUnknown,
    // The input was checked against its schema when it was asked for, and the output is checked when it comes.
    run: run as unknown as WorkerDefinition["run"],
  });
  return Object.freeze({ definition });
}

/** Results are told apart by being there, so they are objects; so are inputs, which may grow. */
function objectSchema(source: SchemaSource, what: string, personal?: PersonalRole): JsonObject {
  const schema = readSchema(source, what, personal);
  if (schema.type !== undefined && schema.type !== "object") {
    throw invalid(`${what} must be an object, not ${JSON.stringify(schema.type)}: wrap it in one`);
  }
  return schema;
}

function invalid(why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The worker cannot be used: ${why}.`);
}

/**
 * `given(…).when(…).then(…)`: one reconcile, tested as the pure function that it is. No plane, no database, no test runner.
 *
 * ```ts
 * given(organization, { plan: "team" }).when(quota).then(done({ members: 25 }));
 * ```
 */
import {
  type AnyAggregate,
  type Controller,
  type LoadedResources,
  lookupName,
  type MessageOf,
  type SpecOf,
  type StatusOf,
  type StatusOfController,
} from "../controller/index.js";
import {
  type Condition,
  canonicalJson,
  type EffectOutcome,
  type EffectState,
  type Effects,
  effectKey,
  emptyFold,
  type Finalizers,
  type IntentDefinition,
  jsonProblem,
  type Resource,
  type TypedWorker,
  type WorkerDefinition,
} from "../event/index.js";
import {
  admitSealed,
  compileSchema,
  EventplaneError,
  type JsonObject,
  type JsonValue,
  type TenantId,
} from "../kernel/index.js";
import { patchSchema } from "../schema/index.js";
import { When } from "./when.js";

/** What may be given of a resource beside its spec. */
export interface GivenMore<Of> {
  /** What controllers have reported; default nothing. */
  readonly status?: Partial<StatusOf<Of>>;
  /** The intent that opened the generation; default the first that `creates`. One that `deletes` begins the deletion. */
  readonly intent?: MessageOf<Of>;
  /** Default that of the intent, else `given`. */
  readonly aggregateId?: string;
  /** Default 1, for intents on what is there already 2. */
  readonly generation?: number;
  readonly conditions?: readonly Condition[];
  /** Default: the controller has not completed anything. */
  readonly finalizers?: Finalizers;
  /** `ctx.now`, RFC 3339; default 2026-01-01T00:00:00.000000Z. */
  readonly now?: string;
}

/** What is known beside the resource. */
interface GivenBeside {
  readonly effects: readonly GivenEffect[];
  readonly resources: LoadedResources;
}

interface GivenEffect {
  readonly worker: WorkerDefinition;
  readonly inputText: string;
  readonly outcome: EffectOutcome<unknown>;
}

/** One tenant and one origin, so that `ctx.random` gives the same numbers in every run. */
const tenantId = "00000000-0000-4000-8000-000000000001" as TenantId; // a UUID
const originId = "00000000-0000-4000-8000-000000000002";
const nowDefault = "2026-01-01T00:00:00.000000Z";

/**
 * A resource as a reconcile may find it. Members of the spec that do not matter may be left out; a reconcile that reads
 * one that the schema requires fails, so that a test cannot pass on `undefined`.
 *
 * @throws EventplaneError `schema_violation` when the spec or a status does not fit
 */
export function given<Of extends AnyAggregate>(
  aggregate: Of,
  spec: Partial<SpecOf<Of>>,
  more: GivenMore<Of> = {},
): Given<Of> {
  return new Given(aggregate, spec, more, { effects: [], resources: {} });
}

/** A resource, ready to be reconciled. Immutable: every call gives a new one. */
export class Given<Of extends AnyAggregate> {
  readonly #aggregate: Of;
  readonly #spec: JsonObject;
  readonly #more: GivenMore<Of>;
  readonly #beside: GivenBeside;

  /** Use {@link given}. */
  constructor(aggregate: Of, spec: Partial<SpecOf<Of>>, more: GivenMore<Of>, beside: GivenBeside) {
    const { name, specSchema, statusSchemas } = aggregate.definition;
    this.#aggregate = aggregate;
    this.#spec = fitting(spec, patchSchema(specSchema), `The spec given of ${name}`);
    for (const [controller, status] of Object.entries(more.status ?? {})) {
      fitting(status, statusSchemas[controller] ?? {}, `The status ${controller} given of ${name}`);
    }
    this.#more = more;
    this.#beside = beside;
  }

  /**
   * What is known of an effect that the controller asked for before; without it the controller asks for it now.
   *
   * @throws EventplaneError `schema_violation` when input or result do not fit the worker's schemas
   */
  withEffect<Input, Output>(
    worker: TypedWorker<Input, Output>,
    input: NoInfer<Input>,
    outcome: EffectOutcome<NoInfer<Output>>,
  ): Given<Of> {
    const { definition } = worker;
    const { name, inputSchema, outputSchema } = definition;
    const inputText = canonicalJson(fitting(input, inputSchema, `The input given for worker ${name}`));
    if (outcome.ok !== undefined) fitting(outcome.ok, outputSchema, `The result given of worker ${name}`);
    const effects = [...this.#beside.effects, { worker: definition, inputText, outcome }];
    return this.#with({ effects });
  }

  /** Another resource that the controller may look up. Those that are not given are not there. */
  withResource(other: Given<AnyAggregate>): Given<Of> {
    const resource = other.#resource();
    return this.#with({ resources: { ...this.#beside.resources, [lookupName(resource)]: resource } });
  }

  #with(beside: Partial<GivenBeside>): Given<Of> {
    const spec = this.#spec as Partial<SpecOf<Of>>; // it fitted when it was given
    return new Given(this.#aggregate, spec, this.#more, { ...this.#beside, ...beside });
  }

  /**
   * Runs the controller, twice and with clock, chance and network closed; `then` says what must follow.
   *
   * @throws EventplaneError `config_invalid` for a controller of another aggregate
   */
  when<Name extends string>(controller: Controller<Of, Name>): When<StatusOfController<Of, Name>> {
    const { definition } = this.#aggregate;
    if (controller.watches !== definition.name) {
      const message = `Controller ${controller.name} watches ${controller.watches}, not ${definition.name}.`;
      throw new EventplaneError("config_invalid", message);
    }
    const resource = this.#resource(controller.name);
    const { now = nowDefault } = this.#more;
    return new When({ aggregate: definition, controller, resource, now, loaded: this.#beside.resources }, []);
  }

  #resource(controller?: string): Resource {
    const { name, intents, specSchema } = this.#aggregate.definition;
    const { status = {}, aggregateId, conditions = [], finalizers = {}, now = nowDefault } = this.#more;
    const message = this.#more.intent as IntentLike | undefined; // messages of every aggregate have this shape
    const intent = intentOf(intents, message?.type);
    const generation = this.#more.generation ?? (intent.effect === "creates" ? 1 : 2);
    const fold = emptyFold({
      tenantId,
      aggregateType: name,
      aggregateId: aggregateId ?? message?.aggregateId ?? "given",
    });
    return Object.freeze({
      ...fold,
      version: generation,
      position: generation,
      generation,
      lifecycle: intent.effect === "deletes" ? "deleting" : "live",
      phase: intent.effect === "deletes" ? "Deleting" : "Pending",
      spec: refusingAbsent(this.#spec, specSchema, name),
      status: Object.freeze({ ...(status as JsonObject) }), // checked by its schemas
      conditions: Object.freeze([...conditions]),
      finalizers: {
        ...(controller === undefined ? {} : { [controller]: { completed: false, observedGeneration: 0 } }),
        ...finalizers,
      },
      effects: effectsOf(this.#beside.effects, controller ?? ""),
      expected: controller === undefined ? [] : [controller],
      origin: Object.freeze({
        id: originId,
        type: intent.type,
        spec: message?.spec ?? this.#spec,
        correlationId: originId,
        version: generation,
        recordedAt: now,
        traceparent: null,
        causedByText: "{}",
      }),
      createdAt: now,
      updatedAt: now,
    });
  }
}

interface IntentLike {
  readonly type: string;
  readonly aggregateId?: string;
  readonly spec?: JsonObject;
}

function intentOf(intents: ReadonlyMap<string, IntentDefinition>, type: string | undefined): IntentDefinition {
  const all = [...intents.values()];
  const found = type === undefined ? (all.find(({ effect }) => effect === "creates") ?? all[0]) : intents.get(type);
  if (found !== undefined) return found;
  throw new EventplaneError("unknown_type", `The aggregate has no intent ${type ?? "at all"}.`);
}

function effectsOf(effects: readonly GivenEffect[], controller: string): Effects {
  const entries = effects.map(({ worker, inputText, outcome }, index): [string, EffectState] => {
    const { name } = worker;
    const id = `00000000-0000-5000-8000-${String(index).padStart(12, "0")}` as EffectState["id"]; // a UUID
    return [effectKey(controller, name, inputText), { id, controller, worker: name, ...stateOf(outcome) }];
  });
  return Object.freeze(Object.fromEntries(entries));
}

function stateOf({ ok, failed, unknown }: EffectOutcome<unknown>): Pick<EffectState, "state" | "result" | "failure"> {
  if (ok !== undefined) return { state: "ok", result: ok as JsonObject }; // fits the schema of an object
  if (failed !== undefined) return { state: "failed", failure: failed };
  return unknown === undefined ? { state: "pending" } : { state: "unknown", failure: unknown };
}

/** The value as it would be stored. */
function fitting(value: unknown, schema: JsonObject, what: string): JsonObject {
  const problem = jsonProblem(value, "");
  if (problem !== undefined) throw new EventplaneError("schema_violation", `${what} is no JSON: ${problem}.`);
  const stored = JSON.parse(JSON.stringify(value)) as JsonObject; // objects by their types, and checked below
  const [misfit] = compileSchema(admitSealed(schema, "beside"))(stored);
  if (misfit === undefined) return stored;
  const { pointer, message } = misfit;
  throw new EventplaneError("schema_violation", `${what} does not fit: ${pointer || "/"} ${message}.`, {
    details: { pointer },
  });
}

/** The spec, which refuses to be read where the schema promises a member that the test left out. */
function refusingAbsent(spec: JsonObject, { required }: JsonObject, aggregate: string): JsonObject {
  const promised: readonly JsonValue[] = Array.isArray(required) ? required : [];
  return new Proxy(spec, {
    get(target, key): unknown {
      if (typeof key === "symbol" || Object.hasOwn(target, key) || !promised.includes(key))
        return Reflect.get(target, key);
      const message = `The reconcile reads ${key} of the spec, which this test leaves out: give it, as in given(${aggregate}, { ${key}: … }).`;
      throw new EventplaneError("schema_violation", message, { details: { pointer: `/${key}` } });
    },
  });
}

/**
 * What an application declares: aggregates, controllers, the app. Only shapes; `defineAggregate` and its family, with
 * inferred types, live in controller/ and schema/.
 */
import type { JsonObject } from "../kernel/index.js";
import type { LifecycleEffect } from "./append-item.js";
import type { CompatibilityMode } from "./compatibility-modes.js";
import type { IntakeDefinition } from "./intakes.js";
import type { ProjectionDefinition } from "./projections.js";
import type { Condition, EffectFailure, Resource } from "./resource.js";
import type { SourceDefinition } from "./sources.js";
import type { TokenIssuer } from "./token-issuers.js";

/** What an intent does to the life of its resource. */
export type IntentEffect = Extract<LifecycleEffect, "creates" | "updates" | "deletes">;

/** From a spec of one version of a type to the next one. Pure. */
export type Upcaster = (spec: JsonObject) => JsonObject;

/** One intent of an aggregate, normalized. */
export interface IntentDefinition {
  /** Full type, e.g. `organization.change-plan`. */
  readonly type: string;
  readonly effect: IntentEffect;
  /** How its spec meets the resource's: `merge` is RFC 7396, `replace` takes the intent's spec as it is. */
  readonly fold: "merge" | "replace" | ((spec: JsonObject, intentSpec: JsonObject) => JsonObject);
  readonly schemaVersion: number;
  /** JSON Schema 2020-12 of the intent's spec, closed. */
  readonly schema: JsonObject;
  /** How a new version of its schema is held against those before; default `backward`. */
  readonly compatibility?: CompatibilityMode;
  /** By the version that each begins at, without gaps up to the one before `schemaVersion`; absent: old specs are read as they are. */
  readonly upcasters?: ReadonlyMap<number, Upcaster>;
  /** Bytes of its spec as it is sent; default: what an event may have. */
  readonly specBytesMax?: number;
  /** Rules of the secrets scan that its specs are not held to; default none. */
  readonly allowSecrets?: readonly string[];
  /**
   * Expected version when the publisher gives none: `noStream` or deleted for creates, `streamExists` for the others;
   * `any` lets the first such intent open the stream.
   */
  readonly defaultExpectedVersion: "creates" | "streamExists" | "any";
}

/** An aggregate, normalized. */
export interface AggregateDefinition {
  readonly name: string;
  /** JSON Schema of the wanted state, closed. */
  readonly specSchema: JsonObject;
  /** JSON Schema of each controller's status, by controller name. */
  readonly statusSchemas: Readonly<Record<string, JsonObject>>;
  /** By full type. */
  readonly intents: ReadonlyMap<string, IntentDefinition>;
  /** Components that every generation waits for beside the controllers that watch it. */
  readonly completedBy?: readonly string[];
  /** Refuses an intent at the edge with a reason, or returns undefined. Pure. */
  readonly guard?: (
    resource: Resource | undefined,
    intent: { readonly type: string; readonly spec: JsonObject },
  ) => string | undefined;
}

/** A worker of any type. */
export interface AnyWorker {
  readonly definition: WorkerDefinition;
}

/** A worker that knows what it takes and gives. */
export interface TypedWorker<Input, Output> extends AnyWorker {
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly input: Input; readonly output: Output };
}

/**
 * What a controller knows of an effect; exactly one member is there.
 *
 * `unknown`: a call was made and nobody knows what became of it; somebody decides. Only of workers with `onUnknown: "hold"`.
 */
export type EffectOutcome<Output> =
  | { readonly pending: true; readonly ok?: undefined; readonly failed?: undefined; readonly unknown?: undefined }
  | { readonly ok: Output; readonly pending?: undefined; readonly failed?: undefined; readonly unknown?: undefined }
  | {
      readonly failed: EffectFailure;
      readonly pending?: undefined;
      readonly ok?: undefined;
      readonly unknown?: undefined;
    }
  | {
      readonly unknown: EffectFailure;
      readonly pending?: undefined;
      readonly ok?: undefined;
      readonly failed?: undefined;
    };

/** The way of a controller to the world outside: it asks, a worker calls, the answer wakes it. */
export interface EffectRequests {
  /**
   * What is known of the worker's effect with this input. The first time that a controller names an input in a resource's
   * life it asks for it, together with its decision; the same input is the same effect in every later generation.
   *
   * @throws EventplaneError `decision_invalid` when the input does not fit, or the app has no such worker
   */
  get<Input, Output>(worker: TypedWorker<Input, Output>, input: NoInfer<Input>): EffectOutcome<Output>;
}

/** An aggregate that knows its spec and its status. */
export interface TypedAggregate<Spec, Status> {
  readonly definition: AggregateDefinition;
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly spec: Spec; readonly status: Status };
}

/** The way of a controller to other resources of its tenant. */
export interface LookupRequests {
  /**
   * The resource as it is, folded from verified events, deleted ones too; undefined when there never was one. The controller
   * runs again whenever it changes.
   *
   * It may throw once or several times while the resource is being loaded; the run is then begun again from the start.
   *
   * @throws EventplaneError `decision_invalid` for an aggregate that the app does not have
   */
  get<Spec, Status>(
    aggregate: TypedAggregate<Spec, Status>,
    aggregateId: string,
  ): VisibleResource<Spec, Partial<Status>> | undefined;
}

/** A resource as controllers see it: without what only the log knows of its last event, for reconciles claimed together decide before it is stored. */
export type VisibleResource<Spec = JsonObject, Status = JsonObject> = Omit<
  Resource<Spec, Status>,
  "origin" | "position" | "updatedAt" | "effects" | "emits" | "reconciles"
>;

/** What a controller sees. Pure and synchronous: no I/O, no clock, no identity. */
export interface ReconcileContext<Spec = JsonObject, Status = JsonObject> {
  readonly resource: VisibleResource<Spec, Status>;
  /** The spec-bearing event that opened the current generation. */
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly spec: JsonObject;
    readonly version: number;
    readonly recordedAt: string;
  };
  readonly effects: EffectRequests;
  /** Another resource of the tenant: see {@link LookupRequests}. */
  readonly lookup: LookupRequests["get"];
  /** RFC 3339 UTC; recorded in the decision. */
  readonly now: string;
  /** Deterministic, seeded by (origin.id, component, basis version); [0, 1). */
  readonly random: () => number;
  readonly log: { info(message: string): void; warn(message: string): void };
}

/**
 * What a controller makes beside its own event, once in a generation: the same again is not made again.
 *
 * On the watched resource an event of a name of its own, `<root>.<name>`; on another one an intent of the app, as
 * `aggregate.intent(…)` makes it. Always in the tenant of the watched resource.
 */
export interface Emit {
  readonly type: string;
  /** Default `{}`. */
  readonly spec?: object;
  /** Default: that of the watched resource. */
  readonly aggregateId?: string;
}

/** What a controller decides. In an array only the last element's outcome counts. */
export interface Decision<Status = JsonObject> {
  readonly outcome:
    | "progressing"
    | "completed"
    | { readonly rejected: { readonly reason: string; readonly message: string } };
  /** Merged (RFC 7396) under `status.<controller>`. */
  readonly status?: Status;
  readonly conditions?: readonly Pick<Condition, "type" | "status" | "reason" | "message">[];
  /** Run again after this many milliseconds, > 0. */
  readonly requeueAfterMs?: number;
  /** At most 64 in all. */
  readonly emit?: Emit | readonly Emit[];
}

/** A controller, normalized. */
export interface ControllerDefinition {
  readonly name: string;
  /** Name of the aggregate that it watches. */
  readonly watches: string;
  readonly timeoutMs: number;
  readonly reconcile: (context: ReconcileContext) => Decision | readonly Decision[] | undefined;
}

/** One call of a worker. */
export interface WorkerCall<Input = JsonObject> {
  readonly input: Input;
  /** A UUID, the same for every attempt of one effect: give it to the service that is called. */
  readonly idempotencyKey: string;
  /** Aborts when the time is over, the lease is lost or the process stops: give it to fetch. */
  readonly signal: AbortSignal;
}

/** A worker, normalized. */
export interface WorkerDefinition {
  readonly name: string;
  /** JSON Schemas of objects, closed. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  readonly timeoutMs: number;
  /** Attempts in all; waits before them double from `baseMs` to `capMs`, with full jitter. */
  readonly retry: { readonly attempts: number; readonly baseMs: number; readonly capMs: number };
  /** After `failures` in a row no call for `openMs`, then one to try. */
  readonly breaker: { readonly failures: number; readonly openMs: number };
  /** Calls at once in one process. */
  readonly concurrency: number;
  readonly onUnknown: "retry" | "hold";
  readonly run: (call: WorkerCall) => JsonObject | Promise<JsonObject>;
}

/** The application, normalized: what plane/ runs. */
export interface AppDefinition {
  /** Of its code: what a dead letter was made by. */
  readonly version: string;
  readonly aggregates: ReadonlyMap<string, AggregateDefinition>;
  readonly controllers: ReadonlyMap<string, ControllerDefinition>;
  readonly workers: ReadonlyMap<string, WorkerDefinition>;
  readonly projections: ReadonlyMap<string, ProjectionDefinition>;
  readonly sources: ReadonlyMap<string, SourceDefinition>;
  /** Tables of applications' own databases that intents are taken from; absent: none. */
  readonly intakes?: ReadonlyMap<string, IntakeDefinition>;
  /** Whose tokens the edge takes, by `iss`; absent: nobody's. */
  readonly issuers?: ReadonlyMap<string, TokenIssuer>;
}

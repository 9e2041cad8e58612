/**
 * The resource: the fold of one stream, and what controllers, lists and reads see of it.
 */
import type { EventId, JsonObject, TenantId } from "../kernel/index.js";
import type { Finalizers, Lifecycle } from "./event.js";

/** Where a resource stands, in one word. */
export type Phase = "Pending" | "Progressing" | "Ready" | "Failed" | "Deleting" | "Deleted";

/**
 * One condition in the form that Kubernetes uses, unique by (component, type). Types `Ready`, `Stalled`, `Rejected`
 * and `OutcomeUnknown` are the runtime's own. Every event of a component states all of its conditions: those it does not repeat are gone.
 */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase word for machines. */
  readonly reason: string;
  /** One sentence for people; no personal data. */
  readonly message: string;
  /** Who says so: a controller, `runtime`, or `dead-letter:<controller>`. */
  readonly component: string;
  readonly observedGeneration: number;
  /** RFC 3339 UTC. */
  readonly lastTransitionTime: string;
}

/** Why an effect failed, is unknown or was given up: a code, and a sentence without payloads. */
export interface EffectFailure {
  readonly code: string;
  readonly message: string;
}

/** An outside call that a controller asked for; of `result` and `failure` those that its state has. */
export interface EffectState {
  /** Id of the ask. */
  readonly id: EventId;
  readonly controller: string;
  readonly worker: string;
  /** `unknown`: held until somebody decides. `dead`: a dead letter, which is pending for the controller. */
  readonly state: "pending" | "dead" | "unknown" | "ok" | "failed";
  readonly result?: JsonObject;
  readonly failure?: EffectFailure;
}

/** The effects of a life by their keys: hashes of controller, worker and input. */
export type Effects = Readonly<Record<string, EffectState>>;

/** The fold of a stream up to and with `version`. Frozen, all the way down. */
export interface Resource<Spec = JsonObject, Status = JsonObject> {
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** Version of the last event folded. */
  readonly version: number;
  /** Position of the last event folded. */
  readonly position: number;
  /** Number of spec-bearing events folded. */
  readonly generation: number;
  readonly lifecycle: Lifecycle;
  readonly phase: Phase;
  readonly spec: Spec;
  /** Status by controller name. */
  readonly status: Status;
  readonly finalizers: Finalizers;
  readonly conditions: readonly Condition[];
  /** What controllers have asked of workers since the resource was created. */
  readonly effects: Effects;
  /** Ids of what the controllers have emitted in the current generation. */
  readonly emits: readonly string[];
  /** How often each controller has decided something new in the current generation. */
  readonly reconciles: Readonly<Record<string, number>>;
  /** Names of the controllers that the current generation waits for: expected(g) of DESIGN §13.3. */
  readonly expected: readonly string[];
  /** How the current generation ended, if it did. */
  readonly settled: "ready" | "deleted" | "rejected" | null;
  /** The spec-bearing event that opened the current generation; null before the first. */
  readonly origin: ResourceOrigin | null;
  /** RFC 3339 UTC, of the first and of the last event. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What derived events copy from the event that opened the generation, plus what a reconcile may see of it. */
export interface ResourceOrigin {
  readonly id: string;
  readonly type: string;
  readonly spec: JsonObject;
  readonly correlationId: string;
  readonly version: number;
  readonly recordedAt: string;
  readonly traceparent: string | null;
  /** Copied unchanged into derived events; never shown to controllers. */
  readonly causedByText: string;
}

/**
 * The event: what is stored, hashed, signed and sent.
 *
 * Three shapes of one thing: a {@link DraftEvent} has everything that its maker decides; a {@link StoredEvent} has also
 * what the store adds (version, position, recordedAt, hash) and decodes its payloads lazily; {@link Event} is the plain
 * JSON that leaves the system.
 */
import type { EventId, JsonObject, SigningKeyId, TenantId } from "../kernel/index.js";

/** `intent`: somebody wants something. `fact`: something is so. `internal`: a step of a controller. */
export type EventKind = "intent" | "fact" | "internal";

/** The place of a resource in its life. `none`: a stream without a spec-bearing event. */
export type Lifecycle = "none" | "live" | "deleting" | "deleted";

/** A controller's mark: whether its part of the given generation is done. */
export interface Finalizer {
  readonly completed: boolean;
  readonly observedGeneration: number;
}
/** Finalizers by controller name. */
export type Finalizers = Readonly<Record<string, Finalizer>>;

/** Who asked and who allowed it; stamped by the edge, copied unchanged into derived events. */
export interface CausedBy {
  readonly principal: { readonly type: string; readonly id: string };
  /** How the request came: `http`, `embedded`, `source:<name>`, `system`. */
  readonly via: string;
  readonly requestId: string;
  /** The ruling that allowed it, and the policy set that ruled. */
  readonly rulingId: string;
  readonly policySetHash: string;
  readonly policies: readonly string[];
  /** Name of the edge process. The key that it signed with is named by the proof. */
  readonly edge: string;
  /** The API key that was shown; null when none was. */
  readonly keyId: string | null;
  /** RFC 3339 UTC. */
  readonly at: string;
}

/** How a derived event was decided; enough to decide again. */
export interface DecisionStamp {
  /** Controller name, or a runtime component such as `runtime` or `dead-letter:<controller>`. */
  readonly component: string;
  /** Version of the last event folded into the resource that was decided on. */
  readonly basisVersion: number;
  /** Index of this event in its append. */
  readonly step: number;
  /** `ctx.now` of the reconcile, RFC 3339 UTC with microseconds. */
  readonly now: string;
  /** Ids of what it emitted. */
  readonly emits?: readonly string[];
  /** Other resources that were looked at, by `<aggregateType>/<aggregateId>`, with the version seen; 0: there was none. */
  readonly lookups?: Readonly<Record<string, number>>;
}

/** What the maker of an event decides. Payloads are the exact JSON text that is hashed and stored. */
export interface DraftEvent {
  readonly id: EventId;
  readonly tenantId: TenantId;
  readonly kind: EventKind;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly schemaVersion: number;
  /** JSON object text, UTF-8, without NUL; `{}` when empty. */
  readonly specText: string;
  readonly statusText: string;
  readonly finalizersText: string;
  readonly source: string | null;
  readonly causedByText: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly decision: DecisionStamp | null;
  readonly keyRefsText: string | null;
  /** RFC 3339 UTC with microseconds (normalized by the factory); null when the publisher supplied none. */
  readonly occurredAt: string | null;
  readonly traceparent: string | null;
}

/** What the store adds. */
export interface StoredFields {
  /** Place in the stream, from 1. */
  readonly version: number;
  /** Place in the tenant's log, from 1. */
  readonly position: number;
  /** Number of spec-bearing events of the stream up to and with this one. Not hashed. */
  readonly generation: number;
  /** Not hashed. */
  readonly lifecycle: Lifecycle;
  /** Microseconds since 1970; never smaller than that of the position before. */
  readonly recordedAtUs: number;
  readonly logEpoch: number;
  /** The stored bytes of its proof, see proof.ts: hashed into the chain. */
  readonly proof: Uint8Array;
  /** The proof of its commit, which the first event of the commit keeps for all. */
  readonly commitProof: Uint8Array;
  /** 32 bytes each. */
  readonly hash: Uint8Array;
  readonly previousHash: Uint8Array;
}

/** One row of the log, as the adapters give it. */
export type EventRow = DraftEvent & StoredFields;

/** The event as JSON. */
export interface Event<Spec = JsonObject, Status = JsonObject> {
  readonly id: EventId;
  readonly tenantId: TenantId;
  readonly kind: EventKind;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly position: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly spec: Spec;
  readonly status: Status;
  readonly finalizers: Finalizers;
  readonly source?: string;
  readonly causedBy: CausedBy;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly decision?: DecisionStamp;
  readonly keyRefs?: Readonly<Record<string, string>>;
  readonly occurredAt?: string;
  /** RFC 3339 UTC, microseconds. */
  readonly recordedAt: string;
  readonly traceparent?: string;
  /** Lower-case hex, 64 characters. */
  readonly hash: string;
  readonly previousHash: string;
  readonly logEpoch: number;
}

/** The signature over the Merkle root of one tenant's digests in one commit, with this event's path to it. */
export interface Proof {
  readonly keyId: SigningKeyId;
  /** Leaf number, from 0. */
  readonly index: number;
  /** Leaves in the tree, from 1. */
  readonly size: number;
  /** Sibling hashes from the leaf to the root, 32 bytes each. */
  readonly path: readonly Uint8Array[];
  /** 64 bytes, Ed25519. */
  readonly signature: Uint8Array;
}

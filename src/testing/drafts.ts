/** Valid events for tests, without an application: intents, facts, system facts and derived events, and their proofs. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type DraftEvent, eventDigest, signCommit } from "../event/index.js";
import {
  type EventId,
  type Signer,
  type SigningKeyId,
  systemIds,
  type TenantId,
  type Tier,
  uuid5,
  uuid8,
} from "../kernel/index.js";
import type { Append, AppendItem, SignedAppend } from "../store/index.js";

/** A signer whose public key the test may see. */
export interface TestSigner extends Signer {
  readonly publicKey: KeyObject;
}

/** A signer with a new Ed25519 key. */
export function createTestSigner(tier: Tier): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return {
    // uuid8 makes a UUID, and a key id is one.
    keyId: uuid8("eventplane.key.v1", x) as SigningKeyId,
    tier,
    publicKey,
    sign: (message) => sign(null, message, privateKey),
  };
}

/** A new random tenant. */
export function newTenantId(): TenantId {
  // A UUID is all that a tenant id is.
  return systemIds.uuid4() as TenantId;
}

/** A new random event id. */
export function newEventId(): EventId {
  // A UUID is all that an event id is.
  return systemIds.uuid7() as EventId;
}

/** A new id of the form that derived events have. */
export function newDerivedId(tenantId: TenantId): EventId {
  // A UUID is all that an event id is.
  return uuid5(tenantId, Buffer.from(systemIds.uuid4(), "utf8")) as EventId;
}

/** Everything of a draft may be given; the tenant must be. */
export type DraftParts = Partial<DraftEvent> & Pick<DraftEvent, "tenantId">;

const causedBy = {
  principal: { type: "apiKey", id: "test" },
  via: "embedded",
  requestId: "00000000-0000-4000-8000-000000000001",
  rulingId: "00000000-0000-4000-8000-000000000002",
  policySetHash: "0".repeat(64),
  policies: ["test"],
  edge: "test",
  keyId: "00000000-0000-8000-8000-000000000003",
  at: "2026-01-01T00:00:00.000000Z",
};

/** An intent `organization.create` on a stream of its own, changed by `parts`. */
export function draftIntent(parts: DraftParts): DraftEvent {
  const id = parts.id ?? newEventId();
  return {
    id,
    kind: "intent",
    aggregateType: "organization",
    aggregateId: id,
    type: "organization.create",
    schemaVersion: 1,
    specText: '{"name":"Acme"}',
    statusText: "{}",
    finalizersText: "{}",
    source: null,
    causedByText: JSON.stringify(causedBy),
    correlationId: id,
    causationId: null,
    decision: null,
    keyRefsText: null,
    occurredAt: null,
    traceparent: null,
    ...parts,
  };
}

/** A system fact `refusal.recorded`, changed by `parts`. */
export function draftSystemFact(parts: DraftParts): DraftEvent {
  return draftIntent({ kind: "fact", aggregateType: "refusal", type: "refusal.recorded", ...parts });
}

/** A derived fact of component `quota` on the stream of `origin`, changed by `parts`. */
export function draftDerived(origin: DraftEvent, parts: Partial<DraftEvent> = {}): DraftEvent {
  return {
    ...origin,
    id: newDerivedId(origin.tenantId),
    kind: "fact",
    type: `${origin.aggregateType}.create.quota`,
    specText: "{}",
    statusText: '{"quota":{"members":25}}',
    finalizersText: '{"quota":{"completed":true,"observedGeneration":1}}',
    source: null,
    causationId: origin.id,
    keyRefsText: null,
    occurredAt: null,
    decision: { component: "quota", basisVersion: 1, step: 0, now: "2026-01-01T00:00:01.000000Z" },
    ...parts,
  };
}

/** An intent `project.create` that controller `quota` emits while it decides on the stream of `origin`, changed by `parts`. */
export function draftEmitted(origin: DraftEvent, parts: Partial<DraftEvent> = {}): DraftEvent {
  return draftDerived(origin, {
    kind: "intent",
    aggregateType: "project",
    aggregateId: "web",
    type: "project.create",
    statusText: "{}",
    finalizersText: "{}",
    decision: { component: "emit:quota", basisVersion: 1, step: 0, now: "2026-01-01T00:00:01.000000Z" },
    ...parts,
  });
}

/** An item that creates its resource. */
export function creating(event: DraftEvent, options: Partial<AppendItem> = {}): AppendItem {
  return { event, effect: "creates", expectedVersion: "any", ...options };
}

/** An item of any effect, `updates` by default, with expectedVersion `any`. */
export function appending(event: DraftEvent, options: Partial<AppendItem> = {}): AppendItem {
  return { event, effect: "updates", expectedVersion: "any", ...options };
}

/** An append of these items, in the tenant of the first. */
export function appendOf(...items: readonly [AppendItem, ...AppendItem[]]): Append {
  return { tenantId: items[0].event.tenantId, items };
}

/** The append with proofs of its own, as the coalescer would sign it alone. */
export function signAppend(signer: Signer, append: Append): SignedAppend {
  const digests = append.items.map(({ event }) => eventDigest(event));
  return { ...append, commitProof: signCommit(signer, digests), firstLeaf: 0 };
}

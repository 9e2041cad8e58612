/**
 * Content, digest and chain hash of an event, version 1.
 *
 * Exactly the definitions of docs/reference/proofs.md; test vectors in docs/reference/vectors.json; the same bytes are
 * computed again inside PostgreSQL and in scripts/verify-vectors.py.
 */
import { assert, fields, i64be, parseUs, sha256, type TenantId, uuidBytes } from "../kernel/index.js";
import type { DraftEvent, StoredFields } from "./event.js";

const utf8 = (text: string): Buffer => Buffer.from(text, "utf8");
const optionalText = (text: string | null): Buffer | undefined => (text === null ? undefined : utf8(text));
/** JSON enters as the hash of its stored bytes. */
const json = (text: string): Buffer => sha256(text);
const optionalJson = (value: unknown): Buffer | undefined =>
  value === undefined || value === null ? undefined : json(typeof value === "string" ? value : JSON.stringify(value));

function timeBytes(text: string): Buffer {
  const us = parseUs(text);
  assert(us !== undefined, `not an RFC 3339 time: ${text}`);
  return i64be(us);
}

/** What P5 compares: the identity and the wish of an event, 32 bytes. */
export function contentHash(event: DraftEvent): Buffer {
  return sha256(
    "eventplane.content.v1\n",
    fields([
      uuidBytes(event.tenantId),
      uuidBytes(event.id),
      utf8(event.kind),
      utf8(event.type),
      utf8(event.aggregateType),
      utf8(event.aggregateId),
      optionalText(event.source),
      uuidBytes(event.correlationId),
      event.causationId === null ? undefined : uuidBytes(event.causationId),
      event.occurredAt === null ? undefined : timeBytes(event.occurredAt),
      json(event.specText),
    ]),
  );
}

/** What the proof signs: content and everything else that the maker decided, 32 bytes. */
export function eventDigest(event: DraftEvent): Buffer {
  const { decision } = event;
  return sha256(
    "eventplane.digest.v1\n",
    contentHash(event),
    fields([
      i64be(event.schemaVersion),
      optionalJson(event.keyRefsText),
      json(event.statusText),
      json(event.finalizersText),
      decision === null ? undefined : utf8(decision.component),
      decision === null ? undefined : i64be(decision.basisVersion),
      decision === null ? undefined : i64be(decision.step),
      decision === null ? undefined : timeBytes(decision.now),
      optionalJson(decision?.emits),
      optionalJson(decision?.lookups),
      optionalText(event.traceparent),
      json(event.causedByText),
    ]),
  );
}

/** The link of the chain, 32 bytes. `digest` is {@link eventDigest} of the same event. */
export function chainHash(stored: Omit<StoredFields, "hash" | "generation" | "lifecycle">, digest: Uint8Array): Buffer {
  return sha256(
    "eventplane.chain.v1\n",
    stored.previousHash,
    i64be(stored.position),
    i64be(stored.version),
    i64be(stored.recordedAtUs),
    digest,
    sha256(stored.proof),
  );
}

/** `previousHash` of position 1, 32 bytes. */
export function genesisHash(tenantId: TenantId, logEpoch: number): Buffer {
  return sha256("eventplane.genesis.v1\n", uuidBytes(tenantId), i64be(logEpoch));
}

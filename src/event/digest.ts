/**
 * Content, digest and chain hash of an event, version 1.
 *
 * Exactly the definitions of docs/reference/proofs.md; test vectors in docs/reference/vectors.json; the same bytes are
 * computed again inside PostgreSQL and in scripts/verify-vectors.py.
 */
import { assert, i64be, parseUs, sha256, type TenantId, uuidBytes } from "../kernel/index.js";
import type { DraftEvent, StoredFields } from "./event.js";
import { FieldWriter } from "./field-writer.js";

/** Reused: digests are computed synchronously, one after the other. */
const writer = new FieldWriter();

function timeUs(text: string): number {
  const us = parseUs(text);
  assert(us !== undefined, `not an RFC 3339 time: ${text}`);
  return us;
}

const orNull = <Value, Result>(value: Value | null | undefined, map: (value: Value) => Result): Result | null =>
  value === null || value === undefined ? null : map(value);

/** What P5 compares: the identity and the wish of an event, 32 bytes. */
export function contentHash(event: DraftEvent): Buffer {
  return writer
    .start("eventplane.content.v1\n")
    .uuid(event.tenantId)
    .uuid(event.id)
    .text(event.kind)
    .text(event.type)
    .text(event.aggregateType)
    .text(event.aggregateId)
    .text(event.source)
    .uuid(event.correlationId)
    .uuid(event.causationId)
    .integer(orNull(event.occurredAt, timeUs))
    .json(event.specText)
    .digest();
}

/** What the proof signs: content and everything else that the maker decided, 32 bytes. */
export function eventDigest(event: DraftEvent): Buffer {
  const content = contentHash(event);
  const { decision } = event;
  return writer
    .start("eventplane.digest.v1\n")
    .raw(content)
    .integer(event.schemaVersion)
    .json(event.keyRefsText)
    .json(event.statusText)
    .json(event.finalizersText)
    .text(decision?.component ?? null)
    .integer(decision?.basisVersion ?? null)
    .integer(decision?.step ?? null)
    .integer(orNull(decision?.now, timeUs))
    .json(orNull(decision?.emits, (value) => JSON.stringify(value)))
    .json(orNull(decision?.lookups, (value) => JSON.stringify(value)))
    .text(event.traceparent)
    .sharedJson(event.causedByText)
    .digest();
}

/** The link of the chain, 32 bytes. `digest` is {@link eventDigest} of the same event. */
export function chainHash(
  stored: Pick<StoredFields, "previousHash" | "position" | "version" | "recordedAtUs" | "proof">,
  digest: Uint8Array,
): Buffer {
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

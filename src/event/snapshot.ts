/**
 * Snapshots: the fold of a long stream at one of its versions, signed by the runtime that verified and folded every
 * event up to there, so that nobody has to do it again (DESIGN §3 "Fold").
 */
import {
  fields,
  i64be,
  isEventplaneError,
  type Signer,
  type SigningKeyId,
  sha256,
  type TenantId,
  uuidBytes,
} from "../kernel/index.js";
import type { AggregateDefinition } from "./definitions.js";
import { chainHash, eventDigest } from "./digest.js";
import type { EventRow } from "./event.js";
import type { KeyDirectory } from "./key-directory.js";
import { deepFreeze } from "./merge-patch.js";
import type { Resource } from "./resource.js";

/** What is signed, but for the state. */
interface SnapshotPlace {
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** Version of the last event folded. */
  readonly version: number;
  readonly generation: number;
  /** Chain hash of that event, 32 bytes: it stands for the tenant's whole log up to there. */
  readonly eventHash: Uint8Array;
  /** {@link foldDigest} of the aggregate as it was folded, 32 bytes. */
  readonly foldDigest: Uint8Array;
}

/** A signed snapshot as it is stored. */
export interface Snapshot extends SnapshotPlace {
  /** The resource as JSON text. */
  readonly stateText: string;
  readonly keyId: SigningKeyId;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Why a snapshot is not believed. `fold`: the aggregate folds otherwise now. `key`: its key is not known, has ended, or is
 * of another tier. `signature`: place, state or signature is not what that key signed. `log`: the log has another event at
 * its version, or none.
 */
export type SnapshotFault = "fold" | "key" | "signature" | "log";

/**
 * Raise it with every change of `fold.ts` that makes another resource of the same events: snapshots made before are then
 * refused. src/event/snapshot.test.ts notices.
 */
const foldFormat = 3;

const digests = new WeakMap<AggregateDefinition, Buffer>();

/**
 * What the fold of an aggregate depends on, 32 bytes: how each intent folds and what it does to the life. Of a fold of its
 * own, and of upcasters, it is the text of the functions and the schemaVersion, which is to be raised when something that the function calls
 * has changed.
 *
 * @param aggregate undefined for types that the app does not declare (any more)
 */
export function foldDigest(aggregate: AggregateDefinition | undefined): Buffer {
  if (aggregate === undefined) return sha256(`eventplane.fold.v${foldFormat}\n`);
  const known = digests.get(aggregate);
  if (known !== undefined) return known;
  const intents = [...aggregate.intents.values()]
    .map(({ type, effect, fold, schemaVersion, upcasters = [] }) => [
      type,
      effect,
      schemaVersion,
      String(fold),
      ...[...upcasters].map(([from, upcast]) => `${from} ${String(upcast)}`),
    ])
    .sort(([one = ""], [other = ""]) => (one < other ? -1 : 1));
  const digest = sha256(`eventplane.fold.v${foldFormat}\n`, JSON.stringify([aggregate.name, intents]));
  digests.set(aggregate, digest);
  return digest;
}

/** Signs the fold of verified events. `row` is the last of them. */
export function takeSnapshot(
  signer: Signer,
  { resource, row, foldDigest: digest }: SnapshotPart & { readonly foldDigest: Uint8Array },
): Snapshot {
  const { tenantId, aggregateType, aggregateId, version, generation } = resource;
  const eventHash = chainHash(row, eventDigest(row));
  const place = { tenantId, aggregateType, aggregateId, version, generation, eventHash, foldDigest: digest };
  const stateText = JSON.stringify(resource);
  return { ...place, stateText, keyId: signer.keyId, signature: signer.sign(snapshotMessage(place, stateText)) };
}

/** A fold and the event at its version. */
interface SnapshotPart {
  readonly resource: Resource;
  readonly row: EventRow;
}

/** What a snapshot is held against. */
export interface SnapshotCheck {
  readonly directory: KeyDirectory;
  /** {@link foldDigest} of the aggregate as it folds now. */
  readonly foldDigest: Uint8Array;
  /** Microseconds since 1970: a key that has ended signs for no snapshot any more. */
  readonly nowUs: number;
  /** The verified event of the stream at the snapshot's version; undefined when the log has none. */
  readonly row: EventRow | undefined;
}

/** The resource that a snapshot holds, or why it is not believed. Nothing of it is looked at before its signature. */
export function openSnapshot(snapshot: Snapshot, check: SnapshotCheck): Resource | SnapshotFault {
  if (!sameBytes(snapshot.foldDigest, check.foldDigest)) return "fold";
  const key = runtimeKey(snapshot.keyId, check);
  if (key === undefined) return "key";
  if (!key.check(snapshotMessage(snapshot, snapshot.stateText), snapshot.signature)) return "signature";
  const { row } = check;
  if (row?.version !== snapshot.version || !sameBytes(snapshot.eventHash, chainHash(row, eventDigest(row))))
    return "log";
  return deepFreeze(JSON.parse(snapshot.stateText) as Resource); // the runtime signed the text of one
}

function runtimeKey(
  keyId: SigningKeyId,
  { directory, nowUs }: SnapshotCheck,
): ReturnType<KeyDirectory["get"]> | undefined {
  try {
    const key = directory.get(keyId);
    return key.introduction.tier === "runtime" && key.fromUs <= nowUs && nowUs < key.toUs ? key : undefined;
  } catch (error) {
    if (isEventplaneError(error, "key_unknown")) return undefined;
    throw error;
  }
}

function snapshotMessage(place: SnapshotPlace, stateText: string): Buffer {
  const { tenantId, aggregateType, aggregateId, version, generation, eventHash, foldDigest: digest } = place;
  const text = (value: string): Buffer => Buffer.from(value, "utf8");
  return Buffer.concat([
    text("eventplane.snapshot.v1\n"),
    fields([
      uuidBytes(tenantId),
      text(aggregateType),
      text(aggregateId),
      i64be(version),
      i64be(generation),
      eventHash,
      digest,
      sha256(stateText),
    ]),
  ]);
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

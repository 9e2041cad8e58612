/**
 * Verification of events: that the right key of the right tier signed exactly these bytes, and that the chain holds.
 */
import {
  type ErrorDetails,
  EventplaneError,
  LruMap,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
} from "../kernel/index.js";
import { derivedEventId } from "./derived.js";
import { chainHash, eventDigest, genesisHash } from "./digest.js";
import { effectResultId, workerOfComponent } from "./effects.js";
import { emittedEventId, emitterOfComponent } from "./emits.js";
import type { EventRow } from "./event.js";
import { type KeyIntroduction, parseIntroduction } from "./introduction.js";
import type { KeyDirectory } from "./key-directory.js";
import { isJsonObject } from "./merge-patch.js";
import { type CommitProof, holdsDigest, readProof, signedMessage } from "./proof.js";
import { parseStored } from "./stored-json.js";

/** Verifies rows against one key directory. */
export interface Verifier {
  /**
   * Digest, path, signature; the key is introduced and its tier, kinds and time fit the event; a derived event has the id
   * that its origin, component, basis and step give. `signing-key.introduced` must carry the root key's proof.
   *
   * @throws EventplaneError `verification_failed`, `key_unknown`, `event_corrupt`, each with tenant and position
   */
  verify(row: EventRow): void;
}

const introducedType = "signing-key.introduced";
const rootsCachedDefault = 4_096;

/**
 * A verifier that checks each signature once: events of one commit share it.
 *
 * @param options.rootsCachedMax verified signatures remembered, about 200 bytes each; default 4,096
 */
export function createVerifier(directory: KeyDirectory, options: { readonly rootsCachedMax?: number } = {}): Verifier {
  const verified = new LruMap<string, true>(options.rootsCachedMax ?? rootsCachedDefault);
  return {
    verify(row) {
      const proof = readProof(row);
      const introduction = proof.keyId === directory.rootKeyId ? introductionOf(row) : undefined;
      const check: SignatureCheck =
        introduction === undefined ? checkForKey(directory, row, proof) : (...signed) => directory.checkRoot(...signed);
      checkDerivedId(row);
      const digest = eventDigest(row);
      if (!holdsDigest(proof, digest)) throw failed(row, "the proof of its commit does not hold its digest");
      const signed = signedKey(proof, digest);
      if (verified.get(signed) !== true) {
        if (!check(signedMessage(proof, digest), proof.signature))
          throw failed(row, `it does not carry the signature of key ${proof.keyId}`);
        verified.set(signed, true);
      }
      if (introduction !== undefined) directory.accept(introduction, row.position);
    },
  };
}

/** Names what a signature was checked over: the leaves of a commit, or the digest of its only event. */
function signedKey({ keyId, signature, leaves, size }: CommitProof, digest: Uint8Array): string {
  const over = size === 1 ? digest : sha256(leaves);
  return keyId + Buffer.concat([signature, over]).toString("latin1");
}

/** The end of the chain so far. */
export interface ChainLink {
  readonly tenantId: TenantId;
  readonly logEpoch: number;
  readonly position: number;
  readonly hash: Uint8Array;
  readonly recordedAtUs: number;
}

/**
 * Checks that the row is the next one of the tenant's chain and that its hash is its own; undefined for position 1.
 *
 * Give the rows of a tenant in position order; the result is the `previous` of the next one. Says nothing of proofs.
 *
 * @throws EventplaneError `verification_failed` naming tenant and position
 */
export function verifyLink(row: EventRow, previous: ChainLink | undefined): ChainLink {
  if (previous !== undefined && row.tenantId !== previous.tenantId) throw failed(row, "it is of another tenant");
  if (previous !== undefined && row.logEpoch !== previous.logEpoch)
    throw failed(row, "it is of another epoch of the log");
  const position = (previous?.position ?? 0) + 1;
  if (row.position !== position) throw failed(row, `position ${position} is missing or out of order`);
  const previousHash = previous?.hash ?? genesisHash(row.tenantId, row.logEpoch);
  if (!sameBytes(row.previousHash, previousHash)) throw failed(row, "it does not continue the chain");
  if (previous !== undefined && row.recordedAtUs < previous.recordedAtUs)
    throw failed(row, "it was recorded before its predecessor");
  if (!sameBytes(row.hash, chainHash(row, eventDigest(row))))
    throw failed(row, "its bytes are not those that were hashed");
  const { tenantId, logEpoch, hash, recordedAtUs } = row;
  return { tenantId, logEpoch, position, hash, recordedAtUs };
}

type SignatureCheck = (message: Uint8Array, signature: Uint8Array) => boolean;

/** The only thing that the root key proves. */
function introductionOf(row: EventRow): KeyIntroduction {
  if (row.type !== introducedType || row.kind !== "fact" || row.decision !== null) {
    throw failed(row, "the root key signs introductions of keys only");
  }
  if (row.tenantId !== PLATFORM_TENANT_ID) throw failed(row, "keys are introduced in the platform's log only");
  const spec = parseStored(row.specText, row);
  const introduction = isJsonObject(spec) ? parseIntroduction(spec) : undefined;
  if (introduction?.keyId !== row.aggregateId) throw failed(row, "it introduces another key than its stream names");
  return introduction;
}

function checkForKey(directory: KeyDirectory, row: EventRow, proof: CommitProof): SignatureCheck {
  const { introduction, fromUs, toUs, check } = directory.get(proof.keyId);
  const { tier } = introduction;
  if (row.type === introducedType) throw failed(row, "only the root key introduces keys");
  const fits = row.decision === null ? tier === "edge" || tier === "operator" : tier === "runtime";
  if (!fits)
    throw failed(row, `a key of tier ${tier} may not make ${row.decision === null ? "undecided" : "derived"} events`);
  if (!introduction.kinds.includes(row.kind))
    throw failed(row, `key ${proof.keyId} may not make events of kind ${row.kind}`);
  if (row.recordedAtUs < fromUs || row.recordedAtUs >= toUs)
    throw failed(row, `key ${proof.keyId} was not valid when it was recorded`);
  return check;
}

/** Nobody can occupy or forge a derived id: it follows from what the event says of itself. */
function checkDerivedId(row: EventRow): void {
  if (row.decision === null) return;
  const { component, basisVersion, step } = row.decision;
  const { tenantId, causationId } = row;
  if (causationId === null) throw failed(row, "a derived event needs a cause");
  const isEmitted = emitterOfComponent(component) !== undefined;
  // Who may do what is the platform's own: no controller decides on it.
  if (row.kind === "intent" && (!isEmitted || tenantId === PLATFORM_TENANT_ID))
    throw failed(row, "a derived intent is emitted by a controller, and never into the platform's log");
  const worker = workerOfComponent(component);
  const id = isEmitted
    ? emittedEventId({ ...row, originId: causationId, component })
    : worker === undefined
      ? derivedEventId({ tenantId, originId: causationId, component, basisVersion, step })
      : effectResultId(tenantId, causationId, worker);
  if (id !== row.id) throw failed(row, "its id does not follow from its decision");
}

function failed(row: EventRow, why: string): EventplaneError {
  const details: ErrorDetails = { tenantId: row.tenantId, position: row.position, eventId: row.id };
  return new EventplaneError(
    "verification_failed",
    `Event ${row.id} at position ${row.position} of tenant ${row.tenantId} does not verify: ${why}.`,
    { details },
  );
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

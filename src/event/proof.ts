/**
 * Proofs: one Ed25519 signature over the Merkle root of one tenant's digests in one call.
 *
 * The proof of a commit is kept once, by the first of its events; the others say which leaf they are and how far back it is
 * (docs/adr/0013-what-a-commit-shares-is-kept-once.md).
 *
 * - of a commit: keyId (16) ‖ signature (64) ‖ leaves (32 each; none when there is a single one)
 * - stored with an event: index u16be ‖ back u16be, then, where back is 0, the proof of its commit
 */
import { assert, EventplaneError, type Signer, type SigningKeyId, uuidBytes, uuidFromBytes } from "../kernel/index.js";
import type { Proof, StoredFields } from "./event.js";
import { leafHash, merklePath, merkleRoot, rootFromPath } from "./merkle.js";

const keyIdBytes = 16;
const signatureBytes = 64;
const hashBytes = 32;
const headerBytes = keyIdBytes + signatureBytes;
const referenceBytes = 4;

/** What is signed: domain and root. */
export function commitMessage(root: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("eventplane.commit.v1\n", "utf8"), root]);
}

/** Signs the digests of one tenant in one call, at least one: the proof of their commit, in which they are the leaves 0, 1, 2 … */
export function signCommit(signer: Signer, digests: readonly Uint8Array[]): Uint8Array {
  const leaves = digests.map(leafHash);
  const signature = signer.sign(commitMessage(merkleRoot(leaves)));
  return Buffer.concat([uuidBytes(signer.keyId), signature, ...(leaves.length === 1 ? [] : leaves)]);
}

/** The stored bytes of the proof of leaf `index`, `back` positions after the event that keeps the commit's proof. */
export function storedProof(commitProof: Uint8Array, place: { readonly index: number; readonly back: number }): Buffer {
  const reference = Buffer.allocUnsafe(referenceBytes);
  reference.writeUInt16BE(place.index, 0);
  reference.writeUInt16BE(place.back, 2);
  return place.back === 0 ? Buffer.concat([reference, commitProof]) : reference;
}

/** How many positions before an event its commit's proof is kept; 0 is with the event itself. */
export function proofBack(stored: Uint8Array): number {
  return stored.byteLength < referenceBytes ? 0 : viewOf(stored).readUInt16BE(2);
}

/** The proof of the commit out of the stored bytes of the event that keeps it. */
export function keptCommitProof(stored: Uint8Array): Uint8Array {
  return stored.subarray(referenceBytes);
}

/** The proof of a commit, read. */
export interface CommitProof {
  readonly keyId: SigningKeyId;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** 32 bytes each, one after the other; empty when the tree has a single leaf. */
  readonly leaves: Uint8Array;
  /** Leaves of the tree, from 1. */
  readonly size: number;
  /** The leaf of the event. */
  readonly index: number;
}

/**
 * The parts of a row's proof.
 *
 * @throws EventplaneError `event_corrupt` when the bytes are not a proof
 */
export function readProof({ proof, commitProof }: Pick<StoredFields, "proof" | "commitProof">): CommitProof {
  // What the event keeps itself is what was hashed.
  const commit = viewOf(proofBack(proof) === 0 ? keptCommitProof(proof) : commitProof);
  const leafBytes = commit.byteLength - headerBytes;
  const size = leafBytes === 0 ? 1 : leafBytes / hashBytes;
  const index = proof.byteLength < referenceBytes ? size : viewOf(proof).readUInt16BE(0);
  if (leafBytes < 0 || leafBytes === hashBytes || !Number.isInteger(size) || index >= size) {
    const bytes = `${proof.byteLength} and ${commit.byteLength} bytes`;
    throw new EventplaneError(
      "event_corrupt",
      `A stored proof and that of its commit have ${bytes}, which no proof has.`,
    );
  }
  return {
    keyId: uuidFromBytes(commit.subarray(0, keyIdBytes)) as SigningKeyId, // 16 bytes are always a UUID in form
    signature: commit.subarray(keyIdBytes, headerBytes),
    leaves: commit.subarray(headerBytes),
    size,
    index,
  };
}

/** Whether the tree has this digest at the proof's leaf. */
export function holdsDigest({ leaves, size, index }: CommitProof, digest: Uint8Array): boolean {
  if (size === 1) return true;
  return leafHash(digest).equals(leaves.subarray(index * hashBytes, (index + 1) * hashBytes));
}

/** What the key of the proof has signed, if the tree holds `digest`. */
export function signedMessage({ leaves, size }: CommitProof, digest: Uint8Array): Buffer {
  return commitMessage(size === 1 ? leafHash(digest) : merkleRoot(leavesOf(leaves)));
}

/**
 * The proof with its own path from the leaf to the root: all that one event needs without the others of its commit.
 *
 * @throws EventplaneError `event_corrupt` when the stored bytes are not a proof
 */
export function proofWithPath(row: Pick<StoredFields, "proof" | "commitProof">): Proof {
  const { keyId, signature, leaves, size, index } = readProof(row);
  return { keyId, signature, index, size, path: size === 1 ? [] : merklePath(leavesOf(leaves), index) };
}

/** The signed message that a digest and its path lead to; undefined when the path does not fit. */
export function provenMessage(digest: Uint8Array, proof: Pick<Proof, "index" | "size" | "path">): Buffer | undefined {
  const root = rootFromPath(leafHash(digest), proof);
  return root === undefined ? undefined : commitMessage(root);
}

function leavesOf(leaves: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: leaves.byteLength / hashBytes }, (_, index) =>
    leaves.subarray(index * hashBytes, (index + 1) * hashBytes),
  );
}

function viewOf(bytes: Uint8Array): Buffer {
  assert(bytes instanceof Uint8Array, "a proof is bytes");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

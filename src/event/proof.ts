/**
 * Proofs: one Ed25519 signature over the Merkle root of one tenant's digests in one call, and each event's path to it.
 *
 * Stored bytes: keyId (16) ‖ index u32be ‖ size u32be ‖ signature (64) ‖ path (32 each).
 */
import { EventplaneError, type Signer, type SigningKeyId, uuidBytes, uuidFromBytes } from "../kernel/index.js";
import type { Proof } from "./event.js";
import { leafHash, merkleTree, rootFromPath } from "./merkle.js";

const headerBytes = 16 + 4 + 4 + 64;
const hashBytes = 32;
/** A tree of more leaves than a call may hold is no proof of ours. */
const pathLengthMax = 32;

/** What is signed: domain and root. */
export function commitMessage(root: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from("eventplane.commit.v1\n", "utf8"), root]);
}

/** Signs the digests of one tenant in one call once and gives the stored proof bytes of each, in the same order. */
export function signDigests(signer: Signer, digests: readonly Uint8Array[]): Uint8Array[] {
  const { root, paths } = merkleTree(digests.map(leafHash));
  const signature = signer.sign(commitMessage(root));
  return paths.map((path, index) => encodeProof({ keyId: signer.keyId, index, size: digests.length, path, signature }));
}

/** The stored bytes of a proof. */
function encodeProof(proof: Proof): Uint8Array {
  const place = Buffer.allocUnsafe(8);
  place.writeUInt32BE(proof.index, 0);
  place.writeUInt32BE(proof.size, 4);
  return Buffer.concat([uuidBytes(proof.keyId), place, proof.signature, ...proof.path]);
}

/**
 * The proof in its stored bytes.
 *
 * @throws EventplaneError `event_corrupt` when the bytes are not a proof
 */
export function decodeProof(stored: Uint8Array): Proof {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const pathBytes = bytes.byteLength - headerBytes;
  if (pathBytes < 0 || pathBytes % hashBytes !== 0 || pathBytes / hashBytes > pathLengthMax) {
    throw new EventplaneError("event_corrupt", `A stored proof has ${bytes.byteLength} bytes, which no proof has.`);
  }
  const path: Uint8Array[] = [];
  for (let at = headerBytes; at < bytes.byteLength; at += hashBytes) path.push(bytes.subarray(at, at + hashBytes));
  return {
    keyId: uuidFromBytes(bytes.subarray(0, 16)) as SigningKeyId, // 16 bytes are always a UUID in form
    index: bytes.readUInt32BE(16),
    size: bytes.readUInt32BE(20),
    signature: bytes.subarray(24, headerBytes),
    path,
  };
}

/** The signed message that a digest and its proof lead to; undefined when the path does not fit. */
export function provenMessage(digest: Uint8Array, proof: Proof): Buffer | undefined {
  const root = rootFromPath(leafHash(digest), proof);
  return root === undefined ? undefined : commitMessage(root);
}

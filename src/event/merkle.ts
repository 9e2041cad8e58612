/**
 * Merkle tree hashing, paths and verification as in RFC 6962 §2.1: leaf = H(00 ‖ data), node = H(01 ‖ left ‖ right),
 * a tree of n leaves splits at the largest power of two below n.
 */
import { hash } from "node:crypto";
import { assert, sha256 } from "../kernel/index.js";

const leafPrefix = Uint8Array.of(0);
const hashBytes = 32;
/** 01 ‖ left ‖ right, reused: an event costs two hashes on its way to a proof, and one-shot hashing is four times as fast. */
const nodeInput = new Uint8Array(1 + 2 * hashBytes);
nodeInput[0] = 1;
const leafInput = new Uint8Array(1 + hashBytes);

/** H(00 ‖ data). */
export function leafHash(data: Uint8Array): Buffer {
  if (data.byteLength !== hashBytes) return sha256(leafPrefix, data);
  leafInput.set(data, 1);
  return Buffer.from(hash("sha256", leafInput, "binary"), "latin1");
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  assert(left.byteLength === hashBytes && right.byteLength === hashBytes, "nodes of a Merkle tree have 32 bytes");
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashBytes);
  return Buffer.from(hash("sha256", nodeInput, "binary"), "latin1");
}

/** Root and one path per leaf, from the leaf upwards. `leaves` are leaf hashes; at least one. */
export function merkleTree(leaves: readonly Uint8Array[]): {
  root: Uint8Array;
  paths: readonly (readonly Uint8Array[])[];
} {
  assert(leaves.length > 0, "a Merkle tree has at least one leaf");
  const paths: Uint8Array[][] = leaves.map(() => []);
  const root = subtree(leaves, paths, 0, leaves.length);
  return { root, paths };
}

function subtree(leaves: readonly Uint8Array[], paths: Uint8Array[][], from: number, to: number): Uint8Array {
  if (to - from === 1) return leaves[from] as Uint8Array; // from < to <= leaves.length
  const middle = from + largestPowerOfTwoBelow(to - from);
  const left = subtree(leaves, paths, from, middle);
  const right = subtree(leaves, paths, middle, to);
  for (let index = from; index < to; index++) paths[index]?.push(index < middle ? right : left);
  return nodeHash(left, right);
}

function largestPowerOfTwoBelow(n: number): number {
  return 2 ** (31 - Math.clz32(n - 1));
}

/**
 * The root that a leaf hash and its path lead to (RFC 9162 §2.1.3.2).
 *
 * @returns undefined when index, size and path length do not fit together
 */
export function rootFromPath(
  leaf: Uint8Array,
  place: { readonly index: number; readonly size: number; readonly path: readonly Uint8Array[] },
): Uint8Array | undefined {
  if (place.index < 0 || place.index >= place.size) return undefined;
  let node = place.index;
  let last = place.size - 1;
  let hash = leaf;
  for (const sibling of place.path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : undefined;
}

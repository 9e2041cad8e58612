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

/** The root of a tree of these leaf hashes; at least one. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  assert(leaves.length > 0, "a Merkle tree has at least one leaf");
  return subtree(leaves, 0, leaves.length);
}

/** The siblings on the way from leaf `index` to the root, from the leaf upwards. */
export function merklePath(leaves: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  assert(index >= 0 && index < leaves.length, "a path begins at a leaf of the tree");
  const path: Uint8Array[] = [];
  for (let from = 0, to = leaves.length; to - from > 1; ) {
    const middle = from + largestPowerOfTwoBelow(to - from);
    const isLeft = index < middle;
    path.push(isLeft ? subtree(leaves, middle, to) : subtree(leaves, from, middle));
    if (isLeft) to = middle;
    else from = middle;
  }
  return path.reverse();
}

function subtree(leaves: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return leaves[from] as Uint8Array; // from < to <= leaves.length
  const middle = from + largestPowerOfTwoBelow(to - from);
  return nodeHash(subtree(leaves, from, middle), subtree(leaves, middle, to));
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

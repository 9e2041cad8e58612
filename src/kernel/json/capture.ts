/** Which members the scanner cuts out: a few pointer patterns as a small tree that is walked beside the value. */

import { assert } from "../errors.js";

/** One step of the tree. */
export interface CaptureNode {
  /** The value at this place is cut out. */
  readonly cut: boolean;
  /** The place, when no step `*` leads to it. */
  readonly pointer: string | undefined;
  readonly members: readonly { readonly name: string; readonly nameBytes: Uint8Array; readonly node: CaptureNode }[];
  /** The step `*`: every element of an array. */
  readonly element: CaptureNode | undefined;
}

const step = /^(?:\*|[\w-]{1,64})$/;

/**
 * Builds the tree of JSON pointers in which the step `*` stands for every element of an array; undefined when there are none.
 *
 * @throws EventplaneError `internal` when a name is not plain (`[A-Za-z0-9_-]`, at most 64) or one pointer lies inside another
 */
export function captureTree(patterns: readonly string[]): CaptureNode | undefined {
  if (patterns.length === 0) return undefined;
  const paths = patterns.map((pattern) => pattern.split("/").slice(1));
  return nodeOf(paths, "");
}

function nodeOf(paths: readonly (readonly string[])[], pointer: string | undefined): CaptureNode {
  const tails = new Map<string, string[][]>();
  for (const [head, ...rest] of paths) {
    if (head === undefined) continue;
    assert(step.test(head), "a capture pattern has plain names only");
    tails.set(head, [...(tails.get(head) ?? []), rest]);
  }
  const cut = paths.some((path) => path.length === 0);
  assert(!cut || tails.size === 0, "no capture pattern lies inside another");
  const elements = tails.get("*");
  tails.delete("*");
  return {
    cut,
    pointer,
    members: [...tails].map(([name, rest]) => ({
      name,
      nameBytes: Buffer.from(name),
      node: nodeOf(rest, pointer === undefined ? undefined : `${pointer}/${name}`),
    })),
    element: elements === undefined ? undefined : nodeOf(elements, undefined),
  };
}

/**
 * From the raw bytes of a body to a value that is safe to keep, with the exact bytes of chosen members.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import { EventplaneError, isEventplaneError } from "../errors.js";
import type { JsonValue } from "../json-types.js";
import { limits } from "../limits.js";
import { type CaptureNode, captureTree } from "./capture.js";
import { fault, faultError } from "./faults.js";
import { type Cut, JsonScanner, type ScannerOptions } from "./scanner.js";
import { firstInvalidUtf8 } from "./utf8.js";

/** Bounds and wishes of one scan. */
export interface ScanOptions {
  /** Nesting of objects and arrays; default 32. */
  readonly depthMax?: number;
  /** Objects, arrays and scalars outside of captured members; default 20,000. */
  readonly valuesMax?: number;
  /**
   * JSON pointers of the members to give back as text, where the step `*` stands for every element of an array:
   * `/spec`, or `/intents/` followed by `*` and `/spec`. The empty pointer is the whole text. Keep the list: it is prepared once.
   */
  readonly capture?: readonly string[];
  /** Bytes of one captured member; default: no bound of its own. */
  readonly captureBytesMax?: number;
}

/** A body that passed. */
export interface ScannedJson {
  readonly value: JsonValue;
  /** By pointer (`/intents/3/spec`): the member's bytes as they came, without white space around them, as text. */
  readonly slices: ReadonlyMap<string, string>;
}

/**
 * Reads a JSON text strictly (RFC 8259) in one pass over its bytes, then lets `JSON.parse` build the value.
 *
 * Time is linear in the length and nothing recurses. What is accepted survives `JSON.parse` without loss, except that a fraction
 * becomes the nearest double; {@link scanNumber} says which numbers pass. It runs in one go: 10 µs for 1 kB, but up to 5 ms for each
 * 64 KiB of hostile text, so larger bodies belong to {@link scanLargeJson}.
 *
 * @throws EventplaneError with `details.pointer` and `details.byte`, never with text of the body: `json_invalid` (grammar, byte
 *   order mark), `json_invalid_utf8`, `json_duplicate_key`, `json_forbidden_key`, `json_too_deep`, `json_unsafe_number`,
 *   `json_lone_surrogate`, `json_nul`, `payload_too_large` (a captured member, or too many values outside of them)
 */
export function scanJson(bytes: Uint8Array, options: ScanOptions = {}): ScannedJson {
  const buffer = asBuffer(bytes);
  const encoding = encodingOf(buffer, options);
  const cuts = scanAtOnce(buffer, withDefaults(options));
  const text = buffer.toString(encoding);
  const slices = new Map<string, string>();
  for (const { pointer, start, end } of cuts) {
    slices.set(pointer, encoding === "latin1" ? text.slice(start, end) : buffer.toString(encoding, start, end));
  }
  // The scanner accepts nothing but JSON.
  return { value: JSON.parse(text) as JsonValue, slices };
}

/** Bytes that are scanned or parsed before other work gets its turn; {@link scanJson} may read as many. */
export const turnBytes = 65_536;

/**
 * Does what {@link scanJson} does, with the same result and refusals, but lets other work run after every 64 KiB.
 *
 * Captured members are parsed one by one, the rest at once. With `captureBytesMax` 256 KiB hostile bodies of 4 MiB kept the event
 * loop for 15 to 45 ms at worst (256 KiB of empty objects, on a busy machine), honest ones for 5 ms. An abort between two turns leaves
 * nothing behind. The bytes must not change meanwhile.
 *
 * @throws EventplaneError as {@link scanJson}; `aborted`
 */
export async function scanLargeJson(
  bytes: Uint8Array,
  options: ScanOptions & { readonly signal?: AbortSignal } = {},
): Promise<ScannedJson> {
  if (bytes.byteLength <= turnBytes) return scanJson(bytes, options);
  const buffer = asBuffer(bytes);
  const encoding = encodingOf(buffer, options);
  const scannerOptions = withDefaults(options);
  const scanner = new JsonScanner(scannerOptions).start(buffer, scannerOptions);
  while (!scanner.run(scanner.at + turnBytes)) await nextTurn(options.signal);
  const slices = new Map<string, string>();
  let value = parseRest(buffer, scanner.cuts);
  let turn = buffer.byteLength;
  for (const { pointer, start, end } of scanner.cuts) {
    turn += end - start;
    if (turn > turnBytes) {
      await nextTurn(options.signal);
      turn = end - start;
    }
    const text = buffer.toString(encoding, start, end);
    slices.set(pointer, text);
    value = graft(value, pointer, JSON.parse(text) as JsonValue);
  }
  return { value, slices };
}

async function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) throw new EventplaneError("aborted", "Reading the body was aborted by its caller.");
  await setImmediate();
}

/** Parses everything but the cuts, which become null. */
function parseRest(buffer: Buffer, cuts: readonly Cut[]): JsonValue {
  const parts: Buffer[] = [];
  let from = 0;
  for (const cut of cuts) {
    parts.push(buffer.subarray(from, cut.start), nullText);
    from = cut.end;
  }
  parts.push(buffer.subarray(from));
  // The scanner accepts nothing but JSON.
  return JSON.parse(Buffer.concat(parts).toString()) as JsonValue;
}

const nullText = Buffer.from("null");

/** Puts a captured value in the place of its null; capture patterns have plain names, so the pointer needs no decoding. */
function graft(root: JsonValue, pointer: string, value: JsonValue): JsonValue {
  if (pointer === "") return value;
  const path = pointer.split("/").slice(1);
  const last = path.pop() ?? "";
  // The scanner has seen a container at every step of the pointer; arrays take their index as text too.
  let parent = root as Record<string, JsonValue>;
  for (const name of path) parent = parent[name] as Record<string, JsonValue>;
  parent[last] = value;
  return root;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One for all scans that are done in one go: its open containers are most of what a scan would allocate. */
const sharedScanner = new JsonScanner(withDefaults({}));

/** The captured members of the whole text. */
function scanAtOnce(buffer: Buffer, options: ScannerOptions): readonly Cut[] {
  try {
    sharedScanner.start(buffer, options).run(Number.POSITIVE_INFINITY);
    return sharedScanner.cuts;
  } finally {
    // The text is not held until the next scan.
    sharedScanner.release();
  }
}

/** By the list of patterns: callers keep theirs, so that its tree is built once. */
const trees = new WeakMap<readonly string[], CaptureNode>();

function treeOf(patterns: readonly string[] | undefined): CaptureNode | undefined {
  if (patterns === undefined) return undefined;
  const tree = trees.get(patterns) ?? captureTree(patterns);
  if (tree !== undefined) trees.set(patterns, tree);
  return tree;
}

function withDefaults(options: ScanOptions): ScannerOptions {
  return {
    depthMax: options.depthMax ?? limits.jsonDepthMax,
    valuesMax: options.valuesMax ?? limits.jsonValuesMax,
    captureBytesMax: options.captureBytesMax ?? Number.POSITIVE_INFINITY,
    capture: treeOf(options.capture),
  };
}

/** How to decode the bytes; refuses what is not UTF-8 with the place that a scan of the bytes before reaches. */
function encodingOf(buffer: Buffer, options: ScanOptions): "latin1" | "utf8" {
  if (isAscii(buffer)) return "latin1";
  if (isUtf8(buffer)) return "utf8";
  const byte = firstInvalidUtf8(buffer);
  let pointer = "";
  try {
    scanAtOnce(buffer.subarray(0, byte), withDefaults(options));
  } catch (error) {
    if (!isEventplaneError(error)) throw error;
    pointer = String(error.details["pointer"]);
  }
  throw faultError(fault.invalidUtf8, pointer, byte);
}

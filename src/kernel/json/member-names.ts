/**
 * The names of the members of the objects that are open, to find one that comes twice.
 *
 * Names are compared decoded. As long as an object has few names and none is spelled with an escape, comparing hashes and
 * bytes is enough; otherwise the object gets a Set. The Set's names carry a prefix, because V8 hashes text that looks like
 * an array index without its seed.
 */
import { type Fault, fault } from "./faults.js";

/** The names of one open object. Reused for the next object at the same depth. */
export interface ObjectNames {
  hashes: number[];
  starts: number[];
  ends: number[];
  count: number;
  set: Set<string> | undefined;
}

/** Above this many names an object gets a Set. */
const comparedNamesMax = 16;
const forbidden: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** A place for the names of one object. */
export function objectNames(): ObjectNames {
  return { hashes: [], starts: [], ends: [], count: 0, set: undefined };
}

/** A name as it stands between its quotes. */
export interface RawName {
  readonly start: number;
  readonly end: number;
  /** Any hash of the raw bytes; used only when `escaped` is false. */
  readonly hash: number;
  readonly escaped: boolean;
}

/** The name as JavaScript sees it. The bytes are known to be a well-formed JSON string. */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString("utf8", start, end);
  // A JSON string is text by its grammar.
  return raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
}

/** Adds a name to its object. Returns undefined, or why it is refused. */
export function addName(bytes: Buffer, names: ObjectNames, name: RawName): Fault | undefined {
  if (mayBeForbidden(bytes, name) && forbidden.has(decodeName(bytes, name.start, name.end))) return fault.forbiddenKey;
  if (names.set === undefined && (name.escaped || names.count === comparedNamesMax)) startSet(bytes, names);
  if (names.set !== undefined) return addToSet(names.set, decodeName(bytes, name.start, name.end));
  for (let at = 0; at < names.count; at++) {
    if (names.hashes[at] === name.hash && sameBytes(bytes, name, names.starts[at] ?? 0, names.ends[at] ?? 0)) {
      return fault.duplicateKey;
    }
  }
  names.hashes[names.count] = name.hash;
  names.starts[names.count] = name.start;
  names.ends[names.count] = name.end;
  names.count++;
  return undefined;
}

/** Looks at the length and the first byte, so that few names are decoded. */
function mayBeForbidden(bytes: Buffer, { start, end, escaped }: RawName): boolean {
  if (escaped) return true;
  const first = bytes[start];
  return end - start === 9 ? first === 0x5f || first === 0x70 : end - start === 11 && first === 0x63;
}

function startSet(bytes: Buffer, names: ObjectNames): void {
  names.set = new Set();
  for (let at = 0; at < names.count; at++) {
    addToSet(names.set, decodeName(bytes, names.starts[at] ?? 0, names.ends[at] ?? 0));
  }
}

function addToSet(set: Set<string>, name: string): Fault | undefined {
  const before = set.size;
  return set.add(`.${name}`).size === before ? fault.duplicateKey : undefined;
}

function sameBytes(bytes: Buffer, name: RawName, start: number, end: number): boolean {
  if (end - start !== name.end - name.start) return false;
  for (let at = name.start, other = start; at < name.end; at++, other++) {
    if (bytes[at] !== bytes[other]) return false;
  }
  return true;
}

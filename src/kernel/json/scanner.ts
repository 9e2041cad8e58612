/**
 * The byte scanner: the whole grammar of RFC 8259 in one loop without recursion, and what Eventplane refuses beyond it.
 *
 * It reads bytes that are known to be valid UTF-8 and can stop between two values, so that a large body does not hold the event loop.
 */
import type { CaptureNode } from "./capture.js";
import { fault, faultError } from "./faults.js";
import { addName, decodeName, type ObjectNames, objectNames, type RawName } from "./member-names.js";
import { type Place, pointerOf } from "./pointer.js";
import { scanNumber } from "./scan-number.js";
import { scanString } from "./scan-string.js";

/** Bounds and wishes of one scan. */
export interface ScannerOptions {
  readonly depthMax: number;
  readonly valuesMax: number;
  readonly captureBytesMax: number;
  readonly capture: CaptureNode | undefined;
}

/** A member that was cut out: its place and its bytes, without the white space around it. */
export interface Cut {
  readonly pointer: string;
  readonly start: number;
  readonly end: number;
}

/** One open container; `key*` and `index` say which member or element is being read. */
interface Frame extends Place {
  names: ObjectNames;
  node: CaptureNode | undefined;
  start: number;
}

/** What may come next. */
const expect = { value: 0, firstElement: 1, firstKey: 2, key: 3, after: 4 } as const;

const nothing = Buffer.alloc(0);

/**
 * Scans one JSON text after the other: {@link JsonScanner.start}, then {@link JsonScanner.run} until it is true, then read
 * {@link JsonScanner.cuts}. Its memory of open containers is used again.
 */
export class JsonScanner {
  #bytes: Buffer = nothing;
  #options: ScannerOptions;
  readonly #frames: Frame[] = [];
  /** The name that is being read. */
  readonly #name = { start: 0, end: 0, hash: 0, escaped: false };
  #cuts: Cut[] = [];
  #depth = 0;
  #at = 0;
  /** Values outside of captured members. */
  #values = 0;
  #insideCut = false;
  #expect: number = expect.value;
  /** Capture node of the value that comes next. */
  #node: CaptureNode | undefined;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /** Begins with another text, whatever became of the one before. */
  start(bytes: Buffer, options: ScannerOptions): this {
    this.release();
    this.#bytes = bytes;
    this.#options = options;
    this.#node = options.capture;
    this.#at = 0;
    this.#values = 0;
    this.#insideCut = false;
    this.#expect = expect.value;
    return this;
  }

  /** Forgets the text and what was found in it; the cuts that were read before stay as they are. */
  release(): void {
    this.#bytes = nothing;
    this.#cuts = [];
    for (; this.#depth > 0; this.#depth--) this.#top().names.set = undefined;
  }

  /** The members that were cut out so far, in the order of their ends. */
  get cuts(): readonly Cut[] {
    return this.#cuts;
  }

  /** The offset that was reached. */
  get at(): number {
    return this.#at;
  }

  /**
   * Scans on until the text ends (true) or `until` is passed (false).
   *
   * @throws EventplaneError `json_*` or `payload_too_large` with `details.pointer` and `details.byte`
   */
  run(until: number): boolean {
    const bytes = this.#bytes;
    for (;;) {
      let byte = bytes[this.#at];
      while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
      if (byte === undefined) return this.#finish();
      switch (this.#expect) {
        case expect.after:
          this.#afterValue(byte);
          if (this.#at >= until && this.#at < bytes.length) return false;
          break;
        case expect.firstKey:
          if (byte === 0x7d) this.#close();
          else this.#member(byte);
          break;
        case expect.key:
          this.#member(byte);
          break;
        case expect.firstElement:
          if (byte === 0x5d) {
            this.#close();
            break;
          }
          this.#enterElement();
          this.#value(byte);
          break;
        default:
          this.#value(byte);
      }
    }
  }

  #finish(): true {
    if (this.#depth !== 0 || this.#expect !== expect.after) this.#fail(fault.invalid);
    return true;
  }

  #value(byte: number): void {
    if (!this.#insideCut && ++this.#values > this.#options.valuesMax) this.#fail(fault.tooManyValues);
    const start = this.#at;
    if (byte === 0x7b || byte === 0x5b) return this.#open(byte === 0x7b);
    let end: number;
    if (byte === 0x22) {
      end = scanString(this.#bytes, start + 1);
      if (end > 0) end++;
    } else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) {
      end = scanNumber(this.#bytes, start);
    } else {
      end = scanLiteral(this.#bytes, start);
    }
    if (end < 0) this.#fail(end);
    this.#at = end;
    this.#expect = expect.after;
    if (this.#node?.cut) this.#cut(this.#node, start);
  }

  #open(isObject: boolean): void {
    if (this.#depth === this.#options.depthMax) this.#fail(fault.tooDeep);
    let frame = this.#frames[this.#depth];
    if (frame === undefined) {
      frame = { isObject, index: 0, keyStart: -1, keyEnd: -1, names: objectNames(), node: undefined, start: 0 };
      this.#frames.push(frame);
    }
    frame.isObject = isObject;
    frame.index = -1;
    frame.keyStart = -1;
    frame.names.count = 0;
    frame.node = this.#node;
    frame.start = this.#at;
    if (frame.node?.cut) this.#insideCut = true;
    this.#depth++;
    this.#at++;
    this.#expect = isObject ? expect.firstKey : expect.firstElement;
  }

  #close(): void {
    const frame = this.#top();
    frame.names.set = undefined;
    this.#depth--;
    this.#at++;
    this.#expect = expect.after;
    if (frame.node?.cut) {
      this.#insideCut = false;
      this.#cut(frame.node, frame.start);
    }
  }

  /** A comma or the end of the container. */
  #afterValue(byte: number): void {
    if (this.#depth === 0) this.#fail(fault.invalid);
    const frame = this.#top();
    if (byte === 0x2c) {
      this.#at++;
      if (frame.isObject) {
        this.#expect = expect.key;
      } else {
        this.#enterElement();
        this.#expect = expect.value;
      }
    } else if (byte === (frame.isObject ? 0x7d : 0x5d)) {
      this.#close();
    } else {
      this.#fail(fault.invalid);
    }
  }

  #enterElement(): void {
    const frame = this.#top();
    frame.index++;
    this.#node = frame.node?.element;
  }

  /** A name and its colon. */
  #member(byte: number): void {
    const frame = this.#top();
    frame.keyStart = -1;
    if (byte !== 0x22) this.#fail(fault.invalid);
    const bytes = this.#bytes;
    const start = this.#at + 1;
    let end = start;
    let hash = 0;
    let next = bytes[end];
    while (next !== undefined && next !== 0x22 && next !== 0x5c && next >= 0x20) {
      hash = (Math.imul(hash, 31) + next) | 0;
      next = bytes[++end];
    }
    const name = this.#name;
    name.start = start;
    name.hash = hash;
    name.escaped = next !== 0x22;
    if (name.escaped) {
      end = scanString(bytes, end);
      if (end < 0) this.#fail(end);
    }
    name.end = end;
    frame.keyStart = start;
    frame.keyEnd = end;
    const refused = addName(bytes, frame.names, name);
    if (refused !== undefined) this.#fail(refused);
    this.#node = frame.node === undefined ? undefined : memberNode(bytes, frame.node, name);
    this.#at = end + 1;
    this.#colon();
  }

  #colon(): void {
    let byte = this.#bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = this.#bytes[++this.#at];
    if (byte !== 0x3a) this.#fail(fault.invalid);
    this.#at++;
    this.#expect = expect.value;
  }

  #cut(node: CaptureNode, start: number): void {
    if (this.#at - start > this.#options.captureBytesMax) this.#fail(fault.memberTooLarge);
    const pointer = node.pointer ?? pointerOf(this.#bytes, this.#frames, this.#depth);
    this.#cuts.push({ pointer, start, end: this.#at });
  }

  #fail(found: number): never {
    throw faultError(found, pointerOf(this.#bytes, this.#frames, this.#depth), this.#at);
  }

  #top(): Frame {
    // Called only while a container is open: depth ≥ 1.
    return this.#frames[this.#depth - 1] as Frame;
  }
}

function memberNode(bytes: Buffer, parent: CaptureNode, name: RawName): CaptureNode | undefined {
  for (const member of parent.members) {
    const { nameBytes } = member;
    const isIt = name.escaped
      ? member.name === decodeName(bytes, name.start, name.end)
      : nameBytes.length === name.end - name.start &&
        bytes.compare(nameBytes, 0, nameBytes.length, name.start, name.end) === 0;
    if (isIt) return member.node;
  }
  return undefined;
}

const literals: readonly Buffer[] = [Buffer.from("true"), Buffer.from("false"), Buffer.from("null")];

function scanLiteral(bytes: Buffer, from: number): number {
  for (const literal of literals) {
    let at = 0;
    while (at < literal.length && bytes[from + at] === literal[at]) at++;
    if (at === literal.length) return from + at;
  }
  return fault.invalid;
}

/**
 * Writes the length-prefixed fields of digests into one reused buffer: this runs once for every event of the hot path.
 *
 * The bytes are those of `fields` and `i64be` of kernel/; a property test holds the two together. Hashes are taken as
 * binary text and written from there, because making a Buffer of each costs twice the hash of a short text.
 */
import { hash } from "node:crypto";
import { assert } from "../kernel/index.js";

const initialBytes = 4_096;
const uuidBytesLength = 16;
const hashBytesLength = 32;
const absentLength = 0xff_ff_ff_ff;
const emptyObjectHash = hash("sha256", "{}", "binary");

/** SHA-256 of the stored bytes of a JSON text, as 32 characters of binary text. */
function jsonHash(text: string): string {
  return text === "{}" ? emptyObjectHash : hash("sha256", text, "binary");
}

/** The value of a hexadecimal digit, by character code. */
const nibbles: Uint8Array = new Uint8Array(128);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  nibbles[digit.charCodeAt(0)] = value;
  nibbles[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Fields in the order of the calls; null is an absent field. Begin with `start`, end with `digest`. Not reentrant. */
export class FieldWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialBytes);
  #at = 0;
  #shared = "{}";
  #sharedHash: string = emptyObjectHash;

  /** Forgets what was written and writes the domain, without a length. */
  start(domain: string): this {
    this.#at = 0;
    this.#reserve(domain.length);
    this.#at += this.#bytes.write(domain, this.#at, "latin1");
    return this;
  }

  /** Bytes without a length. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.byteLength;
    return this;
  }

  text(text: string | null): this {
    if (text === null) return this.#length(absentLength);
    // A UTF-16 code unit takes at most three bytes.
    this.#reserve(4 + text.length * 3);
    const written = this.#bytes.write(text, this.#at + 4, "utf8");
    this.#bytes.writeUInt32BE(written, this.#at);
    this.#at += 4 + written;
    return this;
  }

  uuid(uuid: string | null): this {
    if (uuid === null) return this.#length(absentLength);
    this.#length(uuidBytesLength);
    this.#reserve(uuidBytesLength);
    const end = this.#at + uuidBytesLength;
    let high = -1;
    for (let index = 0; index < uuid.length; index++) {
      const code = uuid.charCodeAt(index);
      if (code === hyphen) continue;
      const nibble = nibbles[code] ?? 0;
      if (high === -1) {
        high = nibble << 4;
      } else {
        this.#bytes[this.#at++] = high | nibble;
        high = -1;
      }
    }
    assert(this.#at === end, "a UUID has 32 digits");
    return this;
  }

  /** A safe integer as i64be. */
  integer(value: number | null): this {
    if (value === null) return this.#length(absentLength);
    this.#length(8);
    this.#reserve(8);
    const high = Math.floor(value / 2 ** 32);
    this.#bytes.writeInt32BE(high, this.#at);
    this.#bytes.writeUInt32BE(value - high * 2 ** 32, this.#at + 4);
    this.#at += 8;
    return this;
  }

  /** JSON enters as the hash of its stored bytes. */
  json(text: string | null): this {
    if (text === null) return this.#length(absentLength);
    this.#length(hashBytesLength);
    this.#reserve(hashBytesLength);
    this.#at += this.#bytes.write(jsonHash(text), this.#at, "latin1");
    return this;
  }

  /** As `json`, for a text that many events in a row share: its hash is kept until another text comes. */
  sharedJson(text: string): this {
    if (text !== this.#shared) {
      this.#sharedHash = jsonHash(text);
      this.#shared = text;
    }
    this.#length(hashBytesLength);
    this.#reserve(hashBytesLength);
    this.#at += this.#bytes.write(this.#sharedHash, this.#at, "latin1");
    return this;
  }

  /** SHA-256 of all that was written, 32 bytes of their own. */
  digest(): Buffer {
    return Buffer.from(hash("sha256", this.#bytes.subarray(0, this.#at), "binary"), "latin1");
  }

  #length(length: number): this {
    this.#reserve(4);
    this.#bytes.writeUInt32BE(length, this.#at);
    this.#at += 4;
    return this;
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.byteLength * 2, this.#at + length));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

const hyphen = 0x2d;

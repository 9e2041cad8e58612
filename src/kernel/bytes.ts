/**
 * The byte encodings that every digest of Eventplane is built from.
 *
 * `f(x) = u32be(byte length) ‖ bytes`; an absent field is `ffffffff`. Text is UTF-8, integers and times are signed
 * 64-bit big-endian (`i64be`). `H` is SHA-256. Source: docs/reference/proofs.md.
 */
import { hash } from "node:crypto";

const absent = Buffer.from("ffffffff", "hex");

/** SHA-256 of the concatenation of the parts; text is taken as UTF-8. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  // In one call and by way of text: a Hash object, or a Buffer made by it, costs several times the hash of short parts.
  return Buffer.from(hash("sha256", joined(parts), "binary"), "latin1");
}

function joined(parts: readonly (Uint8Array | string)[]): Uint8Array | string {
  const [first = ""] = parts;
  if (parts.length <= 1) return first;
  if (parts.every((part) => typeof part === "string")) return parts.join("");
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "utf8") : part)));
}

/** Signed 64-bit big-endian of a safe integer. */
export function i64be(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

/** Length-prefixed concatenation; `undefined` is an absent field and differs from an empty one. */
export function fields(values: readonly (Uint8Array | undefined)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const value of values) {
    if (value === undefined) {
      parts.push(absent);
    } else {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32BE(value.byteLength);
      parts.push(length, value);
    }
  }
  return Buffer.concat(parts);
}

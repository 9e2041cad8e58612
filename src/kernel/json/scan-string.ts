/** One JSON string (RFC 8259 §7). The bytes are known to be valid UTF-8, so only escapes need care. */
import { fault } from "./faults.js";

/**
 * Reads the rest of a string from `from`, which is behind its opening quote.
 *
 * @returns the offset of the closing quote, or a negative fault
 */
export function scanString(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte === 0x22) return at;
    if (byte === 0x5c) {
      at = scanEscape(bytes, at + 1);
      if (at < 0) return at;
    } else if (byte === undefined || byte < 0x20) {
      return fault.invalid;
    } else {
      at++;
    }
  }
}

/** `from` is behind the backslash. Returns the offset behind the escape (both halves of a pair), or a fault. */
function scanEscape(bytes: Uint8Array, from: number): number {
  switch (bytes[from]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return from + 1;
    case 0x75: // u
      return scanCodeUnit(bytes, from + 1);
    default:
      return fault.invalid;
  }
}

function scanCodeUnit(bytes: Uint8Array, from: number): number {
  const unit = hex4(bytes, from);
  if (unit < 0) return fault.invalid;
  if (unit === 0) return fault.nul;
  const next = from + 4;
  if (unit < 0xd800 || unit > 0xdfff) return next;
  if (unit >= 0xdc00) return fault.loneSurrogate;
  if (bytes[next] !== 0x5c || bytes[next + 1] !== 0x75) return fault.loneSurrogate;
  const low = hex4(bytes, next + 2);
  if (low < 0) return fault.invalid;
  return low >= 0xdc00 && low <= 0xdfff ? next + 6 : fault.loneSurrogate;
}

function hex4(bytes: Uint8Array, from: number): number {
  let unit = 0;
  for (let at = from; at < from + 4; at++) {
    const byte = bytes[at] ?? 0;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) unit = unit * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return -1;
  }
  return unit;
}

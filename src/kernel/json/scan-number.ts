/** One JSON number (RFC 8259 §6), checked for what a double can keep, without converting it where digits suffice. */
import { fault } from "./faults.js";

/** Below 10^15 every integer is safe; 16 digits are decided by value, 17 and more are always too large. */
const digitsAlwaysSafe = 15;
const integerDigitsMax = 16;
/** The smallest normal double is about 2.2e-308: above this exponent nothing underflows to zero. */
const exponentNeverUnderflows = -300;
/** Where counting an exponent stops: far outside of what a double knows. */
const exponentCounted = 100_000;

/**
 * Reads the number that starts at `from`.
 *
 * Accepted: every integer from -(2^53-1) to 2^53-1 in any spelling (`1e3`, `10.0`), and every fraction of that range;
 * a fraction is an ordinary double, so it is rounded to the nearest one, as everywhere. Refused as unsafe: anything whose double
 * is beyond 2^53-1 or infinite, -0 in any spelling, and a number that is not zero but would be read as zero (`1e-400`).
 *
 * @returns the offset behind the number, or a negative fault
 */
export function scanNumber(bytes: Uint8Array, from: number): number {
  let at = from;
  const negative = bytes[at] === 0x2d;
  if (negative) at++;
  const integerStart = at;
  let value = 0;
  let digit = digitAt(bytes, at);
  while (digit >= 0) {
    value = value * 10 + digit;
    digit = digitAt(bytes, ++at);
  }
  const integerDigits = at - integerStart;
  if (integerDigits === 0 || (integerDigits > 1 && bytes[integerStart] === 0x30)) return fault.invalid;
  const next = bytes[at];
  if (next === 0x2e || next === 0x65 || next === 0x45) return scanRest(bytes, from, { at, integerDigits });
  if (negative && value === 0) return fault.unsafeNumber;
  if (integerDigits > integerDigitsMax || value > Number.MAX_SAFE_INTEGER) return fault.unsafeNumber;
  return at;
}

function digitAt(bytes: Uint8Array, at: number): number {
  // Behind the end the byte is undefined and the result NaN, which is no digit either.
  const digit = (bytes[at] as number) - 0x30;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

/** Fraction and exponent. */
function scanRest(
  bytes: Uint8Array,
  from: number,
  integer: { readonly at: number; readonly integerDigits: number },
): number {
  let at = integer.at;
  let fractionDigits = 0;
  if (bytes[at] === 0x2e) {
    at++;
    const start = at;
    while (digitAt(bytes, at) >= 0) at++;
    fractionDigits = at - start;
    if (fractionDigits === 0) return fault.invalid;
  }
  const mantissaEnd = at;
  let exponent = 0;
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at++;
    const negative = bytes[at] === 0x2d;
    if (negative || bytes[at] === 0x2b) at++;
    const start = at;
    for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, ++at)) {
      if (exponent < exponentCounted) exponent = exponent * 10 + digit;
    }
    if (at === start) return fault.invalid;
    if (negative) exponent = -exponent;
  }
  if (isZero(bytes, from, mantissaEnd)) return bytes[from] === 0x2d ? fault.unsafeNumber : at;
  if (integer.integerDigits + exponent <= digitsAlwaysSafe && exponent - fractionDigits >= exponentNeverUnderflows) {
    return at;
  }
  const value = Math.abs(Number(Buffer.from(bytes.buffer, bytes.byteOffset + from, at - from).toString("latin1")));
  return value === 0 || value > Number.MAX_SAFE_INTEGER ? fault.unsafeNumber : at;
}

function isZero(bytes: Uint8Array, from: number, mantissaEnd: number): boolean {
  for (let at = from; at < mantissaEnd; at++) if (digitAt(bytes, at) > 0) return false;
  return true;
}

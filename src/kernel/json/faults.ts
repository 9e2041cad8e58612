/**
 * What the scanner refuses, as small negative numbers inside the hot loops and as errors outside of them.
 *
 * The leaf scanners return the offset behind the token, or one of these numbers; nothing is allocated until a refusal.
 */
import { type ErrorCode, EventplaneError } from "../errors.js";

/** Negative results of the leaf scanners. */
export const fault = {
  invalid: -1,
  unsafeNumber: -2,
  loneSurrogate: -3,
  nul: -4,
  invalidUtf8: -5,
  duplicateKey: -6,
  forbiddenKey: -7,
  tooDeep: -8,
  memberTooLarge: -9,
  tooManyValues: -10,
} as const;

/** One of the values of {@link fault}. */
export type Fault = (typeof fault)[keyof typeof fault];

/** Index: the fault's number without its sign, minus one. */
const texts: readonly (readonly [ErrorCode, string])[] = [
  ["json_invalid", "The body is not valid JSON (RFC 8259). Send one JSON value in UTF-8 without a byte order mark."],
  [
    "json_unsafe_number",
    "A number cannot be kept exactly: integers go to 2^53-1, numbers are finite, and -0 is not accepted. Send it as a string.",
  ],
  ["json_lone_surrogate", "A string holds half of a surrogate pair. Send whole Unicode characters."],
  ["json_nul", "A string holds the character NUL (\\u0000), which cannot be stored. Remove it."],
  ["json_invalid_utf8", "The body is not valid UTF-8. Encode it as UTF-8."],
  ["json_duplicate_key", "An object holds the same key twice. Keep one of them."],
  ["json_forbidden_key", "The keys __proto__, constructor and prototype are not accepted. Rename the key."],
  ["json_too_deep", "Objects and arrays are nested too deeply. Flatten the value."],
  ["payload_too_large", "One member of the body is larger than its limit. Make it smaller."],
  ["payload_too_large", "The body holds too many values. Send it in several requests."],
];

/** The error of a fault, with the place but never the text of what was found there. */
export function faultError(found: number, pointer: string, byte: number): EventplaneError {
  const [code, message] = texts[-found - 1] ?? ["json_invalid", "The body is not valid JSON (RFC 8259)."];
  return new EventplaneError(code, message, { details: { pointer, byte } });
}

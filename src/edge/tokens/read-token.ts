/**
 * A JSON Web Token in its compact form, taken apart with all doubt: nothing of it is believed before its signature is.
 *
 * What another reader could read otherwise is refused: members twice, base64url with bits that mean nothing, headers that
 * bring their own key, `crit`, `b64`, `zip`.
 */
import { isEventplaneError, type JsonObject, scanJson } from "../../kernel/index.js";

/** Longer ones are refused unread. */
const tokenCharactersMax = 8_192;

const kidCharactersMax = 256;
const form = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const types: readonly string[] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];
/** Members that say where the key is, or that change what is signed. */
const refusedMembers: readonly string[] = ["jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"];

/** What a token says of itself. */
export interface ReadToken {
  readonly algorithm: string;
  readonly kid: string;
  readonly claims: JsonObject;
}

/** Whether an Authorization header shows something that might be a token, and no key. */
export function tokenIn(header: string | undefined): string | undefined {
  if (header === undefined || !header.startsWith("Bearer ") || /^Bearer ep[ks]_/.test(header)) return undefined;
  const token = header.slice("Bearer ".length);
  return token.length <= tokenCharactersMax && form.test(token) ? token : undefined;
}

/** The token's header and claims; undefined when it is none that may be read. Never throws. */
export function readToken(token: string): ReadToken | undefined {
  const [, head = "", payload = "", signature = ""] = form.exec(token) ?? [];
  const [header, claims] = [objectIn(head), objectIn(payload)];
  if (header === undefined || claims === undefined || !isCanonical(signature)) return undefined;
  const { alg, kid, typ } = header;
  if (typeof alg !== "string" || typeof kid !== "string" || kid === "" || kid.length > kidCharactersMax)
    return undefined;
  if (refusedMembers.some((member) => header[member] !== undefined)) return undefined;
  if (typ !== undefined && !(typeof typ === "string" && types.includes(typ.toLowerCase()))) return undefined;
  return { algorithm: alg, kid, claims };
}

function objectIn(segment: string): JsonObject | undefined {
  if (!isCanonical(segment)) return undefined;
  try {
    const { value } = scanJson(Buffer.from(segment, "base64url"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined; // the other cases are excluded
  } catch (error) {
    if (isEventplaneError(error)) return undefined;
    throw error;
  }
}

/** One text for the same bytes: no bits beyond the last byte. */
function isCanonical(segment: string): boolean {
  return segment !== "" && Buffer.from(segment, "base64url").toString("base64url") === segment;
}

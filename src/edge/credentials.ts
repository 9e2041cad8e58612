/**
 * API keys: `epk_<keyId>_<secret>`. The secret is 256 random bits in base64url; only its SHA-256 is stored.
 *
 * A presented key is checked on one path, whether it is malformed, unknown, wrong, expired or right: one parse, one
 * hash, one constant-time comparison (against a dummy when there is nothing to compare with).
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { sha256 } from "../kernel/index.js";

/** A new key: what is shown once, and what is stored. */
export interface IssuedKey {
  /** The text that the caller keeps. */
  readonly key: string;
  /** base64url SHA-256 that the log keeps. */
  readonly secretHash: string;
}

/** What a credential claims to be. */
export interface PresentedKey {
  /** The key id it names; a UUID that no key has when it is malformed. */
  readonly keyId: string;
  /** Whether it has the form of a key. One that has not is none at any edge. */
  readonly isWellFormed: boolean;
  readonly secretDigest: Uint8Array;
}

const secretBytes = 32;
const hashBytes = 32;
const domain = "eventplane.api-key.v1\n";
const pattern = /^Bearer epk_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const headerCharactersMax = 200;
const nobody = { keyId: "00000000-0000-0000-0000-000000000000", secret: "A".repeat(43) } as const;
const dummyHash = randomBytes(hashBytes);

/** Makes the secret of key `keyId`. */
export function issueKey(keyId: string): IssuedKey {
  const secret = randomBytes(secretBytes).toString("base64url");
  return { key: `epk_${keyId}_${secret}`, secretHash: secretDigest(secret).toString("base64url") };
}

/** Reads an Authorization header. Never fails: what is malformed names nobody. */
export function readAuthorization(header: string | undefined): PresentedKey {
  const match = pattern.exec((header ?? "").slice(0, headerCharactersMax));
  const [, keyId = nobody.keyId, secret = nobody.secret] = match ?? [];
  return { keyId, isWellFormed: match !== null, secretDigest: secretDigest(secret) };
}

/** Whether the secret is the stored one; `undefined` stands for a key that does not exist. Constant time. */
export function secretMatches(presented: PresentedKey, storedHash: Uint8Array | undefined): boolean {
  const equal = timingSafeEqual(presented.secretDigest, storedHash ?? dummyHash);
  return equal && storedHash !== undefined;
}

/** The stored form of a hash as bytes; undefined when it is not one. */
export function storedHashBytes(secretHash: string): Uint8Array | undefined {
  const bytes = Buffer.from(secretHash, "base64url");
  return bytes.byteLength === hashBytes ? bytes : undefined;
}

function secretDigest(secret: string): Buffer {
  return sha256(domain, secret);
}

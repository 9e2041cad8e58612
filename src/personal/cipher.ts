/**
 * The two encryptions of personal data, both AES-256-GCM (NIST SP 800-38D): values under a data key, data keys under a key of
 * the operator.
 *
 * The nonce of a value is a MAC of what is encrypted and where (as in SIV, RFC 5297): the same value at the same place of the
 * same event gives the same bytes, so that an honest retry has the same content; another value, place or event another nonce.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { fields, sealedPrefix, type TenantId, uuidBytes } from "../kernel/index.js";

/** A data key, open. Never logged, never stored so. */
export interface DataKey {
  readonly tenantId: TenantId;
  readonly subject: string;
  readonly keyId: string;
  /** 32 bytes each, derived from the secret. */
  readonly encryption: Buffer;
  readonly nonces: Buffer;
}

/** Where a value stands: part of its nonce. */
export interface SealedPlace {
  readonly eventId: string;
  /** JSON pointer into the spec. */
  readonly pointer: string;
}

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Bytes of a secret, and of a secret under a key-encryption key. */
export const secretBytes = 32;

/** The keys that follow from a secret. */
export function openDataKey(name: Pick<DataKey, "tenantId" | "subject" | "keyId">, secret: Uint8Array): DataKey {
  const derived = (use: string): Buffer =>
    createHmac("sha256", secret).update(`eventplane.data-key.${use}.v1\n`).digest();
  return { ...name, encryption: derived("encryption"), nonces: derived("nonces") };
}

/** The sealed form of a JSON text, a string without quotes. */
export function sealText(key: DataKey, { eventId, pointer }: SealedPlace, json: string): string {
  const plain = Buffer.from(json, "utf8");
  const message = fields([uuidBytes(eventId), Buffer.from(pointer, "utf8"), plain]);
  const nonce = createHmac("sha256", key.nonces).update(message).digest().subarray(0, nonceBytes);
  const sealed = encrypt(key.encryption, { nonce, bound: boundTo(key), plain });
  return `${sealedPrefix}${key.keyId}:${sealed.toString("base64url")}`;
}

/** The JSON text in the last part of a sealed value; undefined when this key did not seal it. */
export function openText(key: DataKey, sealed: string): string | undefined {
  return decrypt(key.encryption, Buffer.from(sealed, "base64url"), boundTo(key))?.toString("utf8");
}

/** A new secret of a data key. */
export function newSecret(): Buffer {
  return randomBytes(secretBytes);
}

/** A secret under a key-encryption key, bound to whose it is. */
export function wrapSecret(
  kek: Uint8Array,
  name: Pick<DataKey, "tenantId" | "subject" | "keyId">,
  secret: Uint8Array,
): Buffer {
  return encrypt(kek, { nonce: randomBytes(nonceBytes), bound: boundTo(name), plain: secret });
}

/** The secret; undefined when it is not this key's, or another's row. */
export function unwrapSecret(
  kek: Uint8Array,
  name: Pick<DataKey, "tenantId" | "subject" | "keyId">,
  wrapped: Uint8Array,
): Buffer | undefined {
  return decrypt(kek, wrapped, boundTo(name));
}

function boundTo({ tenantId, subject, keyId }: Pick<DataKey, "tenantId" | "subject" | "keyId">): Buffer {
  return fields([uuidBytes(tenantId), Buffer.from(subject, "utf8"), uuidBytes(keyId)]);
}

function encrypt(
  key: Uint8Array,
  { nonce, bound, plain }: { readonly nonce: Uint8Array; readonly bound: Uint8Array; readonly plain: Uint8Array },
): Buffer {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(bound);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Buffer | undefined {
  if (sealed.byteLength < nonceBytes + tagBytes) return undefined;
  const nonce = sealed.subarray(0, nonceBytes);
  const text = sealed.subarray(nonceBytes, -tagBytes);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(bound).setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(text), decipher.final()]);
  } catch {
    return undefined; // it was not made with this key: that is all that Node says
  }
}

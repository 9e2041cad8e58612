/**
 * Ed25519 signing keys (RFC 8032): making, naming and using them.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { assert, EventplaneError, type Signer, type SigningKeyId, type Tier, uuid8 } from "../kernel/index.js";

/** A new key pair. */
export interface SigningKey {
  readonly keyId: SigningKeyId;
  /** base64url of the 32 raw bytes. */
  readonly publicKey: string;
  /** PKCS#8 PEM. A secret. */
  readonly privateKeyPem: string;
}

/** A new Ed25519 key pair from the operating system's randomness. */
export function generateSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = publicKeyOf(privateKey);
  return {
    keyId: signingKeyId(publicKey),
    publicKey,
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

/** The id of a key: UUIDv8("eventplane.key.v1", base64url of the raw public key). */
export function signingKeyId(publicKey: string): SigningKeyId {
  return uuid8("eventplane.key.v1", publicKey) as SigningKeyId; // a UUID by construction
}

/** The raw public key of a private or public Ed25519 key, base64url. */
export function publicKeyOf(key: KeyObject): string {
  const { crv, x } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  assert(crv === "Ed25519" && typeof x === "string", "a signing key is an Ed25519 key");
  return x;
}

/**
 * Signs with a private key held in memory.
 *
 * @throws EventplaneError `key_file_invalid` when the PEM is no Ed25519 private key
 */
export function createEd25519Signer(options: { readonly privateKey: KeyObject | string; readonly tier: Tier }): Signer {
  const key = readPrivateKey(options.privateKey);
  return { keyId: signingKeyId(publicKeyOf(key)), tier: options.tier, sign: (message) => sign(null, message, key) };
}

/**
 * The check of one public key, made once.
 *
 * @throws EventplaneError `verification_failed` when the text is not the base64url of an Ed25519 public key
 */
export function createSignatureCheck(publicKey: string): (message: Uint8Array, signature: Uint8Array) => boolean {
  const key = readPublicKey(publicKey);
  return (message, signature) => signature.byteLength === 64 && verify(null, message, key, signature);
}

function readPrivateKey(given: KeyObject | string): KeyObject {
  let key: KeyObject;
  try {
    key = typeof given === "string" ? createPrivateKey(given) : given;
  } catch {
    // The cause is left out: it could quote the file.
    throw new EventplaneError("key_file_invalid", "The signing key is not a PKCS#8 private key in PEM form.");
  }
  if (key.type !== "private" || key.asymmetricKeyType !== "ed25519") {
    throw new EventplaneError("key_file_invalid", "The signing key is not an Ed25519 private key.");
  }
  return key;
}

function readPublicKey(publicKey: string): KeyObject {
  const raw = Buffer.from(publicKey, "base64url");
  if (raw.byteLength !== 32 || raw.toString("base64url") !== publicKey) {
    throw new EventplaneError("verification_failed", "A public key is not the base64url of 32 bytes.");
  }
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
  } catch (cause) {
    throw new EventplaneError("verification_failed", "A public key is not an Ed25519 key.", { cause });
  }
}

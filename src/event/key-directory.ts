/**
 * The signing keys that a verifier trusts: the root key it was given, and those that the root key introduced.
 */
import { EventplaneError, type JsonObject, parseUs, type SigningKeyId } from "../kernel/index.js";
import { type KeyIntroduction, parseIntroduction, verifyIntroduction } from "./introduction.js";
import { createSignatureCheck, signingKeyId } from "./signing.js";

/** One trusted key. */
export interface TrustedKey {
  readonly introduction: KeyIntroduction;
  /** Microseconds since 1970; infinite when the key does not end. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly check: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** Where in the platform's log it was introduced; 0 when that was not told. */
  readonly position: number;
}

/** Grows by introductions; nothing in it is ever taken on trust from the data. */
export class KeyDirectory {
  /** Id of the root key. */
  readonly rootKeyId: SigningKeyId;
  /** base64url of the root's raw public key. */
  readonly rootPublicKey: string;
  readonly #checkRoot: (message: Uint8Array, signature: Uint8Array) => boolean;
  readonly #keys = new Map<SigningKeyId, TrustedKey>();

  /**
   * @param rootPublicKey base64url of the raw 32 bytes, from the verifier's owner
   * @throws EventplaneError `verification_failed` when it is no Ed25519 key
   */
  constructor(rootPublicKey: string) {
    this.#checkRoot = createSignatureCheck(rootPublicKey);
    this.rootPublicKey = rootPublicKey;
    this.rootKeyId = signingKeyId(rootPublicKey);
  }

  /**
   * Trusts a key from now on. The same introduction again changes nothing; a later one of the same key replaces the
   * earlier one, and an earlier one that is read again never replaces a later one: it may have ended the key.
   *
   * @param spec an introduction, or the spec of a `signing-key.introduced`
   * @param position where it stands in the platform's log, if it was read there
   * @throws EventplaneError `verification_failed` when the root key did not sign it
   */
  accept(spec: KeyIntroduction | JsonObject, position = 0): TrustedKey {
    const introduction = parseIntroduction(spec as JsonObject); // an introduction is a JSON object too
    verifyIntroduction(introduction, this.rootPublicKey);
    const key = {
      introduction,
      fromUs: parseUs(introduction.from) ?? Number.POSITIVE_INFINITY,
      toUs: introduction.to === null ? Number.POSITIVE_INFINITY : (parseUs(introduction.to) ?? 0),
      check: createSignatureCheck(introduction.publicKey),
      position,
    };
    if (position >= (this.#keys.get(introduction.keyId)?.position ?? 0)) this.#keys.set(introduction.keyId, key);
    return key;
  }

  /**
   * The key of this id.
   *
   * @throws EventplaneError `key_unknown`
   */
  get(keyId: SigningKeyId): TrustedKey {
    const key = this.#keys.get(keyId);
    if (key === undefined) {
      throw new EventplaneError(
        "key_unknown",
        `No introduction of signing key ${keyId} is known. Is this the right root key?`,
        {
          details: { keyId },
        },
      );
    }
    return key;
  }

  /** Whether the root key introduced a key of this id. */
  has(keyId: SigningKeyId): boolean {
    return this.#keys.has(keyId);
  }

  /** All introductions, for the keys document. */
  list(): readonly KeyIntroduction[] {
    return [...this.#keys.values()].map(({ introduction }) => introduction);
  }

  /** True when the root key signed the message. */
  checkRoot(message: Uint8Array, signature: Uint8Array): boolean {
    return this.#checkRoot(message, signature);
  }
}

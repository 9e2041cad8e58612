/** The operator's keys, under which data keys are kept: the first encrypts, all decrypt. */
import { EventplaneError, sha256 } from "../kernel/index.js";
import { type DataKey, secretBytes, unwrapSecret, wrapSecret } from "./cipher.js";
import type { WrappedKey } from "./data-key-port.js";

const keyForm = /^[A-Za-z0-9_-]{43}$/;
const idCharacters = 16;

/** One installation's keys. */
export class KeyEncryptionKeys {
  readonly #keys: ReadonlyMap<string, Buffer>;
  /** Of the key that encrypts; undefined when there is none. */
  readonly currentId: string | undefined;

  /**
   * @param texts 32 bytes each in base64url, the newest first
   * @throws EventplaneError `key_file_invalid` for a text that is no key
   */
  constructor(texts: readonly string[]) {
    const keys = texts.map((text) => {
      const key = Buffer.from(text, "base64url");
      if (keyForm.test(text) && key.byteLength === secretBytes) return key;
      const message =
        "A key-encryption key is 32 bytes in base64url, one a line: restore keys/personal.key from a backup.";
      throw new EventplaneError("key_file_invalid", message);
    });
    this.#keys = new Map(keys.map((key) => [kekIdOf(key), key]));
    const [current] = this.#keys.keys();
    this.currentId = current;
  }

  /** Whether it opens what that key wrapped. */
  has(kekId: string): boolean {
    return this.#keys.has(kekId);
  }

  /** Wraps a secret under the first key. @throws EventplaneError `config_invalid` when there is none */
  wrap(name: Pick<DataKey, "tenantId" | "subject" | "keyId">, secret: Uint8Array): WrappedKey {
    const kek = this.currentId === undefined ? undefined : this.#keys.get(this.currentId);
    if (this.currentId === undefined || kek === undefined) {
      const message =
        "Personal data cannot be encrypted without a key-encryption key: set personal.keys, or keep keys/personal.key in the data folder.";
      throw new EventplaneError("config_invalid", message);
    }
    const { subject, keyId } = name;
    return { subject, keyId, kekId: this.currentId, wrapped: wrapSecret(kek, name, secret) };
  }

  /** @throws EventplaneError `key_unknown` when none of them opens it */
  unwrap(tenantId: DataKey["tenantId"], { subject, keyId, kekId, wrapped }: WrappedKey): Buffer {
    const kek = this.#keys.get(kekId);
    const secret = kek === undefined ? undefined : unwrapSecret(kek, { tenantId, subject, keyId }, wrapped);
    if (secret !== undefined) return secret;
    throw new EventplaneError(
      "key_unknown",
      `Data key ${keyId} is wrapped by key-encryption key ${kekId}, which this process does not have: give it the same keys/personal.key as the others.`,
      { details: { keyId, kekId } },
    );
  }
}

/** Names a key without telling it. */
function kekIdOf(key: Uint8Array): string {
  return sha256("eventplane.key-encryption-key.v1\n", key).toString("hex").slice(0, idCharacters);
}

/**
 * SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677), so that a password reaches neither the server's log nor the wire when
 * it is set.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { EventplaneError } from "../../kernel/index.js";

const iterations = 4096;
const saltBytes = 16;
/** Outside printable ASCII a password would first have to be normalized by RFC 4013. */
const printableAscii = /^[\x21-\x7e]{1,512}$/;

/**
 * The text that PostgreSQL stores in place of `password`: `SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`.
 *
 * @throws EventplaneError `config_invalid` when the password has other characters than printable ASCII
 */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(saltBytes)): string {
  if (!printableAscii.test(password)) {
    throw new EventplaneError(
      "config_invalid",
      "A database password must be 1 to 512 printable ASCII characters without spaces; choose another one.",
    );
  }
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
  const storedKey = createHash("sha256").update(key("Client Key")).digest();
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(key("Server Key"))}`;
}

/** How messages from outside prove where they come from. */
import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { EventplaneError } from "../kernel/index.js";

/** A message from outside, before anybody believes it. */
export interface SourceMessage {
  readonly topic: string;
  /** The payload as JSON, exactly as it was signed. */
  readonly body: string | Uint8Array;
  /** Hexadecimal or base64; what stands before a `=` sign as in `sha256=…` is left out. */
  readonly signature: string;
  /** The sender's id of the message: becomes the event's id, and is taken once. */
  readonly id?: string;
  /** When it was sent, milliseconds since 1970. */
  readonly sentAtMs?: number;
}

/** Whether a message comes from its source. Anything but `true`, or an error, is a no. */
export type Verifier = (message: SourceMessage) => boolean | Promise<boolean>;

/** What a signature covers: the body alone, as foreign webhooks do, or id, time and topic too. */
export type Covered = "body" | "message";

const hmacKeyBytesMin = 16;

/**
 * The bytes that are signed: the body, or `id`, `sentAtMs` and `topic`, each with its length before it, and then the body.
 */
export function signedBytes(
  { topic, body, id = "", sentAtMs }: Omit<SourceMessage, "signature">,
  covers: Covered,
): Buffer {
  const bytes = Buffer.from(body);
  if (covers === "body") return bytes;
  const parts = [id, sentAtMs === undefined ? "" : String(sentAtMs), topic];
  return Buffer.concat([Buffer.from(parts.map((part) => `${Buffer.byteLength(part)}:${part}\n`).join("")), bytes]);
}

/**
 * HMAC-SHA-256 (RFC 2104) with a shared key of at least 16 bytes; compared in constant time.
 *
 * @throws EventplaneError `config_invalid` for a shorter key
 */
export function hmacVerifier(key: Uint8Array, options: { readonly covers?: Covered } = {}): Verifier {
  if (key.byteLength < hmacKeyBytesMin)
    throw new EventplaneError("config_invalid", `A key of a source has at least ${hmacKeyBytesMin} bytes.`);
  return (message) => {
    const expected = createHmac("sha256", key)
      .update(signedBytes(message, options.covers ?? "message"))
      .digest();
    const given = signatureBytes(message.signature);
    return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
  };
}

/**
 * Ed25519 (RFC 8032) with the source's public key in PEM.
 *
 * @throws EventplaneError `config_invalid` when it is no such key
 */
export function ed25519Verifier(publicKeyPem: string, options: { readonly covers?: Covered } = {}): Verifier {
  const key = ed25519Key(publicKeyPem);
  return (message) =>
    verify(null, signedBytes(message, options.covers ?? "message"), key, signatureBytes(message.signature));
}

function ed25519Key(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Said below; the parser's own words could hold parts of the key.
  }
  throw new EventplaneError("config_invalid", "The key of a source is an Ed25519 public key in PEM.");
}

const hexForm = /^[0-9a-f]+$/i;

/** Of what is no text, as of a header that is not there, nothing is left: it proves nothing. */
function signatureBytes(signature: unknown): Buffer {
  if (typeof signature !== "string") return Buffer.alloc(0);
  const text = signature.replace(/^[a-z0-9-]{1,20}=(?=.)/i, "");
  return Buffer.from(text, hexForm.test(text) ? "hex" : "base64");
}

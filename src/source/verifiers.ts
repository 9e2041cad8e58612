/**
 * How deliveries from outside prove who sent them: Standard Webhooks (v1, v1a), GitHub, Stripe, and any HMAC-SHA-256.
 *
 * A signature is checked over the bytes that came, before anything is parsed, against each of the source's secrets, in constant
 * time. A delivery is known by what its signature covers and nothing else, so that a copy of it is never another one.
 */
import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import type { DeliveryVerifier } from "../event/index.js";
import { EventplaneError, sha256 } from "../kernel/index.js";

/** How far the sender's clock may be off, and how late a delivery may come, seconds: the default of Standard Webhooks and Stripe. */
export const deliveryWindowSeconds = 300;
const secretBytesMin = 16;

/**
 * Standard Webhooks (https://www.standardwebhooks.com): `v1` HMAC-SHA-256 with secrets `whsec_<base64>` of 24 to 64 bytes, and `v1a`
 * Ed25519 with public keys `whpk_<base64>`. Known by its `webhook-id`; in time by its `webhook-timestamp`.
 */
export function standardWebhooks(): DeliveryVerifier {
  return {
    scheme: "standard-webhooks",
    verify: ({ headers, body }, { secrets, nowMs }) => {
      const id = headers["webhook-id"] ?? "";
      const timestamp = headers["webhook-timestamp"] ?? "";
      // A dot would let the id take over a part of what follows it.
      if (!/^[A-Za-z0-9_:-]{1,256}$/.test(id)) throw unverified();
      const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
      const signatures = (headers["webhook-signature"] ?? "").slice(0, signatureHeaderMax).split(" ");
      const given = signatures.slice(0, signaturesMax);
      if (!some(secrets, (secret) => standardSignatureHolds(given, secret, signed))) throw unverified();
      assertInTime(timestamp, nowMs);
      return id;
    },
  };
}

const signatureHeaderMax = 4_096;
/** Of one delivery: a sender signs with each of its keys that is in use. Anybody may send more, so no others are looked at. */
const signaturesMax = 8;

function standardSignatureHolds(signatures: readonly string[], secret: string, signed: Uint8Array): boolean {
  const of = (version: string): readonly Buffer[] =>
    signatures
      .filter((each) => each.startsWith(`${version},`))
      .map((each) => Buffer.from(each.slice(version.length + 1), "base64"));
  if (secret.startsWith("whsec_")) {
    const expected = hmac(standardSecret(secret), signed);
    return of("v1").some((given) => sameBytes(expected, given));
  }
  if (!secret.startsWith("whpk_")) return false;
  const key = standardPublicKey(secret);
  return of("v1a").some((given) => verify(null, signed, key, given));
}

function standardSecret(secret: string): Buffer {
  const bytes = Buffer.from(secret.slice("whsec_".length), "base64");
  if (bytes.byteLength >= 24 && bytes.byteLength <= 64) return bytes;
  throw misconfigured("A secret of Standard Webhooks is whsec_ and 24 to 64 bytes in base64.");
}

/** DER before the 32 bytes of an Ed25519 public key (RFC 8410). */
const ed25519Prefix = Buffer.from("302a300506032b6570032100", "hex");

function standardPublicKey(key: string): ReturnType<typeof createPublicKey> {
  const bytes = Buffer.from(key.slice("whpk_".length), "base64");
  if (bytes.byteLength !== 32)
    throw misconfigured("A public key of Standard Webhooks is whpk_ and 32 bytes in base64.");
  return createPublicKey({ key: Buffer.concat([ed25519Prefix, bytes]), format: "der", type: "spki" });
}

/**
 * GitHub: `x-hub-signature-256` over the body. The signature covers no id and no time, so a delivery is known by its body: sent again, at
 * any time and under any `x-github-delivery`, it is the same one.
 */
export function githubWebhooks(): DeliveryVerifier {
  return { ...hmacWebhooks({ header: "x-hub-signature-256", prefix: "sha256=" }), scheme: "github" };
}

/** Stripe: `stripe-signature` with `t` and one or more `v1` over `t.body`. Known by the `id` of the event in the body. */
export function stripeWebhooks(): DeliveryVerifier {
  return {
    scheme: "stripe",
    verify: ({ headers, body }, { secrets, nowMs }) => {
      const parts = (headers["stripe-signature"] ?? "").slice(0, signatureHeaderMax).split(",");
      const values = (name: string): readonly string[] =>
        parts.filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(name.length + 1));
      const [timestamp = ""] = values("t");
      const signed = Buffer.concat([Buffer.from(`${timestamp}.`), body]);
      const holds = some(secrets, (secret) => {
        const expected = hmac(Buffer.from(longEnough(secret)), signed);
        return values("v1").some((hex) => sameBytes(expected, Buffer.from(hex, "hex")));
      });
      if (!holds) throw unverified();
      assertInTime(timestamp, nowMs);
      return stripeId(body);
    },
  };
}

function stripeId(body: Uint8Array): string {
  let id: unknown;
  try {
    ({ id } = JSON.parse(Buffer.from(body).toString()) as { readonly id?: unknown }); // only read
  } catch {
    // Said below.
  }
  if (typeof id === "string" && /^evt_[A-Za-z0-9_]{1,250}$/.test(id)) return id;
  throw unverified();
}

/** A scheme of HMAC-SHA-256 in hexadecimal or base64. */
export interface HmacScheme {
  /** The header of the signature, in lower case. */
  readonly header: string;
  /** What stands before the signature, as `sha256=`; default nothing. */
  readonly prefix?: string;
  /** Default `hex`. */
  readonly encoding?: "hex" | "base64";
  /** The header of the time in Unix seconds; it is signed before the body with a dot behind it, and has to be in the window. */
  readonly timestampHeader?: string;
}

/** Any other sender that signs the body, or `time.body`, with HMAC-SHA-256. Known by all that is signed but the time. */
export function hmacWebhooks(scheme: HmacScheme): DeliveryVerifier {
  const { header, prefix = "", encoding = "hex", timestampHeader } = scheme;
  return {
    scheme: "hmac",
    verify: ({ headers, body }, { secrets, nowMs }) => {
      const text = headers[header] ?? "";
      const timestamp = timestampHeader === undefined ? undefined : (headers[timestampHeader] ?? "");
      const signed = timestamp === undefined ? body : Buffer.concat([Buffer.from(`${timestamp}.`), body]);
      const given = text.startsWith(prefix)
        ? Buffer.from(text.slice(prefix.length, signatureHeaderMax), encoding)
        : Buffer.alloc(0);
      if (!some(secrets, (secret) => sameBytes(hmac(Buffer.from(longEnough(secret)), signed), given)))
        throw unverified();
      if (timestamp !== undefined) assertInTime(timestamp, nowMs);
      return sha256(body).toString("hex");
    },
  };
}

/** Asks of all, also behind one that holds: how long it takes says not which. */
function some(secrets: readonly string[], holds: (secret: string) => boolean): boolean {
  return secrets.filter(holds).length > 0;
}

function hmac(key: Uint8Array, bytes: Uint8Array): Buffer {
  return createHmac("sha256", key).update(bytes).digest();
}

function sameBytes(expected: Buffer, given: Buffer): boolean {
  return expected.byteLength === given.byteLength && timingSafeEqual(expected, given);
}

function longEnough(secret: string): string {
  if (Buffer.byteLength(secret) >= secretBytesMin) return secret;
  throw misconfigured(`A secret of a source has at least ${secretBytesMin} bytes.`);
}

/** Asked only of a time that the signature covers. */
function assertInTime(timestamp: string, nowMs: number): void {
  const sentMs = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1_000 : Number.NaN;
  if (Math.abs(nowMs - sentMs) <= deliveryWindowSeconds * 1_000) return;
  const message = `The delivery was signed more than ${deliveryWindowSeconds} s from now. Send it again with a new signature, or set the clock.`;
  throw new EventplaneError("delivery_expired", message);
}

function unverified(): EventplaneError {
  return new EventplaneError("source_unverified", "The delivery does not prove that it comes from this source.");
}

function misconfigured(message: string): EventplaneError {
  return new EventplaneError("config_invalid", message);
}

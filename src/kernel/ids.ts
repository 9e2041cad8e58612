/**
 * Identifiers: branded types, the checks that make them, and the deterministic UUIDs (RFC 9562).
 *
 * The namespace and the bytes that go into a version 8 UUID are fixed for ever; docs/reference/vectors.json holds them.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { fields } from "./bytes.js";
import { uuid7Source } from "./uuid7.js";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** UUID of a tenant, lower case. */
export type TenantId = Branded<"TenantId">;
/** UUID of an event, lower case. */
export type EventId = Branded<"EventId">;
/** UUID of a signing key, lower case. */
export type SigningKeyId = Branded<"SigningKeyId">;

/** UUIDv5 of the DNS namespace and "eventplane": the root of every derived id. */
export const EVENTPLANE_NS = "35ef1c25-ccc6-537f-8859-408811bdce5b";

/** Makes new random ids; a port, so that tests can count instead. */
export interface IdSource {
  /** A new time-ordered UUIDv7. */
  uuid7(): string;
  /** A new random UUIDv4. */
  uuid4(): string;
}

/** Ids from the operating system's randomness. */
export const systemIds: IdSource = {
  uuid7: uuid7Source(
    () => Date.now(),
    () => randomUUID(),
  ),
  uuid4: () => randomUUID(),
};

/** Source of chance: a float in [0, 1). */
export type Random = () => number;

/** Chance from the operating system, for jitter. */
export const systemRandom: Random = () => randomBytes(4).readUInt32BE() / 2 ** 32;

/** Versions 1 to 8 of the variant of RFC 9562, and its two special values: all bits zero, all bits one. */
const uuidForm =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|0{8}(?:-0{4}){3}-0{12}|f{8}(?:-f{4}){3}-f{12})$/;
const versionAt = 14;

/** True for a UUID in lower case of any RFC 9562 version. */
export function isUuid(text: unknown): text is string {
  return typeof text === "string" && uuidForm.test(text);
}

/** The version nibble of a UUID: 1 to 8; 0 and 15 of the two special values. */
export function uuidVersion(uuid: string): number {
  return Number.parseInt(uuid.charAt(versionAt), 16);
}

/** The 16 bytes of a UUID. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}

/** The UUID in lower case of exactly 16 bytes. */
export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function stamped(hash: Buffer, uuidVersionNumber: number): string {
  const bytes = Buffer.from(hash.subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (uuidVersionNumber << 4);
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}

/** UUIDv5 (SHA-1, RFC 9562 §5.5) of a namespace UUID and raw bytes. */
export function uuid5(namespace: string, name: Uint8Array): string {
  return stamped(createHash("sha1").update(uuidBytes(namespace)).update(name).digest(), 5);
}

/** UUIDv8: the first 16 bytes of SHA-256 over the domain and the length-prefixed parts, version and variant stamped. */
export function uuid8(...parts: readonly string[]): string {
  const body = fields(parts.map((part) => Buffer.from(part, "utf8")));
  return stamped(createHash("sha256").update("eventplane.uuid8.v1\n").update(body).digest(), 8);
}

/** The tenant that holds tenants, keys and schemas themselves. The same in every installation; its slug is `platform`. */
export const PLATFORM_TENANT_ID: TenantId = uuid5(EVENTPLANE_NS, Buffer.from("platform", "utf8")) as TenantId;

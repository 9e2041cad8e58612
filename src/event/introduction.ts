/**
 * Introductions: the root key says which other key may sign what, and when.
 */
import {
  EventplaneError,
  fields,
  formatUs,
  i64be,
  isUuid,
  type JsonObject,
  parseUs,
  type Signer,
  type SigningKeyId,
  type Tier,
  uuidBytes,
} from "../kernel/index.js";
import type { EventKind } from "./event.js";
import { createSignatureCheck, signingKeyId } from "./signing.js";

/** A key as the root key introduces it: the spec of `signing-key.introduced`. */
export interface KeyIntroduction {
  readonly keyId: SigningKeyId;
  /** base64url of the 32 raw bytes. */
  readonly publicKey: string;
  readonly tier: Tier;
  readonly kinds: readonly EventKind[];
  /** RFC 3339 UTC: events recorded at or after it, and before `to`, may carry this key's proofs. */
  readonly from: string;
  readonly to: string | null;
  /** base64url of 64 bytes. */
  readonly rootSignature: string;
}

const tiers: readonly string[] = ["edge", "runtime", "signer", "operator"] satisfies Tier[];
const kinds: readonly string[] = ["intent", "fact", "internal"] satisfies EventKind[];

/** The bytes that the root key signs. */
export function introductionMessage(introduction: Omit<KeyIntroduction, "rootSignature">): Buffer {
  const text = (value: string): Buffer => Buffer.from(value, "utf8");
  const time = (value: string): Buffer => i64be(parseUs(value) ?? 0);
  return Buffer.concat([
    text("eventplane.introduction.v1\n"),
    fields([
      uuidBytes(introduction.keyId),
      Buffer.from(introduction.publicKey, "base64url"),
      text(introduction.tier),
      text(introduction.kinds.join(",")),
      time(introduction.from),
      introduction.to === null ? undefined : time(introduction.to),
    ]),
  ]);
}

/**
 * Introduces a key.
 *
 * @param rootSigner signs with the root key
 * @throws EventplaneError `request_invalid` when the times are not RFC 3339 or end before they begin
 */
export function introduceKey(
  rootSigner: Pick<Signer, "sign">,
  key: Pick<KeyIntroduction, "publicKey" | "tier" | "kinds" | "from"> & { readonly to?: string | null },
): KeyIntroduction {
  const from = parseUs(key.from);
  const to = key.to === undefined || key.to === null ? null : parseUs(key.to);
  if (from === undefined || to === undefined || (to !== null && to <= from)) {
    throw new EventplaneError(
      "request_invalid",
      "A key is introduced from an RFC 3339 time, and to a later one if it ends.",
    );
  }
  const introduction = {
    keyId: signingKeyId(key.publicKey),
    publicKey: key.publicKey,
    tier: key.tier,
    kinds: key.kinds,
    from: formatUs(from),
    to: to === null ? null : formatUs(to),
  };
  const rootSignature = Buffer.from(rootSigner.sign(introductionMessage(introduction))).toString("base64url");
  return { ...introduction, rootSignature };
}

/** The introduction as the spec of an event. */
export function introductionSpec(introduction: KeyIntroduction): JsonObject {
  return { ...introduction, kinds: [...introduction.kinds] };
}

/**
 * The introduction in a spec, with its form checked but not its signature.
 *
 * @throws EventplaneError `verification_failed`
 */
export function parseIntroduction(spec: JsonObject): KeyIntroduction {
  const { keyId, publicKey, tier, kinds: listed, from, to, rootSignature } = spec;
  const wellFormed =
    isUuid(keyId) &&
    typeof publicKey === "string" &&
    typeof tier === "string" &&
    tiers.includes(tier) &&
    Array.isArray(listed) &&
    listed.every((kind) => typeof kind === "string" && kinds.includes(kind)) &&
    isTime(from) &&
    (to === null || isTime(to)) &&
    typeof rootSignature === "string";
  if (!wellFormed)
    throw new EventplaneError(
      "verification_failed",
      "An introduction of a signing key lacks a part or has one of a wrong form.",
    );
  return { keyId, publicKey, tier, kinds: listed, from, to, rootSignature } as unknown as KeyIntroduction; // every member was checked above
}

/**
 * Checks an introduction with the root's public key, which must come from the verifier's owner, never from the data.
 *
 * @throws EventplaneError `verification_failed`
 */
export function verifyIntroduction(introduction: KeyIntroduction, rootPublicKey: string): void {
  if (introduction.keyId !== signingKeyId(introduction.publicKey)) {
    throw new EventplaneError(
      "verification_failed",
      `The introduction of key ${introduction.keyId} holds another key's public key.`,
    );
  }
  const signature = Buffer.from(introduction.rootSignature, "base64url");
  if (!createSignatureCheck(rootPublicKey)(introductionMessage(introduction), signature)) {
    throw new EventplaneError(
      "verification_failed",
      `The introduction of key ${introduction.keyId} is not signed by the root key.`,
    );
  }
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && parseUs(value) !== undefined;
}

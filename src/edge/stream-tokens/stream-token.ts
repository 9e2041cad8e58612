/**
 * A stream token: `eps_<claims>.<signature>`, both base64url. The claims are JSON; an edge signs them with the key that it
 * signs events with, under a domain of their own, so every edge that folds the platform's log can check them.
 *
 * It carries no rights: it names the API key that it was made with, and what of that key's rights it leaves. The key is looked up
 * whenever the token is shown.
 */
import type { KeyDirectory } from "../../event/index.js";
import {
  isEventplaneError,
  isUuid,
  type JsonObject,
  type Signer,
  type SigningKeyId,
  scanJson,
} from "../../kernel/index.js";
import type { ScopePart } from "../scope.js";

/** Longer ones are refused unread. */
const streamTokenCharactersMax = 4_096;

/** What a token may be for, with the grant that it takes. */
export const streamTokenActions = { subscribe: "subscriber", read: "reader" } as const;
/** One of {@link streamTokenActions}. */
export type StreamTokenAction = keyof typeof streamTokenActions;

/** What a token leaves of its key's rights. */
export interface StreamTokenLimits {
  readonly actions: readonly StreamTokenAction[];
  /** Types and beginnings of types, as scopes of keys are; absent: all. */
  readonly types?: readonly string[];
  readonly part: ScopePart;
  /** The pages that may use it, as browsers say it; absent: any. */
  readonly origin?: string;
}

/** What a token says. */
export interface StreamTokenClaims extends StreamTokenLimits {
  /** The API key that it was made with. */
  readonly keyId: string;
  /** Microseconds since 1970. */
  readonly endsAtUs: number;
}

/** What is known of a text that was shown. */
export type ReadStreamToken =
  | { readonly result: "signed"; readonly claims: StreamTokenClaims }
  /** It may have been signed by an edge whose key is not known here yet. */
  | { readonly result: "unknown" }
  | { readonly result: "refused" };

const prefix = "eps_";
/** Of the last character of 64 bytes only two bits count: one spelling is taken. */
const form = /^eps_([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{85}[AQgw])$/;
const domain = "eventplane.stream-token.v1\n";

/** Whether an Authorization header shows a stream token. */
export function streamTokenIn(header: string | undefined): string | undefined {
  return header?.startsWith(`Bearer ${prefix}`) === true ? header.slice("Bearer ".length) : undefined;
}

/** Writes and signs a token. */
export function writeStreamToken(signer: Signer, claims: StreamTokenClaims): string {
  const payload = Buffer.from(JSON.stringify({ signingKeyId: signer.keyId, ...claims })).toString("base64url");
  return `${prefix}${payload}.${Buffer.from(signer.sign(signed(payload))).toString("base64url")}`;
}

/** Reads a token and checks its signature, and nothing else. Never throws. */
export function readStreamToken(text: string, keys: KeyDirectory, nowUs: number): ReadStreamToken {
  const [, payload = "", signature = ""] = text.length > streamTokenCharactersMax ? [] : (form.exec(text) ?? []);
  const said = objectIn(payload);
  if (said === undefined || !isUuid(said.signingKeyId)) return { result: "refused" };
  const keyId = said.signingKeyId as string as SigningKeyId; // a UUID; whether it names a key is looked up
  if (!keys.has(keyId)) return { result: "unknown" };
  const { introduction, fromUs, toUs, check } = keys.get(keyId);
  const isEdge = introduction.tier === "edge" && nowUs >= fromUs && nowUs < toUs;
  if (!isEdge || !check(signed(payload), Buffer.from(signature, "base64url"))) return { result: "refused" };
  const { signingKeyId: _, ...claims } = said;
  return { result: "signed", claims: claims as unknown as StreamTokenClaims }; // an edge wrote it, as the signature says
}

function signed(payload: string): Buffer {
  return Buffer.from(domain + payload, "latin1");
}

function objectIn(segment: string): JsonObject | undefined {
  const bytes = Buffer.from(segment, "base64url");
  if (segment === "" || bytes.toString("base64url") !== segment) return undefined;
  try {
    const { value } = scanJson(bytes);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined; // the other cases are excluded
  } catch (error) {
    if (isEventplaneError(error)) return undefined;
    throw error;
  }
}

/** Whose tokens an edge takes, and what they mean here. */
import type { JsonObject } from "../kernel/index.js";

/** The signatures that may be asked for. None is symmetric. */
export const tokenAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;
/** One of {@link tokenAlgorithms}. */
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** What a token may be good for: the grants of API keys. */
export type TokenGrant = "publisher" | "reader" | "subscriber" | "admin";

/** An issuer of JSON Web Tokens (RFC 7519), as the configuration names it. */
export interface TokenIssuer {
  /** The claim `iss`, exactly. */
  readonly issuer: string;
  /** One of these must be in `aud`. */
  readonly audience: string | readonly string[];
  /** Where its keys are: `https:`, or `http:` on this machine. Give this or `publicKeys`. */
  readonly jwksUri?: string;
  /** Its keys as JWKs (RFC 7517), each with a `kid`. */
  readonly publicKeys?: readonly JsonObject[];
  readonly algorithms: readonly TokenAlgorithm[];
  /** The slug of the one tenant whose issuer it is, or the tenants that a claim may name: value → slug. */
  readonly tenant: string | { readonly claim: string; readonly tenants: Readonly<Record<string, string>> };
  /** The claim that says who asks; default `sub`. */
  readonly principal?: string;
  /** The same for every token, or by the roles that a claim lists: role → grants. */
  readonly grants:
    | readonly TokenGrant[]
    | { readonly claim: string; readonly roles: Readonly<Record<string, readonly TokenGrant[]>> };
  /** What is left of the grants of its tokens, as scopes of API keys are; absent: all of it. Not with the grant `admin`. */
  readonly scopes?: readonly string[];
}

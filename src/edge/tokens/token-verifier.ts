/**
 * From a token to who asks. Everything that is wrong with a token has one answer; nothing says what it was.
 *
 * A verified token is kept for at most a minute, so that a signature is not checked for every request; its end is looked at
 * every time, and whether its tenant exists too.
 */
import type { TokenAlgorithm, TokenIssuer } from "../../event/index.js";
import {
  type Clock,
  type JsonObject,
  type JsonValue,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
  uuid8,
} from "../../kernel/index.js";
import type { PlatformState } from "../platform/state.js";
import { type Grant, grantNames, type Principal } from "../principal.js";
import { Scopes } from "../scope.js";
import { IssuerKeys, type IssuerKeysDependencies } from "./issuer-keys.js";
import { type ReadToken, readToken } from "./read-token.js";

/** What a token said, once its signature was checked. */
interface VerifiedToken {
  readonly tenant: string;
  /** Who, in the words of the issuer. */
  readonly subject: string;
  readonly issuer: string;
  readonly keyId: string;
  readonly grants: ReadonlySet<Grant>;
  readonly scopes: Scopes | undefined;
  readonly endsAtUs: number;
  /** Kept until then, milliseconds of the monotonic clock. */
  readonly keptUntilMs: number;
}

/** An issuer of the configuration. */
interface KnownIssuer {
  readonly issuer: TokenIssuer;
  /** One object for all of its tokens. */
  readonly scopes: Scopes | undefined;
  readonly keys: IssuerKeys;
}

/** Clocks may differ by so much. */
const leewayUs = 30_000_000;
const keptMs = 60_000;
const keptMax = 10_000;
const subjectCharactersMax = 256;
const secondUs = 1_000_000;

/** Verifies tokens of the configured issuers. */
export class TokenVerifier {
  readonly #clock: Clock;
  readonly #issuers: ReadonlyMap<string, KnownIssuer>;
  readonly #kept = new Map<string, VerifiedToken>();
  readonly #grants = new Map<string, ReadonlySet<Grant>>();

  constructor(issuers: ReadonlyMap<string, TokenIssuer>, dependencies: IssuerKeysDependencies) {
    this.#clock = dependencies.clock;
    this.#issuers = new Map(
      [...issuers].map(([name, issuer]) => {
        const scopes = issuer.scopes === undefined ? undefined : new Scopes(issuer.scopes);
        return [name, { issuer, scopes, keys: new IssuerKeys(issuer, dependencies) }];
      }),
    );
  }

  /** Who shows the token, if it was verified a short while ago. */
  known(token: string, state: PlatformState): Principal | undefined {
    const verified = this.#kept.get(digestOf(token));
    if (verified === undefined || verified.keptUntilMs <= this.#clock.monotonicMs()) return undefined;
    return this.#principalOf(verified, state);
  }

  /**
   * Whether the token says the truth; then it is {@link known}.
   *
   * @throws EventplaneError `unavailable` when the issuer's keys cannot be read
   */
  async verify(token: string): Promise<boolean> {
    const read = readToken(token);
    const from = typeof read?.claims.iss === "string" ? this.#issuers.get(read.claims.iss) : undefined;
    if (read === undefined || from === undefined) return false;
    const { issuer, keys } = from;
    const algorithm = issuer.algorithms.find((each) => each === read.algorithm);
    if (algorithm === undefined || !(await isSigned(token, read, { keys, algorithm }))) return false;
    const verified = this.#readClaims(read, from);
    if (verified !== undefined) this.#keep(token, verified);
    return verified !== undefined;
  }

  #readClaims({ kid, claims }: ReadToken, { issuer, scopes }: KnownIssuer): VerifiedToken | undefined {
    const endsAtUs = this.#endOf(claims);
    const tenant = tenantOf(claims, issuer);
    const subject = claims[issuer.principal ?? "sub"];
    if (endsAtUs === undefined || tenant === undefined || !isMeantForUs(claims, issuer)) return undefined;
    if (typeof subject !== "string" || subject === "" || subject.length > subjectCharactersMax) return undefined;
    return {
      tenant,
      subject,
      issuer: issuer.issuer,
      keyId: uuid8("eventplane.token-key.v1", issuer.issuer, kid),
      grants: this.#grantsOf(claims, issuer),
      scopes,
      endsAtUs,
      keptUntilMs: this.#clock.monotonicMs() + keptMs,
    };
  }

  /** When the token ends; undefined when it has ended, has not begun, or does not say when. */
  #endOf({ exp, nbf, iat }: JsonObject): number | undefined {
    const nowUs = this.#clock.nowUs();
    if (typeof exp !== "number") return undefined;
    for (const from of [nbf, iat]) {
      if (from !== undefined && !(typeof from === "number" && from * secondUs <= nowUs + leewayUs)) return undefined;
    }
    const endsAtUs = exp * secondUs + leewayUs;
    return nowUs < endsAtUs ? endsAtUs : undefined;
  }

  /** One object for the same grants: rulings are kept by it. */
  #grantsOf(claims: JsonObject, { grants }: TokenIssuer): ReadonlySet<Grant> {
    const given =
      "claim" in grants ? rolesIn(claims[grants.claim]).flatMap((role) => own(grants.roles, role) ?? []) : grants;
    const names = grantNames.filter((name) => given.includes(name));
    const set = this.#grants.get(names.join()) ?? new Set(names);
    this.#grants.set(names.join(), set);
    return set;
  }

  #keep(token: string, verified: VerifiedToken): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= keptMax && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(digestOf(token), verified);
  }

  #principalOf(
    { tenant, issuer, subject, keyId, grants, scopes, endsAtUs }: VerifiedToken,
    state: PlatformState,
  ): Principal | undefined {
    const entry = state.tenant(tenant);
    if (entry === undefined || entry.id === PLATFORM_TENANT_ID || this.#clock.nowUs() >= endsAtUs) return undefined;
    const id = userIdOf(entry.id, issuer, subject);
    const scoped = scopes === undefined ? {} : { scopes };
    return { type: "user", id, tenantId: entry.id, grants, ...scoped, keyId, endsAtUs };
  }
}

/** Opaque, and the same for the same person of the same issuer: logs keep it for ever. */
function userIdOf(tenantId: TenantId, issuer: string, subject: string): string {
  return uuid8("eventplane.user.v1", tenantId, issuer, subject);
}

async function isSigned(
  token: string,
  { kid }: ReadToken,
  { keys, algorithm }: { readonly keys: IssuerKeys; readonly algorithm: TokenAlgorithm },
): Promise<boolean> {
  const key = await keys.key(kid, algorithm);
  if (key === undefined) return false;
  const { compactVerify } = await import("jose");
  return compactVerify(token, key, { algorithms: [algorithm] }).then(
    () => true,
    () => false,
  );
}

function isMeantForUs({ aud }: JsonObject, { audience }: TokenIssuer): boolean {
  const ours = typeof audience === "string" ? [audience] : audience;
  const named: readonly JsonValue[] = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud];
  return named.some((each) => ours.some((own) => own === each));
}

/** The slug; only one that the configuration gives to this issuer. */
function tenantOf(claims: JsonObject, { tenant }: TokenIssuer): string | undefined {
  if (typeof tenant === "string") return tenant;
  const named = claims[tenant.claim];
  return typeof named === "string" ? own(tenant.tenants, named) : undefined;
}

/** A list of texts, or one text with spaces between. */
function rolesIn(value: JsonValue | undefined): readonly string[] {
  if (typeof value === "string") return value.split(" ");
  return Array.isArray(value) ? value.map(String) : [];
}

/** What the configuration says, and never what every object has. */
function own<Value>(map: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

function digestOf(token: string): string {
  return sha256(token).toString("base64url");
}

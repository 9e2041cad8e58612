/** The issuers of a configuration, checked where they are written. */
import { scopePattern, scopesMax, type TokenIssuer, tokenAlgorithms } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";

const issuersMax = 64;
const textCharactersMax = 512;
const grantNames: readonly string[] = ["publisher", "reader", "subscriber", "admin"];
const loopback = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|localhost)$/;

/**
 * The issuers by their name.
 *
 * @throws EventplaneError `config_invalid`
 */
export function issuersOf(issuers: readonly TokenIssuer[]): ReadonlyMap<string, TokenIssuer> {
  if (issuers.length > issuersMax) throw invalid("", `there are more than ${issuersMax}`);
  for (const issuer of issuers) checkIssuer(issuer);
  const byName = new Map(issuers.map((issuer) => [issuer.issuer, Object.freeze({ ...issuer })]));
  if (byName.size < issuers.length) throw invalid("", "two have the same name");
  return byName;
}

function checkIssuer(given: TokenIssuer): void {
  const { issuer, audience, algorithms, tenant, principal = "sub", grants } = given;
  if (!isText(issuer)) throw invalid("", "issuer must be the text of the claim iss");
  const audiences = typeof audience === "string" ? [audience] : audience;
  if (audiences.length === 0 || !audiences.every(isText)) throw invalid(issuer, "audience must name at least one");
  if (algorithms.length === 0 || !algorithms.every((each) => tokenAlgorithms.includes(each)))
    throw invalid(issuer, `algorithms must be some of ${tokenAlgorithms.join(", ")}`);
  checkKeys(given);
  if (!isText(principal)) throw invalid(issuer, "principal must be the name of a claim");
  if (typeof tenant === "string") {
    if (!isText(tenant)) throw invalid(issuer, "tenant must be a slug");
  } else if (!isText(tenant.claim) || !isMapOf(tenant.tenants, isText)) {
    throw invalid(issuer, "tenant must name a claim and the tenants that it may name");
  }
  const isGrants = (list: unknown): boolean =>
    Array.isArray(list) && list.every((each: unknown) => grantNames.includes(String(each)));
  if (!(isGrants(grants) || ("claim" in grants && isText(grants.claim) && isMapOf(grants.roles, isGrants))))
    throw invalid(issuer, `grants must be some of ${grantNames.join(", ")}, or a claim and the grants of its roles`);
  checkScopes(given);
}

function checkScopes({ issuer, grants, scopes }: TokenIssuer): void {
  if (scopes === undefined) return;
  const form = new RegExp(scopePattern);
  if (
    !Array.isArray(scopes) ||
    scopes.length === 0 ||
    scopes.length > scopesMax ||
    !scopes.every((each) => isText(each) && form.test(each))
  )
    throw invalid(
      issuer,
      `scopes must be 1 to ${scopesMax} types such as organization.* and reader:organization.create`,
    );
  const given: readonly string[] = "claim" in grants ? Object.values(grants.roles).flat() : grants;
  if (given.includes("admin"))
    throw invalid(issuer, "with scopes it cannot give the grant admin, which makes keys without any");
  const unknown = scopes.find((scope) => scope.includes(":") && !given.includes(scope.split(":")[0] ?? ""));
  if (unknown !== undefined) throw invalid(issuer, `the scope ${unknown} names a grant that its tokens never have`);
}

function checkKeys({ issuer, jwksUri, publicKeys }: TokenIssuer): void {
  if ((jwksUri === undefined) === (publicKeys === undefined))
    throw invalid(issuer, "give either jwksUri or publicKeys");
  if (jwksUri !== undefined && !isKeysAddress(jwksUri))
    throw invalid(issuer, "jwksUri must begin with https://, or with http:// on this machine");
  if (publicKeys === undefined) return;
  const arePublic = publicKeys.every(
    (key) => isText(key.kid) && typeof key.kty === "string" && key.kty !== "oct" && key.d === undefined,
  );
  if (publicKeys.length === 0 || !arePublic) throw invalid(issuer, "publicKeys must be public JWKs, each with a kid");
}

function isKeysAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && loopback.test(hostname));
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= textCharactersMax;
}

function isMapOf(value: unknown, isValue: (value: unknown) => boolean): boolean {
  if (typeof value !== "object" || value === null) return false;
  const values: unknown[] = Object.values(value);
  return values.length > 0 && values.every(isValue);
}

function invalid(issuer: string, why: string): EventplaneError {
  const which = issuer === "" ? "The issuers cannot be used" : `The issuer ${issuer.slice(0, 200)} cannot be used`;
  return new EventplaneError("config_invalid", `${which}: ${why}.`);
}

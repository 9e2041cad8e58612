/**
 * The built-in rules: what each grant allows. Default deny; tenant equality is decided here, in code, before any rule.
 *
 * A ruling's id is a UUIDv8 of everything it depended on, so the same question has the same ruling and anybody can
 * rule it again from the policy set with this hash.
 */
import { PLATFORM_TENANT_ID, sha256, type TenantId, uuid8 } from "../kernel/index.js";

/** The grants that a key can have. */
export const grantNames = ["publisher", "reader", "subscriber", "admin"] as const;
/** One of {@link grantNames}. */
export type Grant = (typeof grantNames)[number];

/** What a caller may want of a tenant. */
export type Action = "PublishIntent" | "Read" | "Subscribe" | "Administer";

/** Who asks: taken from the credential alone. */
export interface Principal {
  /** `service` for an API key; `anonymous` before authentication; `system` for the plane itself. */
  readonly type: string;
  /** Opaque; survives key rotation. */
  readonly id: string;
  readonly tenantId: TenantId;
  readonly grants: ReadonlySet<Grant>;
  /** The API key that was shown, when one was; its revocation ends open connections. */
  readonly keyId?: string;
}

/** What the rules said. */
export interface Ruling {
  readonly allowed: boolean;
  readonly rulingId: string;
  readonly policySetHash: string;
  /** Names of the rules that allowed it; empty when denied. */
  readonly policies: readonly string[];
}

interface Rule {
  readonly name: string;
  readonly grant: Grant;
  readonly action: Action;
  /** `own`: the principal's tenant, the platform excepted for publishing. `any`: every tenant, for principals of the platform. */
  readonly tenants: "own" | "any";
}

const rules: readonly Rule[] = [
  { name: "publishers-publish", grant: "publisher", action: "PublishIntent", tenants: "own" },
  { name: "readers-read", grant: "reader", action: "Read", tenants: "own" },
  { name: "subscribers-subscribe", grant: "subscriber", action: "Subscribe", tenants: "own" },
  { name: "admins-administer-their-tenant", grant: "admin", action: "Administer", tenants: "own" },
  { name: "platform-admins-administer", grant: "admin", action: "Administer", tenants: "any" },
];

/** base64url SHA-256 of the rules' canonical text. */
export const builtInPolicySetHash: string = sha256("eventplane.rules.v1\n", JSON.stringify(rules)).toString(
  "base64url",
);

const keptRulingsMax = 1_000;
/** The question as it was asked, and its ruling. */
interface KeptRuling {
  readonly principal: Pick<Principal, "id" | "tenantId">;
  readonly action: Action;
  readonly tenantId: TenantId;
  readonly ruling: Ruling;
}

/**
 * Rulings by the grants of a key, which are one object as long as the key is what it is: a request asks twice, for 12 µs
 * each. `last` is compared first, because a key asks the same question again and again.
 */
const kept = new WeakMap<ReadonlySet<Grant>, { last: KeptRuling; readonly all: Map<string, KeptRuling> }>();

/** Rules whether `principal` may do `action` in `tenantId`. */
export function rule(principal: Principal, action: Action, tenantId: TenantId): Ruling {
  const own = kept.get(principal.grants);
  if (own !== undefined && answers(own.last, principal, action, tenantId)) return own.last.ruling;
  const question = `${principal.tenantId} ${principal.id} ${action} ${tenantId}`;
  const all = own === undefined || own.all.size >= keptRulingsMax ? new Map<string, KeptRuling>() : own.all;
  const { id, tenantId: home } = principal;
  const last = all.get(question) ?? {
    principal: { id, tenantId: home },
    action,
    tenantId,
    ruling: ruleAnew(principal, action, tenantId),
  };
  all.set(question, last);
  kept.set(principal.grants, { last, all });
  return last.ruling;
}

function answers(given: KeptRuling, principal: Principal, action: Action, tenantId: TenantId): boolean {
  return (
    given.action === action &&
    given.tenantId === tenantId &&
    given.principal.id === principal.id &&
    given.principal.tenantId === principal.tenantId
  );
}

function ruleAnew(principal: Principal, action: Action, tenantId: TenantId): Ruling {
  const policies = rules.filter((each) => applies(each, principal, action, tenantId)).map((each) => each.name);
  const grants = [...principal.grants].sort().join(",");
  return {
    allowed: policies.length > 0,
    rulingId: uuid8(builtInPolicySetHash, principal.tenantId, principal.id, grants, action, tenantId),
    policySetHash: builtInPolicySetHash,
    policies,
  };
}

function applies(candidate: Rule, principal: Principal, action: Action, tenantId: TenantId): boolean {
  if (candidate.action !== action || !principal.grants.has(candidate.grant)) return false;
  if (candidate.tenants === "any") return principal.tenantId === PLATFORM_TENANT_ID;
  const isPlatform = tenantId === PLATFORM_TENANT_ID;
  return principal.tenantId === tenantId && !(isPlatform && action === "PublishIntent");
}

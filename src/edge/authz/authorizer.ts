/**
 * Rules whether a principal may do something: tenant equality in code, then the policies, and every answer kept.
 *
 * Only the principal, its grants, the action and the class of the resource are looked at, never a payload or the time, so
 * an answer holds for as long as its policy set.
 */
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { Grant, Principal } from "../principal.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Cedar, Verdict } from "./cedar.js";
import { entitiesOf } from "./entities.js";
import type { PolicySet } from "./policy-set.js";
import { type Action, type Asker, grantsText, type Question, type Ruling, rulingIdOf, type Target } from "./ruling.js";

/** Which policies rule. */
export interface PolicySource {
  /** The set for questions of this principal about this tenant; the same object until policies change. */
  policySet(principal: Asker, tenantId: TenantId): PolicySet;
}

/** What authorization needs. */
export interface AuthorizerDependencies {
  readonly cedar: Cedar;
  readonly policies: PolicySource;
  /** Hears of questions that the engine could not decide; they were denied. */
  readonly report: (failure: string, ruling: Ruling) => void;
}

/** Rulings kept; at twice as many, those that were not asked for since are forgotten. */
const keptRulingsMax = 5_000;

/** Rules on questions. */
export class Authorizer {
  readonly #dependencies: AuthorizerDependencies;
  readonly #last = new WeakMap<ReadonlySet<Grant>, LastRuling>();
  readonly #grants = new WeakMap<ReadonlySet<Grant>, string>();
  #recent = new Map<string, Ruling>();
  #older: ReadonlyMap<string, Ruling> = new Map();

  constructor(dependencies: AuthorizerDependencies) {
    this.#dependencies = dependencies;
  }

  /** What the policies say; the same question has the same ruling for as long as they stay as they are. */
  rule(principal: Asker, action: Action, { tenantId, resource = "tenant" }: Target): Ruling {
    const set = this.#dependencies.policies.policySet(principal, tenantId);
    // A credential asks the same question again and again.
    const last = this.#last.get(principal.grants);
    if (last !== undefined && isSame(last, { set, principal, action, tenantId, resource })) return last.ruling;
    const ruling = this.#kept(set, { principal, action, tenantId, resource });
    const { type, id, tenantId: home } = principal;
    this.#last.set(principal.grants, {
      set,
      principal: { type, id, tenantId: home },
      action,
      tenantId,
      resource,
      ruling,
    });
    return ruling;
  }

  #kept(set: PolicySet, { principal, action, tenantId, resource }: Question): Ruling {
    // Types and ids may hold anything: the length before the one and the end after the other keep keys apart.
    const who = `${principal.tenantId} ${this.#grantsOf(principal)} ${principal.type.length} ${principal.type} ${principal.id}`;
    const key = `${set.hash} ${action} ${tenantId} ${resource} ${who}`;
    const known = this.#recent.get(key);
    if (known !== undefined) return known;
    const ruling = this.#older.get(key) ?? this.ruleBy(set, { principal, action, tenantId, resource });
    if (this.#recent.size >= keptRulingsMax) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, ruling);
    return ruling;
  }

  /**
   * The ruling, if it allows.
   *
   * @throws EventplaneError `forbidden`
   */
  assertAllowed(principal: Principal, action: Action, target: Target): Ruling {
    const ruling = this.rule(principal, action, target);
    if (!ruling.allowed) throw forbidden();
    return ruling;
  }

  /** What this set says, which need not be in force; not kept. */
  ruleBy(set: PolicySet, question: Question): Ruling {
    const { allowed, policies, failure }: Verdict = mayBeAsked(question)
      ? this.#dependencies.cedar.decide(set, entitiesOf(question))
      : { allowed: false, policies: [] };
    const ruling = { allowed, rulingId: rulingIdOf(set.hash, question), policySetHash: set.hash, policies };
    if (failure !== undefined) this.#dependencies.report(failure, ruling);
    return ruling;
  }

  #grantsOf({ grants }: Asker): string {
    const known = this.#grants.get(grants);
    if (known !== undefined) return known;
    const text = grantsText(grants);
    this.#grants.set(grants, text);
    return text;
  }
}

/** The question as it was asked with these grants, and its ruling. */
interface LastRuling extends Omit<Question, "principal"> {
  readonly set: PolicySet;
  readonly principal: Pick<Asker, "type" | "id" | "tenantId">;
  readonly ruling: Ruling;
}

function isSame(
  last: LastRuling,
  { set, principal, action, tenantId, resource }: Question & { set: PolicySet },
): boolean {
  return (
    last.set === set &&
    last.action === action &&
    last.resource === resource &&
    last.tenantId === tenantId &&
    last.principal.id === principal.id &&
    last.principal.tenantId === principal.tenantId &&
    last.principal.type === principal.type
  );
}

/** Tenant equality, before any policy: no text that anybody writes can reach across tenants. */
function mayBeAsked({ principal, action, tenantId }: Question): boolean {
  return principal.tenantId === tenantId || (principal.tenantId === PLATFORM_TENANT_ID && action === "Administer");
}

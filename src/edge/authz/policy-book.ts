/**
 * The policies that were applied, folded from the platform log, and the sets that they make.
 *
 * What rules on a tenant: the base, what the platform added for all, and, for principals of the tenant alone, what the tenant
 * added. A tenant's policies never rule on principals of the platform, so nobody can lock its operators out.
 */
import type { EventRow } from "../../event/index.js";
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { PolicySource } from "./authorizer.js";
import { basePolicies } from "./base-policies.js";
import { type PolicySet, policySetOf } from "./policy-set.js";
import { readPolicies } from "./policy-text.js";
import type { Asker } from "./ruling.js";

/** The type of the intent that applies policies; its stream is `policy/<tenant id>`. */
export const policyApplyType = "policy.apply";

/** The type of the fact that holds the base policies of a release: `{hash, policies}`. */
export const policyBaseType = "policy-base.registered";

/** Policies as a tenant, or the platform, has them. */
export interface AppliedPolicies {
  readonly text: string;
  /** The generation of the stream: how often policies were applied. */
  readonly version: number;
  /** Microseconds since 1970. */
  readonly appliedAtUs: number;
}

/** Policies of one origin: id in the set → Cedar text. */
export type PolicyLayer = Readonly<Record<string, string>>;

/** Where nobody applied any. */
export const noLayer: PolicyLayer = {};
/** Denies everybody: no engine can read it. */
const unreadable: PolicyLayer = { unreadable: "" };

/** Folds applied policies into sets. */
export class PolicyBook implements PolicySource {
  readonly #applied = new Map<TenantId, AppliedPolicies>();
  readonly #layers = new Map<TenantId, PolicyLayer>();
  readonly #sets = new Map<TenantId, PolicySet>();

  /** Folds a verified `policy.apply`. What cannot be read, because an older edge is stricter, denies; it stops no edge. */
  apply(row: EventRow): void {
    const tenantId = row.aggregateId as TenantId; // the administration makes the stream of a tenant
    const text = textOf(row);
    this.#applied.set(tenantId, { text, version: row.generation, appliedAtUs: row.recordedAtUs });
    this.#layers.set(tenantId, layerOf(tenantId, text));
    if (tenantId === PLATFORM_TENANT_ID) this.#sets.clear();
    else this.#sets.delete(tenantId);
  }

  /** What a tenant has; undefined when nobody ever applied any. */
  applied(tenantId: TenantId): AppliedPolicies | undefined {
    return this.#applied.get(tenantId);
  }

  policySet(principal: Pick<Asker, "tenantId">, tenantId: TenantId): PolicySet {
    const isOwn = principal.tenantId === tenantId && this.#layers.has(tenantId);
    const of = isOwn ? tenantId : PLATFORM_TENANT_ID;
    const known = this.#sets.get(of);
    if (known !== undefined) return known;
    const set = this.#setOf(of, this.#layers.get(of) ?? noLayer);
    this.#sets.set(of, set);
    return set;
  }

  /** What would rule if the tenant, or the platform, had these policies instead of its own. */
  with(tenantId: TenantId, text: string): PolicySource {
    const candidate = new PolicyBook();
    for (const [of, layer] of this.#layers) candidate.#layers.set(of, layer);
    candidate.#layers.set(tenantId, layerOf(tenantId, text));
    return candidate;
  }

  #setOf(tenantId: TenantId, layer: PolicyLayer): PolicySet {
    const shared = tenantId === PLATFORM_TENANT_ID ? noLayer : (this.#layers.get(PLATFORM_TENANT_ID) ?? noLayer);
    return policySetOf({ ...basePolicies, ...shared, ...layer });
  }
}

/** The policies of a file under ids that neither the base nor another layer can have. */
export function layerOf(tenantId: TenantId, text: string): PolicyLayer {
  const { parts, problems } = readPolicies(text);
  if (problems.length > 0) return unreadable;
  const prefix = tenantId === PLATFORM_TENANT_ID ? "platform" : "tenant";
  return Object.fromEntries(parts.map((part) => [`${prefix}/${part.id}`, part.text]));
}

/** Of an event that is not what its type says, a text that denies. */
function textOf(row: EventRow): string {
  const { text } = JSON.parse(row.specText) as { readonly text?: unknown }; // a spec is always a JSON object: the store's contract
  return typeof text === "string" ? text : ";";
}

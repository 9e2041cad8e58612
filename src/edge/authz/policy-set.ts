/** A set of policies under the hash of its texts. */
import { sha256 } from "../../kernel/index.js";
import { basePolicies } from "./base-policies.js";

/** Policies that rule together. One object for as long as nothing changes. */
export interface PolicySet {
  /** base64url SHA-256 of the texts; stands in every stamp. */
  readonly hash: string;
  /** Policy id → Cedar text. */
  readonly policies: Readonly<Record<string, string>>;
}

/** The set of these policies. */
export function policySetOf(policies: Readonly<Record<string, string>>): PolicySet {
  const texts = Object.entries(policies).sort(([one], [other]) => (one < other ? -1 : 1));
  return { hash: sha256("eventplane.policies.v1\n", JSON.stringify(texts)).toString("base64url"), policies };
}

/** The set that rules where nobody wrote policies. */
export const basePolicySet: PolicySet = policySetOf(basePolicies);

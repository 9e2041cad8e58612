/**
 * A question to the policies, and what they said.
 *
 * A ruling's id is a UUIDv8 of everything that it depends on, so the same question has the same ruling, every edge gives
 * it the same id, and anybody can rule again who has the policy set with this hash.
 */
import { type TenantId, uuid8 } from "../../kernel/index.js";
import type { Grant, Principal } from "../principal.js";

/** What a caller may want of a tenant. */
export const actionNames = ["PublishIntent", "PublishFact", "Read", "Subscribe", "Administer"] as const;
/** One of {@link actionNames}. */
export type Action = (typeof actionNames)[number];

/** The parts of the administration. */
export const areaNames = [
  "tenants",
  "keys",
  "policies",
  "quotas",
  "schemas",
  "projections",
  "controllers",
  "dead-letters",
  "effects",
  "replays",
  "webhooks",
  "subjects",
  "processes",
] as const;

/**
 * Which part of a tenant is meant, as far as policies can tell parts apart: `tenant` is all of it, the others are
 * `type:organization.create`, `aggregate:organization`, `projection:by-plan`, `area:keys`. Never an id.
 */
export type ResourceClass =
  | "tenant"
  | `${"type" | "aggregate" | "projection"}:${string}`
  | `area:${(typeof areaNames)[number]}`;

/** What is asked for, and of whom. */
export interface Target {
  readonly tenantId: TenantId;
  /** Default `tenant`. */
  readonly resource?: ResourceClass | undefined;
}

/** Who asks, as far as a ruling depends on it. */
export type Asker = Pick<Principal, "type" | "id" | "tenantId" | "grants">;

/** A question with nothing left open. */
export interface Question {
  readonly tenantId: TenantId;
  readonly resource: ResourceClass;
  readonly principal: Asker;
  readonly action: Action;
}

/** What the policies said. */
export interface Ruling {
  readonly allowed: boolean;
  readonly rulingId: string;
  readonly policySetHash: string;
  /** Ids of the policies that decided: those that allowed it, or that forbade it. Empty when none allowed it. */
  readonly policies: readonly string[];
}

/** The id of the ruling of this policy set on this question. */
export function rulingIdOf(policySetHash: string, { principal, action, tenantId, resource }: Question): string {
  const { type, id, tenantId: home, grants } = principal;
  return uuid8("eventplane.ruling.v1", policySetHash, type, id, home, grantsText(grants), action, tenantId, resource);
}

/** The grants in one order. */
export function grantsText(grants: ReadonlySet<Grant>): string {
  return [...grants].sort().join(",");
}

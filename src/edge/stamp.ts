/** The stamp of the edge: who asked, with which credential, and which ruling allowed it. */
import type { CausedBy } from "../event/index.js";
import type { Ruling } from "./authz/ruling.js";
import type { Principal } from "./principal.js";

/** What the edge knows of a request. */
export interface StampedRequest {
  readonly principal: Pick<Principal, "type" | "id" | "keyId">;
  readonly via: string;
  readonly requestId: string;
  readonly ruling: Pick<Ruling, "rulingId" | "policySetHash" | "policies">;
  readonly edge: string;
  /** RFC 3339 UTC. */
  readonly at: string;
}

/** Members in the order in which they are written out and signed. */
export function stampOf({ principal, via, requestId, ruling, edge, at }: StampedRequest): CausedBy {
  return {
    principal: { type: principal.type, id: principal.id },
    via,
    requestId,
    rulingId: ruling.rulingId,
    policySetHash: ruling.policySetHash,
    policies: ruling.policies,
    edge,
    keyId: principal.keyId ?? null,
    at,
  };
}

/** Policies of a tenant, or of the platform for all: read, applied, and looked back at by administrators. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import { policyLimits } from "../authz/policy-text.js";
import {
  applyPolicies,
  checkPolicies,
  currentPolicies,
  type PolicyWish,
  policyVersion,
  policyVersions,
  problemText,
} from "../policies/administration.js";
import { changeJson, dryRun } from "../policies/dry-run.js";
import { explainRuling } from "../policies/explain.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { followedVersion } from "./if-match.js";
import { integerOf, readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/policies";
/** A text of nothing but line ends is written with two characters each. */
const bodyBytesMax = 2 * policyLimits.textBytesMax + 1_024;

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addPolicyRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:policies", ofCaller: true } as const;
  routes.tenant({
    ...shared,
    method: "GET",
    url,
    handle: async (request, reply, caller) => show(parts, reply, tenantIn(parts, request, caller)),
  });
  routes.tenant({
    ...shared,
    method: "PUT",
    url,
    handle: (request, reply, caller) => apply(parts, { request, reply, caller }),
  });
  routes.tenant({
    ...shared,
    method: "POST",
    url: `${url}/dry-run`,
    handle: (request, _reply, caller) => test(parts, request, caller),
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/rulings/:id`,
    handle: async (request, _reply, caller) => {
      const { id } = request.params as { readonly id: string }; // of the route's address
      return explainRuling(parts, tenantIn(parts, request, caller), uuidOf("id", id));
    },
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/versions`,
    handle: async (request, _reply, caller) => ({
      versions: await policyVersions(parts, tenantIn(parts, request, caller)),
    }),
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/versions/:version`,
    handle: async (request, _reply, caller) => {
      const { version } = request.params as { readonly version: string }; // of the route's address
      return policyVersion(parts, tenantIn(parts, request, caller), versionOf(version));
    },
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

function show(parts: EdgeParts, reply: FastifyReply, tenantId: TenantId): unknown {
  const current = currentPolicies(parts, tenantId);
  return reply.header("etag", `"${current.version}"`).send(current);
}

async function apply(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  const tenantId = tenantIn(parts, request, caller);
  const wish = await wishOf(parts, tenantId, request);
  const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
  const { warnings } = await applyPolicies(parts, wish, { principal: caller.principal, stamp });
  const current = currentPolicies(parts, tenantId);
  return reply.header("etag", `"${current.version}"`).send({ ...current, warnings: warnings.map(problemText) });
}

/** What is wrong and odd about a file, and what it would change; nothing is applied. */
async function test(parts: EdgeParts, request: FastifyRequest, caller: Caller): Promise<unknown> {
  const tenantId = tenantIn(parts, request, caller);
  const { text } = readBody(request, ["text"], bodyBytesMax);
  if (typeof text !== "string")
    throw new EventplaneError("request_invalid", "The body has text, a policy file.", {
      details: { pointer: "/text" },
    });
  const { policies, warnings } = await checkPolicies(parts, text);
  const report = await dryRun(parts, { tenantId, text });
  return {
    tenantId,
    policies,
    warnings: warnings.map(problemText),
    ...report,
    changes: report.changes.map(changeJson),
  };
}

/** The body has the text, or the version whose text is brought back. */
async function wishOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): Promise<PolicyWish> {
  const follows = followedVersion(request);
  const { text, version } = readBody(request, ["text", "version"], bodyBytesMax);
  if (typeof text === "string" && version === undefined) return { tenantId, text, follows };
  if (text !== undefined || typeof version !== "number" || !Number.isSafeInteger(version)) {
    const message = "The body has text, a policy file, or version, the number of one to bring back.";
    throw new EventplaneError("request_invalid", message, { details: { pointer: "/text" } });
  }
  const restored = await policyVersion(parts, tenantId, version);
  return { tenantId, text: restored.text, follows, restores: version };
}

function tenantIn(parts: EdgeParts, request: FastifyRequest, caller: Caller): TenantId {
  const { tenant } = readQuery(request.query, ["tenant"]);
  return tenantOfQuery(parts, tenant, caller);
}

function versionOf(text: string): number {
  const version = integerOf({ version: text }, "version", { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (version === undefined) throw new EventplaneError("internal", "An address without a version.");
  return version;
}

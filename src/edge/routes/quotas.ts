/** Quotas of tenants: set by operators of the platform, read by admins of the tenant too. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { quotaMemberNames } from "../../quota/index.js";
import { quotaOf, setQuota } from "../quotas/administration.js";
import { administrationOf, assertPlatform, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { followedVersion } from "./if-match.js";
import { readQuery } from "./query.js";

const url = "/v1/admin/tenants/:t/quota";
const ofQuotas = { url, action: "Administer", resource: "area:quotas" } as const;

/** Registers the routes. */
export function addQuotaRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    ...ofQuotas,
    method: "GET",
    handle: async (request, reply, caller) => {
      readQuery(request.query, []);
      return answer(parts, reply, caller);
    },
  });
  routes.tenant({
    ...ofQuotas,
    method: "PUT",
    handle: (request, reply, caller) => set(parts, request, { reply, caller }),
  });
}

async function set(
  parts: EdgeParts,
  request: FastifyRequest,
  { reply, caller }: { readonly reply: FastifyReply; readonly caller: Caller },
): Promise<unknown> {
  assertPlatform(caller);
  readQuery(request.query, []);
  const follows = followedVersion(request);
  const spec = readBody(request, quotaMemberNames);
  const stamp = parts.administration.stamp(administrationOf(request, caller), caller.tenantId);
  await setQuota(parts, { tenantId: caller.tenantId, spec, follows }, stamp);
  return answer(parts, reply, caller);
}

function answer(parts: EdgeParts, reply: FastifyReply, { tenantId }: Caller): unknown {
  const quota = quotaOf(parts, tenantId);
  return reply.header("etag", `"${quota.version}"`).send(quota);
}

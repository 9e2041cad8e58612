/**
 * Projections for operators: how they stand, and what is asked of them, each a system fact: in the log of the tenant, or in
 * the platform's for all tenants. The leader of the projection acts on the fact, so the request and its effect cannot part.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventFactory, type ProjectionDefinition } from "../../event/index.js";
import { EventplaneError, type JsonObject, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import {
  PlatformRequests,
  type ProjectionRequest,
  projectionRequests,
  type TenantProjection,
} from "../../projection/index.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";
import { administrationOf, assertPlatform } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { tableQueryOf } from "./projections.js";
import { readQuery } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/projections";
const stoppedMax = 100;

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own; the platform's means all. */
export function addAdminProjectionRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:projections" } as const;
  const ofCaller = true;
  routes.tenant({
    method: "GET",
    url,
    ...shared,
    ofCaller,
    handle: async (request, _reply, caller) => {
      const tenantId = tenantIn(parts, request, caller);
      const definitions = [...parts.app.projections.values()];
      return { projections: await Promise.all(definitions.map((each) => standing(parts, each, tenantId))) };
    },
  });
  routes.tenant({
    method: "GET",
    url: `${url}/:name`,
    ...shared,
    ofCaller,
    handle: async (request, _reply, caller) => {
      const definition = definitionOf(parts, request);
      const tenantId = tenantIn(parts, request, caller);
      const shown = await standing(parts, definition, tenantId);
      if (tenantId !== PLATFORM_TENANT_ID) return shown;
      return { ...shown, stoppedTenants: await parts.projections.overview.stopped(definition.name, stoppedMax) };
    },
  });
  routes.tenant({
    method: "GET",
    url: `${url}/:name/across-tenants`,
    ...shared,
    handle: async (request, _reply, caller) => {
      assertPlatform(caller);
      const { name } = request.params as { readonly name: string }; // of the route's address
      return parts.queries.acrossTenants(name, tableQueryOf(request.query));
    },
  });
  // The keys of the table are what can be asked.
  for (const asked of Object.keys(projectionRequests) as ProjectionRequest[]) {
    routes.tenant({
      method: "POST",
      url: `${url}/:name/${asked}`,
      ...shared,
      ofCaller,
      handle: (request, reply, caller) => ask(parts, asked, { request, reply, caller }),
    });
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function ask(parts: EdgeParts, asked: ProjectionRequest, { request, reply, caller }: Exchange): Promise<unknown> {
  const { name } = definitionOf(parts, request);
  const tenantId = tenantIn(parts, request, caller);
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
  const fact = { tenantId, type: projectionRequests[asked], aggregateId: name, spec: {} };
  const outcome = await parts.log.append({ tenantId, items: [factory.systemFact(fact, stamp)] });
  if (outcome.result === "refused") throw refusalError(outcome);
  return reply.code(202).send({ receipt: outcome.receipts[0] });
}

function definitionOf(parts: EdgeParts, request: FastifyRequest): ProjectionDefinition {
  const { name } = request.params as { readonly name: string }; // of the route's address
  const definition = parts.app.projections.get(name);
  if (definition !== undefined) return definition;
  throw new EventplaneError("not_found", "This app has no such projection.");
}

function tenantIn(parts: EdgeParts, request: FastifyRequest, caller: Caller): TenantId {
  return tenantOfQuery(parts, readQuery(request.query, ["tenant"]).tenant, caller);
}

/** Of one tenant, or of all together where the tenant is the platform. */
async function standing(
  parts: EdgeParts,
  { name, version }: ProjectionDefinition,
  tenantId: TenantId,
): Promise<JsonObject> {
  const platform = new PlatformRequests(parts.reader, name);
  await platform.read();
  const { overview } = parts.projections;
  if (tenantId === PLATFORM_TENANT_ID) {
    const summary = await overview.summary(name, platform.version);
    return {
      name,
      version,
      isPaused: platform.isPaused,
      requests: platform.version,
      ...summary,
    } as unknown as JsonObject; // a summary is JSON
  }
  const [tenant, { position: head }] = await Promise.all([
    overview.tenant(tenantId, name),
    parts.reader.head(tenantId),
  ]);
  const isPaused = tenant.isPaused || platform.isPaused;
  return { name, version, tenantId, ...(await tenantJson(parts, { tenantId, tenant, head, isPaused })) };
}

async function tenantJson(
  { reader, clock }: EdgeParts,
  given: {
    readonly tenantId: TenantId;
    readonly tenant: TenantProjection;
    readonly head: number;
    readonly isPaused: boolean;
  },
): Promise<JsonObject> {
  const { tenantId, tenant, head, isPaused } = given;
  const { builds, failure, check, ownVersion } = tenant;
  const live = builds.find(({ role }) => role === "live");
  const fresh = builds.find(({ role }) => role === "rebuild" || role === "verify");
  const position = live?.cursor?.position ?? 0;
  const [waiting] = position < head ? await reader.read(tenantId, { after: position, limit: 1 }) : [];
  const lagSeconds = waiting === undefined ? 0 : Math.max(0, (clock.nowUs() - waiting.recordedAtUs) / 1_000_000);
  return {
    state: isPaused ? "paused" : failure !== undefined ? "stopped" : live === undefined ? "waiting" : "running",
    requests: ownVersion,
    position,
    head,
    lagEvents: Math.max(0, head - position),
    lagSeconds,
    liveVersion: live?.version ?? null,
    failure: failure === undefined ? null : { ...failure },
    fresh: fresh === undefined ? null : { role: fresh.role, position: fresh.cursor?.position ?? 0 },
    check: check === undefined ? null : { ...check, isSame: check.live === check.fresh },
  };
}

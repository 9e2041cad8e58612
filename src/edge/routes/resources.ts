/** Materialized resources: a list and one, with the generation as ETag, on request not older than a position. */
import type { Resource } from "../../event/index.js";
import { EventplaneError, type JsonObject, type TenantId } from "../../kernel/index.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Scope } from "../scope.js";
import type { EdgeParts, Routes } from "./context.js";
import { aggregateIdOf, aggregateTypeOf, limitOf, positionOf, type Query, readClassOf, readQuery } from "./query.js";

/** Registers the routes. */
export function addResourceRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/resources/:aggregateType",
    action: "Read",
    withinScope: true,
    resource: readClassOf,
    handle: async (request, _reply, { tenantId, scope }) => {
      const query = readQuery(request.query, ["after", "limit", "minPosition"]);
      const { aggregateType } = request.params as { readonly aggregateType: string }; // of the route's address
      assertWhole(scope, aggregateType);
      const wanted = { aggregateType: aggregateTypeOf(aggregateType), limit: limitOf(query) };
      const after = query.after === undefined ? {} : { after: aggregateIdOf(query.after) };
      await reach(parts, tenantId, query);
      const { resources, next } = await parts.resources.list(tenantId, { ...wanted, ...after });
      return { resources: resources.map(resourceJson), next };
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/resources/:aggregateType/:aggregateId",
    action: "Read",
    withinScope: true,
    resource: readClassOf,
    handle: async (request, reply, { tenantId, scope }) => {
      const query = readQuery(request.query, ["minPosition"]);
      const names = request.params as { readonly aggregateType: string; readonly aggregateId: string }; // of the route's address
      assertWhole(scope, names.aggregateType, names.aggregateId);
      const stream = {
        aggregateType: aggregateTypeOf(names.aggregateType),
        aggregateId: aggregateIdOf(names.aggregateId),
      };
      await reach(parts, tenantId, query);
      const resource = await parts.resources.get(tenantId, stream);
      if (resource === undefined) throw new EventplaneError("not_found", "This tenant has no such resource.");
      return reply.header("etag", `"${resource.generation}"`).send(resourceJson(resource));
    },
  });
}

/** A resource is made of all events of its stream, so only who may see them all may see it. */
function assertWhole(scope: Scope | undefined, aggregateType: string, aggregateId?: string): void {
  if (scope?.allowsAggregate(aggregateType, aggregateId) === false) throw forbidden();
}

/** A resource as it leaves the system: without what only derived events need. */
function resourceJson({
  origin,
  expected,
  effects,
  emits: _emits,
  reconciles: _reconciles,
  ...resource
}: Resource): JsonObject {
  const shown = {
    ...resource,
    effects: Object.values(effects),
    waitsFor: expected,
    originId: origin?.id ?? null,
  };
  return shown as unknown as JsonObject; // a resource consists of JSON values only
}

/** Waits until the resources hold everything up to `minPosition`. */
async function reach(parts: EdgeParts, tenantId: TenantId, query: Query): Promise<void> {
  const wanted = positionOf(query, "minPosition");
  if (wanted !== undefined) await parts.positions.reach(tenantId, wanted);
}

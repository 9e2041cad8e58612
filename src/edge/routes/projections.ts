/** Questions to projections of one's own: a table, rows by key or by group, on request not older than a position. */
import { EventplaneError } from "../../kernel/index.js";
import type { ProjectionQuery } from "../../projection/index.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Scope } from "../scope.js";
import type { EdgeParts, Routes } from "./context.js";
import { limitOf, otherParameters, positionOf, readQuery } from "./query.js";

const parameters = ["table", "key", "after", "limit"] as const;

/** Registers the route. */
export function addProjectionRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/projections/:name",
    action: "Read",
    withinScope: true,
    resource: (request) => {
      const { name } = request.params as { readonly name: string }; // of the route's address
      return parts.app.projections.has(name) ? `projection:${name}` : "tenant";
    },
    handle: async (request, _reply, { tenantId, scope }) => {
      const { name } = request.params as { readonly name: string }; // of the route's address
      assertAllApplied(parts, scope, name);
      const query = tableQueryOf(request.query, ["minPosition"]);
      const minPosition = positionOf(otherParameters(request.query, parameters), "minPosition");
      return parts.personal.openValue(tenantId, await parts.queries.query(tenantId, name, { ...query, minPosition }));
    },
  });
}

/**
 * The question to a table that an address asks; what is no parameter of it are values of a group.
 *
 * @param besides parameters that mean something else
 * @throws EventplaneError `request_invalid`
 */
export function tableQueryOf(given: unknown, besides: readonly string[] = []): ProjectionQuery {
  const where = otherParameters(given, [...parameters, ...besides]);
  const query = readQuery(given, [...parameters, ...besides, ...Object.keys(where)]);
  const { table, key, after } = query;
  if (table === undefined) throw new EventplaneError("request_invalid", "The parameter table must be given.");
  return {
    table,
    where,
    limit: limitOf(query),
    ...(key === undefined ? {} : { key }),
    ...(after === undefined ? {} : { after }),
  };
}

/** Rows are made of events of all types that a projection applies, so only who may see them all may ask it. */
function assertAllApplied({ app }: EdgeParts, scope: Scope | undefined, name: string): void {
  if (scope === undefined) return;
  const applied = app.projections.get(name)?.apply;
  if (applied === undefined || ![...applied.keys()].every((type) => scope.allowsEvery(type))) throw forbidden();
}

/** Questions to projections of one's own: a table, rows by key or by group, on request not older than a position. */
import { EventplaneError } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";
import { limitOf, otherParameters, positionOf, readQuery } from "./query.js";

const parameters = ["table", "key", "after", "limit", "minPosition"] as const;

/** Registers the route. */
export function addProjectionRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/projections/:name",
    action: "Read",
    handle: async (request, _reply, { tenantId }) => {
      const { name } = request.params as { readonly name: string }; // of the route's address
      const where = otherParameters(request.query, parameters);
      const query = readQuery(request.query, [...parameters, ...Object.keys(where)]);
      const { table, key, after } = query;
      if (table === undefined) throw new EventplaneError("request_invalid", "The parameter table must be given.");
      return parts.queries.query(tenantId, name, {
        table,
        where,
        limit: limitOf(query),
        minPosition: positionOf(query, "minPosition"),
        ...(key === undefined ? {} : { key }),
        ...(after === undefined ? {} : { after }),
      });
    },
  });
}

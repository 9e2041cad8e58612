/** GET /v1/admin/status: processes, consumers, work and leaders of the whole plane, for its operators. */
import { assertPlatform } from "./admin.js";
import type { EdgeParts, Routes } from "./context.js";
import { readQuery } from "./query.js";

/** Registers the route. */
export function addStatusRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/admin/status",
    action: "Administer",
    resource: "area:processes",
    ofCaller: true,
    handle: async (request, _reply, caller) => {
      readQuery(request.query, []);
      assertPlatform(caller);
      return parts.status.status();
    },
  });
}

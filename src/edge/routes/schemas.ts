/** The schemas of intents, as the configuration declares them. */
import { EventplaneError, type JsonObject } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";
import { integerOf, readQuery } from "./query.js";

/** Registers the routes. */
export function addSchemaRoutes(routes: Routes, parts: EdgeParts): void {
  const schemas = schemasOf(parts);
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/schemas",
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, { scope }) => {
      readQuery(request.query, []);
      return { schemas: [...schemas.values()].filter(({ type }) => scope?.allowsType(type) !== false) };
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/schemas/:type/:version",
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, { scope }) => {
      readQuery(request.query, []);
      const { type, version } = request.params as { readonly type: string; readonly version: string }; // of the route's address
      integerOf({ version }, "version", { min: 1, max: Number.MAX_SAFE_INTEGER });
      const found = schemas.get(`${type} ${version}`);
      if (found === undefined || scope?.allowsType(type) === false)
        throw new EventplaneError("not_found", "There is no schema of this type and version.");
      return found;
    },
  });
}

function schemasOf(parts: EdgeParts): ReadonlyMap<string, JsonObject & { readonly type: string }> {
  const schemas = new Map<string, JsonObject & { readonly type: string }>();
  for (const aggregate of parts.app.aggregates.values()) {
    for (const { type, schemaVersion, effect, schema, specBytesMax } of aggregate.intents.values()) {
      const budget = specBytesMax === undefined ? {} : { specBytesMax };
      schemas.set(`${type} ${schemaVersion}`, { type, schemaVersion, effect, ...budget, schema });
    }
  }
  return schemas;
}

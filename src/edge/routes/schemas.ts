/** The schemas of intents: as the configuration declares them, and the versions before. */
import { EventplaneError, type JsonObject } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";
import { integerOf, readQuery } from "./query.js";

/** Registers the routes. */
export function addSchemaRoutes(routes: Routes, parts: EdgeParts): void {
  const latest = latestSchemas(parts);
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/schemas",
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, { scope }) => {
      readQuery(request.query, []);
      return { schemas: [...latest.values()].filter(({ type }) => scope?.allowsType(type) !== false) };
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
      const schemaVersion = integerOf({ version }, "version", { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? 0;
      const known = latest.get(type);
      if (known !== undefined && scope?.allowsType(type) !== false) {
        if (known.schemaVersion === schemaVersion) return known;
        const earlier = parts.platform.state.schemas.find(type, schemaVersion);
        if (earlier !== undefined) return { ...known, schemaVersion, schema: earlier.schema };
      }
      throw new EventplaneError("not_found", "There is no schema of this type and version.");
    },
  });
}

interface LatestSchema extends JsonObject {
  readonly type: string;
  readonly schemaVersion: number;
}

function latestSchemas(parts: EdgeParts): ReadonlyMap<string, LatestSchema> {
  const schemas = new Map<string, LatestSchema>();
  for (const aggregate of parts.app.aggregates.values()) {
    for (const { type, schemaVersion, effect, schema, specBytesMax } of aggregate.intents.values()) {
      const budget = specBytesMax === undefined ? {} : { specBytesMax };
      schemas.set(type, { type, schemaVersion, effect, ...budget, schema });
    }
  }
  return schemas;
}

/** The schemas of types: those of the configuration and those that the tenant registered, with the versions before them. */
import type { FastifyRequest } from "fastify";
import { compatibilityModes, type IntentDefinition, isCompatibilityMode, isJsonObject } from "../../event/index.js";
import { EventplaneError, formatUs, type JsonObject, limits, type TenantId } from "../../kernel/index.js";
import { checkSchema, registerSchema, type SchemaWish } from "../schemas/administration.js";
import { administrationOf, readBody } from "./admin.js";
import type { EdgeParts, Routes } from "./context.js";
import { integerOf, readQuery } from "./query.js";

const url = "/v1/tenants/:t/schemas";
const ofSchemas = { action: "Administer", resource: "area:schemas" } as const;
/** A schema may be written with spaces. */
const bodyBytesMax = 4 * limits.schemaBytesMax;

/** Registers the routes. */
export function addSchemaRoutes(routes: Routes, parts: EdgeParts): void {
  const own = applicationTypes(parts);
  routes.tenant({
    method: "GET",
    url,
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, { tenantId, scope }) => {
      readQuery(request.query, []);
      const types = [...own.values(), ...tenantTypes(parts, tenantId)];
      return { schemas: types.filter(({ type }) => scope?.allowsType(type) !== false) };
    },
  });
  routes.tenant({
    method: "GET",
    url: `${url}/:type/:version`,
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, { tenantId, scope }) => {
      readQuery(request.query, []);
      const { type, version } = placeOf(request);
      const found = scope?.allowsType(type) === false ? undefined : schemaOf(parts, { own, tenantId, type, version });
      if (found !== undefined) return found;
      throw new EventplaneError("not_found", "There is no schema of this type and version.");
    },
  });
  routes.tenant({
    ...ofSchemas,
    method: "PUT",
    url: `${url}/:type/:version`,
    handle: async (request, _reply, caller) => {
      readQuery(request.query, []);
      const { tenantId } = caller;
      const { type, version } = placeOf(request);
      const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
      await registerSchema(parts, { ...wishOf(request, { tenantId, type }), version }, stamp);
      return schemaOf(parts, { own, tenantId, type, version });
    },
  });
  routes.tenant({
    ...ofSchemas,
    method: "POST",
    url: `${url}/:type/check`,
    handle: async (request, _reply, { tenantId }) => {
      readQuery(request.query, []);
      const { type } = request.params as { readonly type: string }; // of the route's address
      const { schema, compatibility, reasons, follows } = checkSchema(parts, wishOf(request, { tenantId, type }));
      return { type, schemaVersion: follows + 1, compatible: reasons.length === 0, reasons, compatibility, schema };
    },
  });
}

function placeOf(request: FastifyRequest): { readonly type: string; readonly version: number } {
  const { type, version } = request.params as { readonly type: string; readonly version: string }; // of the route's address
  return { type, version: integerOf({ version }, "version", { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? 0 };
}

function wishOf(request: FastifyRequest, of: { readonly tenantId: TenantId; readonly type: string }): SchemaWish {
  const { schema, compatibility } = readBody(request, ["schema", "compatibility"], bodyBytesMax);
  if (!isJsonObject(schema)) throw invalid("/schema", "The body has schema, a JSON Schema.");
  if (compatibility !== undefined && !isCompatibilityMode(compatibility))
    throw invalid("/compatibility", `compatibility is one of ${compatibilityModes.join(", ")}.`);
  return { ...of, schema, compatibility };
}

interface ShownSchema extends JsonObject {
  readonly type: string;
  readonly schemaVersion: number;
}

function schemaOf(
  parts: EdgeParts,
  {
    own,
    tenantId,
    type,
    version,
  }: {
    readonly own: ReadonlyMap<string, ShownSchema>;
    readonly tenantId: TenantId;
    readonly type: string;
    readonly version: number;
  },
): ShownSchema | undefined {
  const { schemas } = parts.platform.state;
  const latest = own.get(type) ?? tenantTypes(parts, tenantId).find((each) => each.type === type);
  if (latest === undefined || latest.schemaVersion === version) return latest;
  const earlier = own.has(type) ? schemas.find(type, version) : schemas.tenantVersion(tenantId, type, version);
  return earlier && { ...latest, schemaVersion: version, schema: earlier.schema };
}

function applicationTypes({ app }: EdgeParts): ReadonlyMap<string, ShownSchema> {
  const intents = [...app.aggregates.values()].flatMap((aggregate) => [...aggregate.intents.values()]);
  return new Map(intents.map((intent) => [intent.type, shownOf(intent)]));
}

function tenantTypes({ platform }: EdgeParts, tenantId: TenantId): readonly ShownSchema[] {
  return platform.state.schemas.tenantTypes(tenantId).map(({ definition, compatibility, registeredAtUs }) => ({
    ...shownOf(definition),
    compatibility,
    registeredAt: formatUs(registeredAtUs),
  }));
}

function shownOf({ type, schemaVersion, effect, schema, specBytesMax, compatibility }: IntentDefinition): ShownSchema {
  return {
    type,
    schemaVersion,
    effect,
    ...(specBytesMax === undefined ? {} : { specBytesMax }),
    ...(compatibility === undefined ? {} : { compatibility }),
    schema,
  };
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

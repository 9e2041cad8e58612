/** Administration of tenants, which is the platform's alone, and what the routes of administration share. */
import type { FastifyRequest } from "fastify";
import { EventplaneError, formatUs, type JsonObject, PLATFORM_TENANT_ID, scanJson } from "../../kernel/index.js";
import type { AdministrationRequest } from "../platform/administration.js";
import type { TenantEntry } from "../platform/state.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { bodyOf } from "./intents.js";
import { readQuery } from "./query.js";

const adminBodyBytesMax = 16_384;
const ofTenants = { action: "Administer", resource: "area:tenants" } as const;

/** Registers the routes. */
export function addAdminRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "POST",
    url: "/v1/admin/tenants",
    ...ofTenants,
    handle: async (request, reply, caller) => {
      assertPlatform(caller);
      readQuery(request.query, []);
      const { slug } = readBody(request, ["slug"]);
      const { created, ...tenant } = await parts.administration.createTenant(slug, administrationOf(request, caller));
      return reply
        .code(created ? 201 : 200)
        .header("location", `/v1/admin/tenants/${tenant.id}/keys`)
        .send(tenant);
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/admin/tenants",
    ...ofTenants,
    handle: async (request, _reply, caller) => {
      assertPlatform(caller);
      readQuery(request.query, []);
      return { tenants: parts.platform.state.tenants().map(tenantJson) };
    },
  });
}

/** On whose behalf a request administers. */
export function administrationOf(request: FastifyRequest, { principal, resource }: Caller): AdministrationRequest {
  return { principal, requestId: request.id, via: "http", resource };
}

/** A small JSON object with known members only. */
export function readBody(
  request: FastifyRequest,
  members: readonly string[],
  bytesMax: number = adminBodyBytesMax,
): JsonObject {
  const bytes = bodyOf(request);
  if (bytes.byteLength > bytesMax) {
    throw new EventplaneError("payload_too_large", `The body of this address has at most ${bytesMax} bytes.`);
  }
  const { value } = scanJson(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("", "The body is a JSON object.");
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) {
    const pointer = `/${unknown.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    throw new EventplaneError("forbidden_field", `This address takes ${members.join(", ")}.`, { details: { pointer } });
  }
  return value as JsonObject; // the other cases are excluded
}

/**
 * What is of all tenants belongs to the platform: a tenant's own admin may neither see nor make others.
 *
 * @throws EventplaneError `forbidden`
 */
export function assertPlatform({ principal }: Caller): void {
  if (principal.tenantId !== PLATFORM_TENANT_ID) throw forbidden();
}

function tenantJson({ id, slug, createdAtUs }: TenantEntry): JsonObject {
  return { id, slug, createdAt: formatUs(createdAtUs) };
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

/** Administration of tenants and keys. A key of the platform administers all tenants, an admin key of a tenant its own. */
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  EventplaneError,
  formatUs,
  type JsonObject,
  PLATFORM_TENANT_ID,
  scanJson,
  type TenantId,
} from "../../kernel/index.js";
import type { AdministrationRequest } from "../platform/administration.js";
import type { KeyWish } from "../platform/key-wish.js";
import type { KeyEntry, TenantEntry } from "../platform/state.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { bodyOf, idempotencyKeyOf } from "./intents.js";
import { readQuery, uuidOf } from "./query.js";

const adminBodyBytesMax = 16_384;
const ofTenants = { action: "Administer", resource: "area:tenants" } as const;
const ofKeys = { action: "Administer", resource: "area:keys" } as const;

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
  routes.tenant({
    method: "POST",
    url: "/v1/admin/tenants/:t/keys",
    ...ofKeys,
    handle: (request, reply, caller) => createKey(parts, { request, reply, caller }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/admin/tenants/:t/keys",
    ...ofKeys,
    handle: async (request, _reply, { tenantId }) => {
      readQuery(request.query, []);
      return { keys: parts.platform.state.keysOf(tenantId).map(keyJson) };
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/admin/tenants/:t/keys/:id",
    ...ofKeys,
    handle: async (request, _reply, { tenantId }) => {
      readQuery(request.query, []);
      return keyJson(keyOf(parts, tenantId, request));
    },
  });
  routes.tenant({
    method: "DELETE",
    url: "/v1/admin/tenants/:t/keys/:id",
    ...ofKeys,
    handle: async (request, reply, caller) => {
      readQuery(request.query, []);
      const { id } = request.params as { readonly id: string }; // of the route's address
      const revoked = await parts.administration.revokeKey(
        caller.tenantId,
        uuidOf("id", id),
        administrationOf(request, caller),
      );
      if (!revoked) throw new EventplaneError("not_found", "This tenant has no key with this id.");
      return reply.code(204).send();
    },
  });
}

/** On whose behalf a request administers. */
export function administrationOf(request: FastifyRequest, { principal, resource }: Caller): AdministrationRequest {
  return { principal, requestId: request.id, via: "http", resource };
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function createKey(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  readQuery(request.query, []);
  const idempotencyKey = idempotencyKeyOf(request);
  const body = readBody(request, ["name", "grants", "scopes", "expiresAt", "networks"]);
  if (!Array.isArray(body.grants))
    throw invalid("/grants", "grants is a list of publisher, reader, subscriber and admin.");
  // The key's schema checks every member; a wrong one is refused there.
  const wish = { ...body, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) } as unknown as KeyWish;
  const created = await parts.administration.createKey(caller.tenantId, wish, administrationOf(request, caller));
  reply
    .header("location", `/v1/admin/tenants/${caller.tenantId}/keys/${created.id}`)
    .header("cache-control", "no-store");
  if (created.key === undefined) reply.header("idempotent-replayed", "true");
  return reply.code(created.key === undefined ? 200 : 201).send(created);
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

function keyOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): KeyEntry {
  const { id } = request.params as { readonly id: string }; // of the route's address
  const key = parts.platform.state.key(uuidOf("id", id));
  if (key?.tenantId !== tenantId) throw new EventplaneError("not_found", "This tenant has no key with this id.");
  return key;
}

function tenantJson({ id, slug, createdAtUs }: TenantEntry): JsonObject {
  return { id, slug, createdAt: formatUs(createdAtUs) };
}

/** A key as administrators see it: without its secret, and without the hash of it. */
function keyJson(key: KeyEntry): JsonObject {
  const time = (us: number | null): string | null => (us === null ? null : formatUs(us));
  return {
    id: key.id,
    tenantId: key.tenantId,
    name: key.name,
    principalId: key.principal.id,
    grants: [...key.principal.grants],
    scopes: key.principal.scopes?.texts ?? null,
    networks: key.networks?.texts ?? null,
    createdAt: formatUs(key.createdAtUs),
    expiresAt: time(key.expiresAtUs),
    revokedAt: time(key.revokedAtUs),
  };
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

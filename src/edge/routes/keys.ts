/** Administration of API keys. A key of the platform administers those of all tenants, an admin key of a tenant its own. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError, formatUs, type JsonObject, type TenantId } from "../../kernel/index.js";
import { type KeyEntry, keyEndsAtUs } from "../platform/key-book.js";
import type { KeyWish, RotationWish } from "../platform/key-wish.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { idempotencyKeyOf } from "./intents.js";
import { readQuery, uuidOf } from "./query.js";

const ofKeys = { action: "Administer", resource: "area:keys" } as const;

/** Registers the routes. */
export function addKeyRoutes(routes: Routes, parts: EdgeParts): void {
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
    method: "POST",
    url: "/v1/admin/tenants/:t/keys/:id/rotate",
    ...ofKeys,
    handle: (request, reply, caller) => rotateKey(parts, { request, reply, caller }),
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
    throw new EventplaneError("request_invalid", "grants is a list of publisher, reader, subscriber and admin.", {
      details: { pointer: "/grants" },
    });
  // The key's schema checks every member; a wrong one is refused there.
  const wish = { ...body, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) } as unknown as KeyWish;
  const created = await parts.administration.createKey(caller.tenantId, wish, administrationOf(request, caller));
  reply
    .header("location", `/v1/admin/tenants/${caller.tenantId}/keys/${created.id}`)
    .header("cache-control", "no-store");
  if (created.key === undefined) reply.header("idempotent-replayed", "true");
  return reply.code(created.key === undefined ? 200 : 201).send(created);
}

async function rotateKey(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  readQuery(request.query, []);
  const idempotencyKey = idempotencyKeyOf(request);
  const { id } = request.params as { readonly id: string }; // of the route's address
  const body = readBody(request, ["overlapSeconds", "expiresAt"]);
  // The key's schema checks every member; a wrong one is refused there.
  const wish = { ...body, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) } as RotationWish;
  const by = { ...administrationOf(request, caller), wish };
  const rotated = await parts.administration.rotateKey(caller.tenantId, uuidOf("id", id), by);
  if (rotated === undefined) throw new EventplaneError("not_found", "This tenant has no key with this id.");
  reply
    .header("location", `/v1/admin/tenants/${caller.tenantId}/keys/${rotated.id}`)
    .header("cache-control", "no-store");
  if (rotated.key === undefined) reply.header("idempotent-replayed", "true");
  const { endsAtUs, ...made } = rotated;
  return reply
    .code(rotated.key === undefined ? 200 : 201)
    .send({ ...made, replaces: id, replacedEndsAt: formatUs(endsAtUs) });
}

function keyOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): KeyEntry {
  const { id } = request.params as { readonly id: string }; // of the route's address
  const key = parts.platform.state.key(uuidOf("id", id));
  if (key?.tenantId !== tenantId) throw new EventplaneError("not_found", "This tenant has no key with this id.");
  return key;
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
    expiresAt: time(keyEndsAtUs(key)),
    revokedAt: time(key.revokedAtUs),
    replaces: key.rotation?.from ?? null,
    replacedBy: key.replaced?.by ?? null,
    lastUsedOn: key.lastUsedOn ?? null,
  };
}

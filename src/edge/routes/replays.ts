/** Replays of a tenant's history to one consumer: made, looked at, paused, resumed and cancelled by administrators. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError, PLATFORM_TENANT_ID } from "../../kernel/index.js";
import { changeReplay, createReplay, listReplays, type ReplayChange, showReplay } from "../replays/administration.js";
import { replaySpecIn, replayWishNames } from "../replays/wish.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/replays";
const changes: readonly ReplayChange[] = ["pause", "resume", "cancel"];

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addReplayRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:replays", ofCaller: true } as const;
  routes.tenant({
    ...shared,
    method: "POST",
    url,
    handle: (request, reply, caller) => create(parts, { request, reply, caller }),
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url,
    handle: async (request, _reply, caller) => ({
      replays: await listReplays(parts, tenantOfQuery(parts, tenantIn(request), caller)),
    }),
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/:id`,
    handle: async (request, _reply, caller) =>
      showReplay(parts, tenantOfQuery(parts, tenantIn(request), caller), idIn(request)),
  });
  for (const change of changes) {
    routes.tenant({
      ...shared,
      method: "POST",
      url: `${url}/:id/${change}`,
      handle: async (request, reply, caller) => {
        const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
        const id = idIn(request);
        await changeReplay(
          parts,
          { tenantId, id, change },
          parts.administration.stamp(administrationOf(request, caller), tenantId),
        );
        return reply.code(202).send(await showReplay(parts, tenantId, id));
      },
    });
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function create(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
  if (tenantId === PLATFORM_TENANT_ID) {
    const message = "A replay is of one tenant's history: name it in the parameter tenant.";
    throw new EventplaneError("request_invalid", message, { details: { parameter: "tenant" } });
  }
  const body = readBody(request, replayWishNames);
  const { position } = await parts.reader.head(tenantId);
  const spec = replaySpecIn(body, { app: parts.app, tenantId, position });
  const id = await createReplay(parts, spec, parts.administration.stamp(administrationOf(request, caller), tenantId));
  return reply
    .code(201)
    .header("location", `${url}/${id}?tenant=${tenantId}`)
    .send(await showReplay(parts, tenantId, id));
}

function tenantIn(request: FastifyRequest): string | undefined {
  return readQuery(request.query, ["tenant"]).tenant;
}

function idIn(request: FastifyRequest): string {
  const { id } = request.params as { readonly id: string }; // of the route's address
  return uuidOf("id", id);
}

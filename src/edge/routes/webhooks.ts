/** Webhooks of a tenant: made, looked at, paused, rotated, tested and deleted by administrators. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CausedBy } from "../../event/index.js";
import {
  EventplaneError,
  formatUs,
  type JsonObject,
  PLATFORM_TENANT_ID,
  parseUs,
  type TenantId,
} from "../../kernel/index.js";
import type { WebhookEntry } from "../../webhook/index.js";
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  deskOf,
  rotateWebhook,
  testWebhook,
  webhookOf,
} from "../webhooks/administration.js";
import { webhookWishNames } from "../webhooks/wish.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/webhooks";

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly tenantId: TenantId;
  readonly caller: Caller;
  readonly stamp: () => CausedBy;
}

/** Registers the routes; where the plane sends no webhooks they answer that there is nothing. The tenant is the parameter `tenant`, by default the caller's own. */
export function addWebhookRoutes(routes: Routes, parts: EdgeParts): void {
  const add = (method: "GET" | "POST" | "DELETE", path: string, handle: (exchange: Exchange) => unknown): void =>
    routes.tenant({
      action: "Administer",
      resource: "area:webhooks",
      ofCaller: true,
      method,
      url: `${url}${path}`,
      handle: async (request, reply, caller) => {
        if (parts.webhooks === undefined) throw new EventplaneError("not_found", "This plane sends no webhooks.");
        const tenantId = tenantOfQuery(parts, readQuery(request.query, ["tenant"]).tenant, caller);
        const stamp = (): CausedBy => parts.administration.stamp(administrationOf(request, caller), tenantId);
        return handle({ request, reply, tenantId, caller, stamp });
      },
    });
  add("POST", "", (exchange) => create(parts, exchange));
  add("GET", "", ({ tenantId }) => ({
    webhooks: parts.platform.state.webhooks.of(tenantId).map((webhook) => webhookJson(parts, webhook)),
  }));
  add("GET", "/:id", (exchange) => show(parts, exchange));
  add("GET", "/:id/deliveries", async (exchange) => {
    const { tenantId } = exchange;
    const { id } = webhookOf(parts, tenantId, idIn(exchange));
    return { deliveries: await deskOf(parts).deliveries.attempts({ tenantId, id }) };
  });
  for (const change of ["pause", "resume"] as const)
    add("POST", `/:id/${change}`, async (exchange) => {
      const { tenantId, stamp } = exchange;
      const id = idIn(exchange);
      await changeWebhook(parts, { tenantId, id, change }, stamp());
      return webhookJson(parts, webhookOf(parts, tenantId, id));
    });
  add("POST", "/:id/rotate", async (exchange) => {
    const { request, reply, tenantId, stamp } = exchange;
    const id = idIn(exchange);
    const body = readBody(request, ["overlapSeconds"]);
    const rotated = await rotateWebhook(parts, { tenantId, id, body }, stamp());
    return reply.header("cache-control", "no-store").send({ id, ...rotated });
  });
  add("POST", "/:id/test", (exchange) => testWebhook(parts, { tenantId: exchange.tenantId, id: idIn(exchange) }));
  add("DELETE", "/:id", async (exchange) => {
    const { reply, tenantId, stamp } = exchange;
    await deleteWebhook(parts, { tenantId, id: idIn(exchange) }, stamp());
    return reply.code(204).send();
  });
}

/** With how far it is. */
async function show(parts: EdgeParts, exchange: Exchange): Promise<JsonObject> {
  const { tenantId } = exchange;
  const webhook = webhookOf(parts, tenantId, idIn(exchange));
  const place = await deskOf(parts).deliveries.place({ tenantId, id: webhook.id });
  const position = place?.position ?? webhook.after;
  return { ...webhookJson(parts, webhook), position, failingSince: place?.failingSince ?? null };
}

async function create(parts: EdgeParts, { request, reply, tenantId, caller, stamp }: Exchange): Promise<unknown> {
  if (tenantId === PLATFORM_TENANT_ID)
    throw new EventplaneError("request_invalid", "A webhook is of one tenant: make it with a key of that tenant.", {
      details: { parameter: "tenant" },
    });
  const body = readBody(request, webhookWishNames);
  const { id, secret } = await createWebhook(parts, { body, tenantId, owner: caller.principal }, stamp());
  return reply
    .code(201)
    .header("location", `${url}/${id}?tenant=${tenantId}`)
    .header("cache-control", "no-store")
    .send({ ...webhookJson(parts, webhookOf(parts, tenantId, id)), secret });
}

/** A webhook as administrators see it: without its secrets, and without the hashes of them. */
function webhookJson({ clock, directory }: EdgeParts, webhook: WebhookEntry): JsonObject {
  const { id, tenantId, description = null, filter, parallel, after, owner, state, secret, previousSecret } = webhook;
  const endsAt = previousSecret?.endsAt;
  const isOver = endsAt === undefined || (parseUs(endsAt) ?? 0) <= clock.nowUs();
  return {
    id,
    tenantId,
    url: webhook.url,
    description,
    filter: filter as unknown as JsonObject,
    parallel,
    after,
    owner: { ...owner },
    state,
    maySend: directory.sightOf(webhook) !== undefined,
    secretVersion: secret.version,
    previousSecretEndsAt: isOver ? null : endsAt,
    createdAt: formatUs(webhook.createdAtUs),
  };
}

function idIn({ request }: Exchange): string {
  const { id } = request.params as { readonly id: string }; // of the route's address
  return uuidOf("id", id);
}

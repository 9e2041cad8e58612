/** POST /v1/tenants/{t}/sources/{source}: a signed delivery from outside becomes facts. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError } from "../../kernel/index.js";
import type { PublishResult } from "../publish/publish-result.js";
import { DeliveryDesk } from "../sources/delivery-desk.js";
import type { EdgeParts, Routes } from "./context.js";
import { bodyOf } from "./intents.js";

/** Registers the route. */
export function addSourceRoutes(routes: Routes, parts: EdgeParts): void {
  const desk = new DeliveryDesk({ ...parts, sources: parts.app.sources });
  routes.signed({
    method: "POST",
    url: "/v1/tenants/:t/sources/:source",
    action: "PublishFact",
    handle: (request, reply) => accept(parts, desk, { request, reply }),
  });
}

async function accept(
  { platform }: EdgeParts,
  desk: DeliveryDesk,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): Promise<unknown> {
  const { t, source } = request.params as { readonly t: string; readonly source: string }; // the address names both
  const incoming = {
    tenant: platform.fresh().tenant(t),
    sourceName: source,
    headers: headersOf(request),
    body: bodyOf(request),
    requestId: request.id,
  };
  const results = await desk.accept(incoming, (principal) => {
    request.principal = principal;
  });
  const repeated = results.length > 0 && results.every(({ result }) => result === "repeated");
  if (repeated) reply.header("idempotent-replayed", "true");
  reply.code(results.some(({ result }) => result === "created") ? 201 : 200);
  return { facts: results.map(receiptOf) };
}

function headersOf(request: FastifyRequest): Readonly<Record<string, string | undefined>> {
  // Only Set-Cookie comes as a list, and only in answers.
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
}

/** Senders from outside learn what they need to find it again, and nothing of the chain. */
function receiptOf(result: PublishResult): { readonly id: string; readonly result: string } {
  if (result.result === "refused")
    throw new EventplaneError("internal", "A list that is all or nothing had a refusal.");
  return { id: result.receipt.id, result: result.result };
}

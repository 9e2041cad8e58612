/** POST /v1/tenants/{t}/stream-tokens: short-lived tokens with which a page may subscribe and read. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { formatUs } from "../../kernel/index.js";
import type { Action } from "../authz/ruling.js";
import { keyEndsAtUs } from "../platform/key-book.js";
import type { Principal } from "../principal.js";
import { forbidden } from "../publish/refusal-errors.js";
import { narrowedPrincipal } from "../stream-tokens/decide-stream-token.js";
import { type StreamTokenAction, writeStreamToken } from "../stream-tokens/stream-token.js";
import { readStreamTokenWish, streamTokenMembers } from "../stream-tokens/stream-token-wish.js";
import { readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery } from "./query.js";

const secondUs = 1_000_000;
const actions: Readonly<Record<StreamTokenAction, Action>> = { subscribe: "Subscribe", read: "Read" };

/** Registers the route. */
export function addStreamTokenRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "POST",
    url: "/v1/tenants/:t/stream-tokens",
    action: "Subscribe",
    withinScope: true,
    authorize: "handler",
    handle: (request, reply, caller) => mint(parts, { request, reply, caller }),
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function mint(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  readQuery(request.query, []);
  const { principal, tenantId } = caller;
  if (!isOfKey(principal)) throw forbidden();
  const { lifetimeSeconds, ...limits } = readStreamTokenWish(readBody(request, streamTokenMembers));
  const narrowed = narrowedPrincipal(principal, limits);
  const { aggregateType } = limits.part;
  const resource = aggregateType === undefined ? "tenant" : (`aggregate:${aggregateType}` as const);
  request.resource = resource;
  const rulings = limits.actions.map((action) =>
    parts.authorizer.assertAllowed(narrowed, actions[action], { tenantId, resource }),
  );
  const key = parts.platform.state.key(principal.keyId);
  const keyEnd = key === undefined ? null : keyEndsAtUs(key);
  const wanted = parts.clock.nowUs() + lifetimeSeconds * secondUs;
  const endsAtUs = Math.min(wanted, keyEnd ?? wanted);
  const token = writeStreamToken(parts.signer, { ...limits, keyId: principal.keyId, endsAtUs });
  const [ruling] = rulings;
  if (ruling === undefined) throw forbidden();
  await parts.streamTokens.note({ principal, limits, ruling, requestId: request.id });
  return reply
    .code(201)
    .header("cache-control", "no-store")
    .send({ token, expiresAt: formatUs(endsAtUs) });
}

/** A token is made with an API key only: neither with another token nor by a person. */
function isOfKey(principal: Principal): principal is Principal & { readonly keyId: string } {
  return principal.type === "service" && principal.keyId !== undefined && principal.endsAtUs === undefined;
}

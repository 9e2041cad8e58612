/**
 * Dead letters: list and show them, and the two decisions, each a system fact in the tenant's log. The dispatcher acts
 * on the fact, so the decision and its effect cannot part.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventFactory } from "../../event/index.js";
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import type { DeadLetter } from "../../work/index.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";
import { administrationOf } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addDeadLetterRoutes(routes: Routes, parts: EdgeParts): void {
  const url = "/v1/admin/dead-letters";
  const ofCaller = true;
  routes.tenant({
    method: "GET",
    url,
    action: "Administer",
    ofCaller,
    handle: async (request, _reply, caller) => {
      const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
      return { deadLetters: await parts.work.deadLetters(tenantId) };
    },
  });
  routes.tenant({
    method: "GET",
    url: `${url}/:id`,
    action: "Administer",
    ofCaller,
    handle: async (request, _reply, caller) =>
      deadLetterOf(parts, tenantOfQuery(parts, tenantIn(request), caller), request),
  });
  for (const decision of ["redrive", "discard"] as const) {
    routes.tenant({
      method: "POST",
      url: `${url}/:id/${decision}`,
      action: "Administer",
      ofCaller,
      handle: (request, reply, caller) => decide(parts, decision, { request, reply, caller }),
    });
  }
}

const factTypes = { redrive: "dead-letter.redriven", discard: "dead-letter.discarded" } as const;

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function decide(
  parts: EdgeParts,
  decision: "redrive" | "discard",
  { request, reply, caller }: Exchange,
): Promise<unknown> {
  const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
  const { id, aggregateType, aggregateId, component } = await deadLetterOf(parts, tenantId, request);
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const item = factory.systemFact(
    { tenantId, type: factTypes[decision], aggregateId: id, spec: { aggregateType, aggregateId, component } },
    parts.administration.stamp(administrationOf(request, caller), tenantId),
  );
  const outcome = await parts.log.append({ tenantId, items: [item] });
  if (outcome.result === "refused") throw refusalError(outcome);
  return reply.code(202).send({ receipt: outcome.receipts[0] });
}

function tenantIn(request: FastifyRequest): string | undefined {
  return readQuery(request.query, ["tenant"]).tenant;
}

async function deadLetterOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): Promise<DeadLetter> {
  const { id } = request.params as { readonly id: string }; // of the route's address
  const wanted = uuidOf("id", id);
  const found = (await parts.work.deadLetters(tenantId)).find((letter) => letter.id === wanted);
  if (found === undefined) throw new EventplaneError("not_found", "This tenant has no dead letter with this id.");
  return found;
}

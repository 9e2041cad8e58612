/** Dead letters: list, group and show them, and decide on one, or on all that a filter means. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CausedBy } from "../../event/index.js";
import { EventplaneError, type JsonObject, limits, type TenantId } from "../../kernel/index.js";
import type { DeadLetter, DeadLetterFilter } from "../../work/index.js";
import { type DeadLetterDecision, decideLetter, decideLetters, delayMsOf, meantBy } from "../dead-letters/decide.js";
import { deadLetterFilterIn, deadLetterFilterNames, deadLetterFilterOf } from "../dead-letters/filter.js";
import { refusalError } from "../publish/refusal-errors.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { integerOf, readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/dead-letters";
const decisions = ["redrive", "discard"] as const;
const ratePerSecondRange = { min: 0.1, max: 1_000, default: 100 } as const;
/** A redrive is spread over a day at most. */
const spreadMsMax = 86_400_000;

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addDeadLetterRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:dead-letters", ofCaller: true } as const;
  routes.tenant({ ...shared, method: "GET", url, handle: (request, _reply, caller) => list(parts, request, caller) });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/groups`,
    handle: async (request, _reply, caller) => {
      const query = readQuery(request.query, ["tenant", ...deadLetterFilterNames]);
      const tenantId = tenantOfQuery(parts, query.tenant, caller);
      return { groups: await parts.work.deadLetterGroups(tenantId, deadLetterFilterOf(query)) };
    },
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/:id`,
    handle: async (request, _reply, caller) =>
      deadLetterOf(parts, tenantOfQuery(parts, tenantIn(request), caller), request),
  });
  for (const decision of decisions) {
    routes.tenant({
      ...shared,
      method: "POST",
      url: `${url}/:id/${decision}`,
      handle: (request, reply, caller) => decide(parts, decision, { request, reply, caller }),
    });
    routes.tenant({
      ...shared,
      method: "POST",
      url: `${url}/${decision}`,
      handle: (request, reply, caller) => decideByFilter(parts, decision, { request, reply, caller }),
    });
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function list(parts: EdgeParts, request: FastifyRequest, caller: Caller): Promise<unknown> {
  const query = readQuery(request.query, ["tenant", "limit", ...deadLetterFilterNames]);
  const tenantId = tenantOfQuery(parts, query.tenant, caller);
  const limit = integerOf(query, "limit", { min: 1, max: limits.readPageMax }) ?? limits.readPageMax;
  return { deadLetters: await parts.work.deadLetters(tenantId, deadLetterFilterOf(query), { limit }) };
}

async function decide(
  parts: EdgeParts,
  decision: DeadLetterDecision,
  { request, reply, caller }: Exchange,
): Promise<unknown> {
  const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
  const letter = await deadLetterOf(parts, tenantId, request);
  const outcome = await decideLetter(parts, letter, { decision, stamp: stampOf(parts, request, { caller, tenantId }) });
  if (outcome.result === "refused") throw refusalError(outcome);
  return reply.code(202).send({ receipt: outcome.receipts[0] });
}

async function decideByFilter(
  parts: EdgeParts,
  decision: DeadLetterDecision,
  { request, reply, caller }: Exchange,
): Promise<unknown> {
  const tenantId = tenantOfQuery(parts, tenantIn(request), caller);
  const members = ["filter", "all", "dryRun", ...(decision === "redrive" ? ["ratePerSecond"] : [])];
  const body = readBody(request, members);
  const filter = filterIn(body);
  const ratePerSecond = rateIn(body);
  const isDryRun = flagIn(body, "dryRun");
  const meant = await meantBy(parts, tenantId, filter);
  const { letters, heldLeft } = meant;
  const takesMs = decision === "redrive" ? delayMsOf(Math.max(0, letters.length - 1), ratePerSecond) : 0;
  if (takesMs > spreadMsMax) {
    const message = `At ${ratePerSecond} a second, ${letters.length} dead letters take more than a day. Raise the rate, or narrow the filter.`;
    throw invalid("/ratePerSecond", message);
  }
  const told = { dryRun: isDryRun, matched: letters.length, heldLeft, takesMs };
  if (isDryRun || letters.length === 0) return { ...told, decided: 0, skipped: 0 };
  const stamp = stampOf(parts, request, { caller, tenantId });
  const decided = await decideLetters(parts, meant, { decision, filter, ratePerSecond, tenantId, stamp });
  return reply.code(202).send({ ...told, ...decided });
}

/** An empty filter means everything, which has to be said. */
function filterIn(body: JsonObject): DeadLetterFilter {
  const filter = body.filter === undefined ? {} : deadLetterFilterIn(body.filter);
  if (flagIn(body, "all") === (Object.keys(filter).length === 0)) return filter;
  throw invalid("/filter", "Give either a filter with at least one member, or all: true for every dead letter.");
}

function rateIn({ ratePerSecond = ratePerSecondRange.default }: JsonObject): number {
  const { min, max } = ratePerSecondRange;
  if (typeof ratePerSecond === "number" && ratePerSecond >= min && ratePerSecond <= max) return ratePerSecond;
  throw invalid("/ratePerSecond", `ratePerSecond is a number from ${min} to ${max}.`);
}

function flagIn(body: JsonObject, name: "all" | "dryRun"): boolean {
  const value = body[name] ?? false;
  if (typeof value === "boolean") return value;
  throw invalid(`/${name}`, `${name} is true or false.`);
}

function stampOf(
  parts: EdgeParts,
  request: FastifyRequest,
  { caller, tenantId }: { readonly caller: Caller; readonly tenantId: TenantId },
): CausedBy {
  return parts.administration.stamp(administrationOf(request, caller), tenantId);
}

function tenantIn(request: FastifyRequest): string | undefined {
  return readQuery(request.query, ["tenant"]).tenant;
}

async function deadLetterOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): Promise<DeadLetter> {
  const { id } = request.params as { readonly id: string }; // of the route's address
  const found = await parts.work.deadLetter(tenantId, uuidOf("id", id));
  if (found === undefined) throw new EventplaneError("not_found", "This tenant has no dead letter with this id.");
  return found;
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

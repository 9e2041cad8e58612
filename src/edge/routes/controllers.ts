/** Controllers over living resources: looked at, backfilled and retired by administrators. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { isAggregateType } from "../../event/index.js";
import { EventplaneError, terminalSafe } from "../../kernel/index.js";
import { type ChangeWish, listControllers, requestChange, resourcesOf } from "../controllers/administration.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/controllers";
const changes: readonly ChangeWish["change"][] = ["backfill", "retire"];
const reasonCharactersMax = 300;
const reasonDefault = "An administrator retired the controller.";

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addControllerRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:controllers", ofCaller: true } as const;
  routes.tenant({
    ...shared,
    method: "GET",
    url,
    handle: async (request, _reply, caller) => {
      const { tenant } = readQuery(request.query, ["tenant"]);
      return { controllers: await listControllers(parts, tenantOfQuery(parts, tenant, caller)) };
    },
  });
  for (const change of changes) {
    routes.tenant({
      ...shared,
      method: "POST",
      url: `${url}/:name/${change}`,
      handle: (request, reply, caller) => ask(parts, change, { request, reply, caller }),
    });
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function ask(
  parts: EdgeParts,
  change: ChangeWish["change"],
  { request, reply, caller }: Exchange,
): Promise<unknown> {
  const { tenant } = readQuery(request.query, ["tenant"]);
  const tenantId = tenantOfQuery(parts, tenant, caller);
  const { name: controller } = request.params as { readonly name: string }; // of the route's address
  if (!isAggregateType(controller)) throw invalid("A controller is named by a-z, 0-9, _ and -, a letter first.");
  const members = change === "retire" ? ["dryRun", "reason"] : ["dryRun"];
  const { dryRun = false, reason = reasonDefault } = readBody(request, members);
  if (typeof dryRun !== "boolean") throw invalid("dryRun is true or false.");
  if (typeof reason !== "string" || reason === "" || reason.length > reasonCharactersMax)
    throw invalid(`reason is a text of at most ${reasonCharactersMax} characters.`);
  const wish = { change, controller, tenantId, reason: terminalSafe(reason) };
  const answer = { controller, change, tenantId, resources: await resourcesOf(parts, wish), dryRun };
  if (dryRun) return answer;
  const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
  const receipt = await requestChange(parts, wish, stamp);
  return reply.code(202).send({ ...answer, receipt });
}

function invalid(message: string): EventplaneError {
  return new EventplaneError("request_invalid", message);
}

/**
 * Effects without a result: list and show them, and the two decisions on those that stand, each a system fact in the
 * tenant's log. The workers' dispatcher acts on the fact, so the decision and its effect cannot part.
 *
 * What a controller asked and what a worker answered is the tenant's own: administrators decide without reading it.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  type EffectResult,
  EventFactory,
  type EventRow,
  effectResultId,
  readAsk,
  type SystemFactRequest,
  workerOfComponent,
} from "../../event/index.js";
import {
  EventplaneError,
  formatUs,
  type JsonObject,
  type JsonValue,
  type TenantId,
  terminalSafe,
} from "../../kernel/index.js";
import { findSecret } from "../../schema/index.js";
import type { EffectRow } from "../../work/index.js";
import { misfitOf } from "../../worker/index.js";
import { effectResolved } from "../effect-resolution.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError, secretFound } from "../publish/refusal-errors.js";
import { administrationOf, readBody } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery, uuidOf } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/effects";
const states: readonly string[] = ["waiting", "running", "blocked", "held", "dead"] satisfies EffectRow["state"][];
const codeForm = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const messageCharactersMax = 300;
/** A result of 64 KiB with what is around it. */
const resolutionBytesMax = 131_072;

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addEffectRoutes(routes: Routes, parts: EdgeParts): void {
  const ofCaller = true;
  const shared = { action: "Administer", resource: "area:effects" } as const;
  routes.tenant({
    method: "GET",
    url,
    ...shared,
    ofCaller,
    handle: async (request, _reply, caller) => {
      const { tenant, state } = readQuery(request.query, ["tenant", "state"]);
      if (state !== undefined && !states.includes(state)) throw invalid(`state is one of ${states.join(", ")}.`);
      const tenantId = tenantOfQuery(parts, tenant, caller);
      const rows = await parts.work.effects(tenantId);
      return {
        effects: await shown(
          parts,
          tenantId,
          rows.filter((row) => state === undefined || row.state === state),
        ),
      };
    },
  });
  routes.tenant({
    method: "GET",
    url: `${url}/:id`,
    ...shared,
    ofCaller,
    handle: async (request, _reply, caller) => {
      const { tenant } = readQuery(request.query, ["tenant"]);
      const row = await effectOf(parts, tenantOfQuery(parts, tenant, caller), request);
      const [effect] = await shown(parts, row.tenantId, [row]);
      if (effect === undefined) throw unknown();
      return effect;
    },
  });
  routes.tenant({
    method: "POST",
    url: `${url}/:id/retry`,
    ...shared,
    ofCaller,
    handle: (request, reply, caller) =>
      decide(parts, { request, reply, caller }, ({ worker, ask }) => {
        const { tenantId, id, correlationId } = ask;
        const cause = { causationId: id, correlationId };
        return { tenantId, type: "effect.retried", aggregateId: id, ...cause, spec: { worker } };
      }),
  });
  routes.tenant({
    method: "POST",
    url: `${url}/:id/resolve`,
    ...shared,
    ofCaller,
    handle: (request, reply, caller) => {
      const body = readBody(request, ["ok", "failed"], resolutionBytesMax);
      return decide(parts, { request, reply, caller }, ({ worker, ask }) =>
        effectResolved(ask, worker, withoutSecret(resolutionOf(parts, worker, body), parts)),
      );
    },
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function decide(
  parts: EdgeParts,
  { request, reply, caller }: Exchange,
  decisionOn: (effect: { readonly worker: string; readonly ask: EventRow }) => SystemFactRequest,
): Promise<unknown> {
  const { tenant } = readQuery(request.query, ["tenant"]);
  const tenantId = tenantOfQuery(parts, tenant, caller);
  const row = await effectOf(parts, tenantId, request);
  if (row.state !== "held" && row.state !== "dead") {
    const message = `Effect ${row.askId} is ${row.state}: nobody has to decide on it. Those that stand are held or dead.`;
    throw new EventplaneError("effect_not_standing", message, { details: { effect: row.askId, state: row.state } });
  }
  const [ask] = await parts.reader.readByIds(tenantId, [row.askId]);
  if (ask === undefined) throw unknown();
  const decision = decisionOn({ worker: workerOfComponent(row.component) ?? "", ask });
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
  const item = factory.systemFact(decision, stamp);
  const outcome = await parts.log.append({ tenantId, items: [item] });
  if (outcome.result === "refused") throw refusalError(outcome);
  return reply.code(202).send({ receipt: outcome.receipts[0] });
}

/** What the body says of the result, as it will be stored. */
function resolutionOf(parts: EdgeParts, worker: string, { ok, failed }: JsonObject): EffectResult {
  if ((ok === undefined) === (failed === undefined)) {
    throw invalid(
      "The body has either ok, the result that the worker would have given, or failed, with code and message.",
    );
  }
  if (ok !== undefined) return { ok: checkedResult(parts, worker, ok) };
  const { code, message } =
    typeof failed === "object" && failed !== null && !Array.isArray(failed) ? (failed as JsonObject) : {};
  if (typeof code !== "string" || !codeForm.test(code))
    throw unfit("/failed/code", `code is a word of letters, digits and _, at most 64`);
  if (typeof message !== "string" || message.length > messageCharactersMax)
    throw unfit("/failed/message", `message is a text of at most ${messageCharactersMax} characters`);
  return { failed: { code, message: terminalSafe(message) } };
}

/** A result that is given by hand is held to the secrets scan as specs are. */
function withoutSecret(result: EffectResult, { metrics }: EdgeParts): EffectResult {
  const value = result as unknown as JsonObject; // both of its forms are JSON
  const found = findSecret(value, { text: JSON.stringify(value) });
  if (found === undefined) return result;
  metrics.secretRefused(found.rule);
  throw secretFound("The result", found);
}

function checkedResult(parts: EdgeParts, worker: string, ok: JsonValue): JsonObject {
  const definition = parts.app.workers.get(worker);
  if (definition === undefined) {
    throw unfit("/ok", `this app has no worker ${worker} any more, so nobody can say what fits; resolve it as failed`);
  }
  const misfit = misfitOf(definition, ok);
  if (misfit !== undefined) throw unfit("/ok", `it is no result of worker ${worker}: ${misfit}`);
  return ok as JsonObject; // it fits the schema of an object
}

/** Rows together with what their asks say of themselves; of an ask that is not in the log nothing is shown. */
async function shown(parts: EdgeParts, tenantId: TenantId, rows: readonly EffectRow[]): Promise<readonly JsonObject[]> {
  const asks = await parts.reader.readByIds(
    tenantId,
    rows.map(({ askId }) => askId),
  );
  const byId = new Map(asks.map((ask) => [ask.id as string, ask]));
  return rows.flatMap((row) => {
    const ask = byId.get(row.askId);
    return ask === undefined ? [] : [effectJson(row, ask)];
  });
}

function effectJson({ askId, tenantId, component, state, attempts, failure }: EffectRow, ask: EventRow): JsonObject {
  const worker = workerOfComponent(component) ?? "";
  const asked = readAsk(ask, JSON.parse(ask.specText) as JsonValue); // the store takes JSON only
  return {
    id: askId,
    tenantId,
    worker,
    controller: asked?.controller ?? "",
    aggregateType: ask.aggregateType,
    aggregateId: ask.aggregateId,
    state,
    attempts,
    failure: failure === null ? null : { ...failure },
    idempotencyKey: effectResultId(tenantId, askId, worker),
    correlationId: ask.correlationId,
    askedAt: formatUs(ask.recordedAtUs),
  };
}

async function effectOf(parts: EdgeParts, tenantId: TenantId, request: FastifyRequest): Promise<EffectRow> {
  const { id } = request.params as { readonly id: string }; // of the route's address
  const row = await parts.work.effect(tenantId, uuidOf("id", id));
  if (row === undefined) throw unknown();
  return row;
}

function unknown(): EventplaneError {
  return new EventplaneError("not_found", "This tenant has no effect with this id that waits for a result.");
}

function invalid(message: string): EventplaneError {
  return new EventplaneError("request_invalid", message);
}

function unfit(pointer: string, why: string): EventplaneError {
  return new EventplaneError("schema_violation", `The resolution does not fit: ${why}.`, { details: { pointer } });
}

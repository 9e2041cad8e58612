/** Reads of the log: pages of events, one event, its proof, one stream, one trace. Payloads are sent as they are stored. */
import type { FastifyReply } from "fastify";
import { eventJson, type EventRow, proofJson } from "../../event/index.js";
import { EventplaneError, limits, type TenantId } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";
import { aggregateIdOf, aggregateTypeOf, filterOf, integerOf, limitOf, positionOf, readQuery, uuidOf } from "./query.js";

const filterNames = ["kind", "type", "aggregateType", "aggregateId", "correlationId", "recordedFrom", "recordedBefore"] as const;
const traceEventsMax = 10_000;

/** Registers the routes. */
export function addEventRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events",
    action: "Read",
    handle: (request, reply, { tenantId }) => readPage(parts, { tenantId, given: request.query, reply }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events/:id",
    action: "Read",
    handle: async (request, reply, { tenantId }) => {
      readQuery(request.query, []);
      const row = await eventOf(parts, tenantId, request.params);
      return reply.type("application/json; charset=utf-8").send(eventJson(row));
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events/:id/proof",
    action: "Read",
    handle: async (request, _reply, { tenantId }) => {
      readQuery(request.query, []);
      return proofJson(await eventOf(parts, tenantId, request.params));
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/streams/:aggregateType/:aggregateId",
    action: "Read",
    handle: (request, reply, { tenantId }) => readStream(parts, { tenantId, params: request.params, given: request.query, reply }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/traces/:correlationId",
    action: "Read",
    handle: (request, reply, { tenantId }) => readTrace(parts, { tenantId, params: request.params, given: request.query, reply }),
  });
}

interface Read {
  readonly tenantId: TenantId;
  readonly given: unknown;
  readonly reply: FastifyReply;
}

async function readPage(parts: EdgeParts, { tenantId, given, reply }: Read): Promise<unknown> {
  const query = readQuery(given, [...filterNames, "after", "before", "limit", "direction"]);
  const { direction = "forwards" } = query;
  if (direction !== "forwards" && direction !== "backwards") {
    throw new EventplaneError("request_invalid", "The parameter direction must be forwards or backwards.", { details: { parameter: "direction" } });
  }
  const limit = limitOf(query);
  const after = positionOf(query, "after");
  const before = positionOf(query, "before");
  const rows = await parts.reader.read(tenantId, {
    filter: filterOf(query),
    direction,
    limit,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
  });
  const inside = rows.filter(({ position }) => position > (after ?? 0) && position < (before ?? Number.POSITIVE_INFINITY));
  const ended = rows.length < limit || inside.length < rows.length;
  return sendEvents(reply, inside, ended ? null : (inside.at(-1)?.position ?? null));
}

async function eventOf(parts: EdgeParts, tenantId: TenantId, params: unknown): Promise<EventRow> {
  const { id } = params as { readonly id: string }; // of the route's address
  const [row] = await parts.reader.readByIds(tenantId, [uuidOf("id", id)]);
  if (row === undefined) throw new EventplaneError("not_found", "This tenant has no event with this id.");
  return row;
}

async function readStream(parts: EdgeParts, { tenantId, params, given, reply }: Read & { readonly params: unknown }): Promise<unknown> {
  const names = params as { readonly aggregateType: string; readonly aggregateId: string }; // of the route's address
  const query = readQuery(given, ["after", "limit"]);
  const limit = limitOf(query);
  const stream = { aggregateType: aggregateTypeOf(names.aggregateType), aggregateId: aggregateIdOf(names.aggregateId) };
  const afterVersion = integerOf(query, "after", { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const rows = await parts.reader.readStream(tenantId, stream, { afterVersion, limit });
  if (rows.length === 0 && afterVersion === 0) throw new EventplaneError("not_found", "This tenant has no such stream.");
  return sendEvents(reply, rows, rows.length < limit ? null : (rows.at(-1)?.version ?? null));
}

/** All events of one correlation, at most 10,000, in position order; `next` continues with `after`. */
async function readTrace(parts: EdgeParts, { tenantId, params, given, reply }: Read & { readonly params: unknown }): Promise<unknown> {
  const query = readQuery(given, ["after"]);
  const correlationId = uuidOf("correlationId", (params as { readonly correlationId: string }).correlationId); // of the route's address
  const rows: EventRow[] = [];
  let after = positionOf(query, "after") ?? 0;
  for (;;) {
    const page = await parts.reader.read(tenantId, { filter: { correlationId }, after, limit: limits.readPageMax });
    rows.push(...page);
    after = page.at(-1)?.position ?? after;
    if (page.length < limits.readPageMax) break;
    if (rows.length >= traceEventsMax) return sendEvents(reply, rows, after);
  }
  if (rows.length === 0 && query.after === undefined) {
    throw new EventplaneError("not_found", "This tenant has no event with this correlation id.");
  }
  return sendEvents(reply, rows, null);
}

function sendEvents(reply: FastifyReply, rows: readonly EventRow[], next: number | null): FastifyReply {
  reply.type("application/json; charset=utf-8");
  return reply.send(`{"events":[${rows.map(eventJson).join(",")}],"next":${next === null ? "null" : String(next)}}`);
}

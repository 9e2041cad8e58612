/** GET /v1/tenants/{t}/subscribe: events as they are appended, over SSE on the raw socket. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError } from "../../kernel/index.js";
import { isUnfiltered, type SubscribeFilter } from "../sse/frame.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { assertReached } from "./position-reached.js";
import { filterOf, positionOf, readClassOf, readQuery } from "./query.js";

const filterNames = ["kind", "type", "aggregateType", "aggregateId", "correlationId"] as const;

/** Registers the route. */
export function addSubscribeRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/subscribe",
    action: "Subscribe",
    withinScope: true,
    resource: readClassOf,
    takesTokenInAddress: () => true,
    handle: (request, reply, caller) => subscribe(parts, { request, reply, caller }),
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function subscribe(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  const query = readQuery(request.query, [...filterNames, "after"]);
  const filter = { ...filterOf(query), scope: caller.scope };
  const after = lastEventIdOf(request) ?? positionOf(query, "after");
  const disconnect = await parts.limits.connect(caller);
  try {
    return await serve(parts, { reply, caller }, { filter, after });
  } finally {
    disconnect();
  }
}

async function serve(
  parts: EdgeParts,
  { reply, caller }: Omit<Exchange, "request">,
  { filter, after }: { readonly filter: SubscribeFilter; readonly after: number | undefined },
): Promise<unknown> {
  const lease = await parts.hub.open(caller.tenantId);
  try {
    if (after !== undefined && after > lease.feed.position) await assertReached(parts, caller, after);
  } catch (error) {
    lease.release();
    throw error;
  }
  reply.hijack();
  const { raw } = reply;
  const { socket } = raw;
  if (socket === null || socket.destroyed) {
    lease.release();
    raw.destroy();
    return reply;
  }
  // Without chunks, one write to the socket is one write to the kernel, shared by all subscribers of a batch.
  raw.useChunkedEncodingByDefault = false;
  raw.shouldKeepAlive = false;
  raw.writeHead(200, {
    ...headersOf(reply),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "eventplane-filtered": String(!isUnfiltered(filter)),
    connection: "close",
    "x-accel-buffering": "no",
  });
  raw.flushHeaders();
  socket.setNoDelay(true);
  socket.setTimeout(0);
  await parts.hub.serve({ ...caller, socket, after, filter }, lease);
  return reply;
}

/** Last-Event-ID wins over `after`: a browser resumes with the address it began with. */
function lastEventIdOf(request: FastifyRequest): number | undefined {
  const id = request.headers["last-event-id"];
  if (id === undefined || id === "") return undefined;
  const position = typeof id === "string" && /^\d{1,16}$/.test(id) ? Number(id) : Number.NaN;
  if (Number.isSafeInteger(position)) return position;
  throw new EventplaneError("request_invalid", "Last-Event-ID must be a position, as the ids of this stream are.", {
    details: { header: "last-event-id" },
  });
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) headers[name] = String(value);
  return headers;
}

/** Reads of the log: pages of events, one event, its proof, one stream, one trace. Payloads are sent as they are stored. */
import type { FastifyReply } from "fastify";
import { type EventRow, eventJson, proofJson, provenEventWriter } from "../../event/index.js";
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";
import {
  aggregateIdOf,
  aggregateTypeOf,
  filterOf,
  integerOf,
  limitOf,
  positionOf,
  readQuery,
  uuidOf,
} from "./query.js";

const filterNames = [
  "kind",
  "type",
  "aggregateType",
  "aggregateId",
  "correlationId",
  "recordedFrom",
  "recordedBefore",
] as const;
const traceEventsMax = 10_000;
const pageBytesMax = 8_388_608;
/** Events of one read from the store: what a page of the largest events costs before its bytes are counted. */
const readEvents = 250;

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
    handle: (request, reply, { tenantId }) =>
      readStream(parts, { tenantId, params: request.params, given: request.query, reply }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/traces/:correlationId",
    action: "Read",
    handle: (request, reply, { tenantId }) =>
      readTrace(parts, { tenantId, params: request.params, given: request.query, reply }),
  });
}

interface Read {
  readonly tenantId: TenantId;
  readonly given: unknown;
  readonly reply: FastifyReply;
}

async function readPage(parts: EdgeParts, { tenantId, given, reply }: Read): Promise<unknown> {
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(given, [...filterNames, "after", "before", "limit", "direction", "include"]);
  const { direction = "forwards", include } = query;
  if (include !== undefined && include !== "proof") {
    throw new EventplaneError("request_invalid", "The parameter include may be proof.", {
      details: { parameter: "include" },
    });
  }
  if (direction !== "forwards" && direction !== "backwards") {
    throw new EventplaneError("request_invalid", "The parameter direction must be forwards or backwards.", {
      details: { parameter: "direction" },
    });
  }
  const limit = limitOf(query);
  const after = positionOf(query, "after");
  const before = positionOf(query, "before");
  const filter = filterOf(query);
  const json = include === "proof" ? provenEventWriter() : eventJson;
  const texts: string[] = [];
  let next: number | null = null;
  let place = direction === "forwards" ? after : before;
  for (let bytes = 0; bytes < pageBytesMax && texts.length < limit; ) {
    const size = Math.min(readEvents, limit - texts.length);
    const from = direction === "forwards" ? { after: place ?? 0 } : place === undefined ? {} : { before: place };
    const rows = await parts.reader.read(tenantId, { filter, direction, limit: size, ...from });
    const inside = rows.filter(
      ({ position }) => position > (after ?? 0) && position < (before ?? Number.POSITIVE_INFINITY),
    );
    for (const row of inside) bytes += texts[texts.push(json(row)) - 1]?.length ?? 0;
    place = inside.at(-1)?.position ?? place;
    next = rows.length < size || inside.length < rows.length ? null : (place ?? null);
    if (next === null) break;
  }
  return sendTexts(parts, { tenantId, reply }, { texts, next });
}

async function eventOf(parts: EdgeParts, tenantId: TenantId, params: unknown): Promise<EventRow> {
  const { id } = params as { readonly id: string }; // of the route's address
  const [row] = await parts.reader.readByIds(tenantId, [uuidOf("id", id)]);
  if (row === undefined) throw new EventplaneError("not_found", "This tenant has no event with this id.");
  return row;
}

async function readStream(
  parts: EdgeParts,
  { tenantId, params, given, reply }: Read & { readonly params: unknown },
): Promise<unknown> {
  const names = params as { readonly aggregateType: string; readonly aggregateId: string }; // of the route's address
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(given, ["after", "limit"]);
  const limit = limitOf(query);
  const stream = { aggregateType: aggregateTypeOf(names.aggregateType), aggregateId: aggregateIdOf(names.aggregateId) };
  const afterVersion = integerOf(query, "after", { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const { texts, next } = await gather(
    { after: afterVersion, limit, placeOf: ({ version }) => version },
    (after, size) => parts.reader.readStream(tenantId, stream, { afterVersion: after, limit: size }),
  );
  if (texts.length === 0 && afterVersion === 0)
    throw new EventplaneError("not_found", "This tenant has no such stream.");
  return sendTexts(parts, { tenantId, reply }, { texts, next });
}

/** Events of one correlation, at most 10,000 or 8 MiB, in position order; `next` continues with `after`. */
async function readTrace(
  parts: EdgeParts,
  { tenantId, params, given, reply }: Read & { readonly params: unknown },
): Promise<unknown> {
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(given, ["after"]);
  const correlationId = uuidOf("correlationId", (params as { readonly correlationId: string }).correlationId); // of the route's address
  const { texts, next } = await gather(
    { after: positionOf(query, "after") ?? 0, limit: traceEventsMax, placeOf: ({ position }) => position },
    (after, limit) => parts.reader.read(tenantId, { filter: { correlationId }, after, limit }),
  );
  if (texts.length === 0 && query.after === undefined) {
    throw new EventplaneError("not_found", "This tenant has no event with this correlation id.");
  }
  return sendTexts(parts, { tenantId, reply }, { texts, next });
}

interface Page {
  readonly texts: readonly string[];
  /** Where the next page begins; null at the end. */
  readonly next: number | null;
}

/** Reads until there are `limit` events or 8 MiB of them. */
async function gather(
  { after, limit, placeOf }: { after: number; limit: number; placeOf: (row: EventRow) => number },
  read: (after: number, limit: number) => Promise<readonly EventRow[]>,
): Promise<Page> {
  const texts: string[] = [];
  let place = after;
  for (let bytes = 0; bytes < pageBytesMax && texts.length < limit; ) {
    const size = Math.min(readEvents, limit - texts.length);
    const rows = await read(place, size);
    for (const row of rows) {
      const text = eventJson(row);
      bytes += text.length;
      texts.push(text);
      place = placeOf(row);
    }
    if (rows.length < size) return { texts, next: null };
  }
  return { texts, next: place };
}

function sendTexts(
  { unsent }: EdgeParts,
  { tenantId, reply }: Pick<Read, "tenantId" | "reply">,
  { texts, next }: Page,
): FastifyReply {
  const body = `{"events":[${texts.join(",")}],"next":${next === null ? "null" : String(next)}}`;
  unsent.hold(tenantId, body.length, reply.raw);
  return reply.type("application/json; charset=utf-8").send(body);
}

/** Reads of the log: pages of events, one event, its proof, one stream, one trace. Payloads are sent as they are stored. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { type EventRow, proofJson, provenEventWriter } from "../../event/index.js";
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import { type Scope, visibleRows } from "../scope.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { type Form, formWith, ownForm, type Page } from "./event-forms.js";
import { readLines, wantsLines } from "./event-lines.js";
import {
  aggregateIdOf,
  aggregateTypeOf,
  filterNames,
  filterOf,
  integerOf,
  limitOf,
  positionOf,
  readClassOf,
  readQuery,
  uuidOf,
} from "./query.js";

const traceEventsMax = 10_000;
const pageBytesMax = 8_388_608;
/** Events of one read from the store: what a page of the largest events costs before its bytes are counted. */
const readEvents = 250;
/** A page looks at so many events, however few of them a scope lets through; the next one goes on behind them. */
const readEventsMax = 10_000;

/** Registers the routes. */
export function addEventRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events",
    action: "Read",
    withinScope: true,
    resource: readClassOf,
    takesTokenInAddress: wantsLines,
    handle: (request, reply, caller) =>
      wantsLines(request)
        ? readLines(parts, { request, reply, caller })
        : readPage(parts, { ...caller, request, reply }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events/:id",
    action: "Read",
    withinScope: true,
    handle: async (request, reply, caller) => {
      const { schema } = readQuery(request.query, ["schema"]);
      const row = await eventOf(parts, caller, request.params);
      const form = formWith(request, { of: "single", schema, app: parts.app });
      const [text] = await parts.personal.openTexts(caller.tenantId, [form.write(row)]);
      return reply.type(form.mediaType).send(text);
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/events/:id/proof",
    action: "Read",
    withinScope: true,
    handle: async (request, _reply, caller) => {
      readQuery(request.query, []);
      return proofJson(await eventOf(parts, caller, request.params));
    },
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/streams/:aggregateType/:aggregateId",
    action: "Read",
    withinScope: true,
    resource: readClassOf,
    handle: (request, reply, { tenantId, scope }) => readStream(parts, { tenantId, scope, request, reply }),
  });
  routes.tenant({
    method: "GET",
    url: "/v1/tenants/:t/traces/:correlationId",
    action: "Read",
    withinScope: true,
    handle: (request, reply, { tenantId, scope }) => readTrace(parts, { tenantId, scope, request, reply }),
  });
}

interface Read {
  readonly tenantId: TenantId;
  readonly scope: Scope | undefined;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

async function readPage(parts: EdgeParts, { tenantId, scope, request, reply }: Read): Promise<unknown> {
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(request.query, [
    ...filterNames,
    "after",
    "before",
    "limit",
    "direction",
    "include",
    "schema",
  ]);
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
  const filter = scope?.narrow(filterOf(query)) ?? filterOf(query);
  const form = formWith(request, { of: "batch", schema: query.schema, app: parts.app });
  if (include === "proof" && form !== ownForm) {
    throw new EventplaneError(
      "request_invalid",
      "Only events as they are stored come with their proof: read /events/{id}/proof.",
      {
        details: { parameter: "include" },
      },
    );
  }
  // What is proven is what is stored: personal data stay sealed in it.
  const write = include === "proof" ? provenEventWriter() : form.write;
  const open: Open =
    include === "proof" ? (written) => written : (written) => parts.personal.openTexts(tenantId, written);
  const texts: string[] = [];
  let next: number | null = null;
  let place = direction === "forwards" ? after : before;
  for (let bytes = 0, looked = 0; bytes < pageBytesMax && texts.length < limit && looked < readEventsMax; ) {
    const size = Math.min(readEvents, limit - texts.length);
    const from = direction === "forwards" ? { after: place ?? 0 } : place === undefined ? {} : { before: place };
    const rows = await parts.reader.read(tenantId, { filter, direction, limit: size, ...from });
    const inside = rows.filter(
      ({ position }) => position > (after ?? 0) && position < (before ?? Number.POSITIVE_INFINITY),
    );
    looked += rows.length;
    for (const text of await open(visibleRows(inside, scope).map(write))) {
      texts.push(text);
      bytes += text.length;
    }
    place = inside.at(-1)?.position ?? place;
    next = rows.length < size || inside.length < rows.length ? null : (place ?? null);
    if (next === null) break;
  }
  return sendPage(parts, { tenantId, scope, request, reply }, { form, texts, next });
}

async function eventOf(parts: EdgeParts, { tenantId, scope }: Caller, params: unknown): Promise<EventRow> {
  const { id } = params as { readonly id: string }; // of the route's address
  const [row] = await parts.reader.readByIds(tenantId, [uuidOf("id", id)]);
  if (row === undefined || scope?.allows(row) === false)
    throw new EventplaneError("not_found", "This tenant has no event with this id.");
  return row;
}

async function readStream(parts: EdgeParts, { tenantId, scope, request, reply }: Read): Promise<unknown> {
  const names = request.params as { readonly aggregateType: string; readonly aggregateId: string }; // of the route's address
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(request.query, ["after", "limit", "schema"]);
  const form = formWith(request, { of: "batch", schema: query.schema, app: parts.app });
  const limit = limitOf(query);
  const stream = { aggregateType: aggregateTypeOf(names.aggregateType), aggregateId: aggregateIdOf(names.aggregateId) };
  const afterVersion = integerOf(query, "after", { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const { texts, next } = await gather(
    {
      after: afterVersion,
      limit,
      scope,
      open: (written) => parts.personal.openTexts(tenantId, written),
      write: form.write,
      placeOf: ({ version }) => version,
    },
    (after, size) => parts.reader.readStream(tenantId, stream, { afterVersion: after, limit: size }),
  );
  // A stream of which nothing may be seen is none; of one of a type that is touched, a page may be empty.
  if (texts.length === 0 && (scope?.touches(stream.aggregateType) === false || (afterVersion === 0 && next === null)))
    throw new EventplaneError("not_found", "This tenant has no such stream.");
  return sendPage(parts, { tenantId, scope, request, reply }, { form, texts, next });
}

/** Events of one correlation, at most 10,000 or 8 MiB, in position order; `next` continues with `after`. */
async function readTrace(parts: EdgeParts, { tenantId, scope, request, reply }: Read): Promise<unknown> {
  parts.unsent.assertRoom(tenantId);
  const query = readQuery(request.query, ["after", "schema"]);
  const form = formWith(request, { of: "batch", schema: query.schema, app: parts.app });
  const correlationId = uuidOf("correlationId", (request.params as { readonly correlationId: string }).correlationId); // of the route's address
  const { texts, next } = await gather(
    {
      after: positionOf(query, "after") ?? 0,
      limit: traceEventsMax,
      scope,
      open: (written) => parts.personal.openTexts(tenantId, written),
      write: form.write,
      placeOf: ({ position }) => position,
    },
    (after, limit) => parts.reader.read(tenantId, { filter: { correlationId }, after, limit }),
  );
  if (texts.length === 0 && query.after === undefined) {
    throw new EventplaneError("not_found", "This tenant has no event with this correlation id.");
  }
  return sendPage(parts, { tenantId, scope, request, reply }, { form, texts, next });
}

/** Opens the personal data of events as they were written. */
type Open = (written: readonly string[]) => Promise<readonly string[]> | readonly string[];

interface GatherOptions {
  readonly after: number;
  readonly limit: number;
  readonly scope: Scope | undefined;
  readonly open: Open;
  readonly write: Form["write"];
  readonly placeOf: (row: EventRow) => number;
}

/** Reads until there are `limit` events, or 8 MiB of them, or 10,000 were looked at. */
async function gather(
  { after, limit, scope, open, write, placeOf }: GatherOptions,
  read: (after: number, limit: number) => Promise<readonly EventRow[]>,
): Promise<Page> {
  const texts: string[] = [];
  let place = after;
  for (let bytes = 0, looked = 0; bytes < pageBytesMax && texts.length < limit && looked < readEventsMax; ) {
    const size = Math.min(readEvents, limit - texts.length);
    const rows = await read(place, size);
    looked += rows.length;
    for (const text of await open(visibleRows(rows, scope).map(write))) {
      texts.push(text);
      bytes += text.length;
    }
    const last = rows.at(-1);
    if (last !== undefined) place = placeOf(last);
    if (rows.length < size) return { texts, next: null };
  }
  return { texts, next: place };
}

function sendPage(
  { unsent }: EdgeParts,
  { tenantId, request, reply }: Read,
  { form, ...page }: Page & { readonly form: Form },
): FastifyReply {
  const body = form.page(page, request, reply);
  unsent.hold(tenantId, body.length, reply.raw);
  return reply.type(form.mediaType).send(body);
}

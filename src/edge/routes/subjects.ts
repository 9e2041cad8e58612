/** Data subjects of a tenant: whose keys there are, who was erased, and the erasure itself. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { EventRow } from "../../event/index.js";
import { EventplaneError, formatUs, type JsonObject, limits, type TenantId } from "../../kernel/index.js";
import { erasedType, subjectAggregate, subjectName } from "../../personal/index.js";
import { eraseSubject } from "../subjects/erase-subject.js";
import { administrationOf } from "./admin.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { integerOf, limitOf, positionOf, readQuery } from "./query.js";
import { tenantOfQuery } from "./tenant-of-query.js";

const url = "/v1/admin/subjects";

/** Registers the routes. The tenant is the parameter `tenant`, by default the caller's own. */
export function addSubjectRoutes(routes: Routes, parts: EdgeParts): void {
  const shared = { action: "Administer", resource: "area:subjects", ofCaller: true } as const;
  routes.tenant({ ...shared, method: "GET", url, handle: (request, _reply, caller) => list(parts, request, caller) });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/erased`,
    handle: (request, _reply, caller) => listErased(parts, request, caller),
  });
  routes.tenant({
    ...shared,
    method: "GET",
    url: `${url}/:subject`,
    handle: async (request, _reply, caller) => show(parts, tenantIn(parts, request, caller), subjectIn(request)),
  });
  routes.tenant({
    ...shared,
    method: "POST",
    url: `${url}/:subject/erase`,
    handle: (request, reply, caller) => erase(parts, { request, reply, caller }),
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function erase(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  const tenantId = tenantIn(parts, request, caller);
  const subject = subjectIn(request);
  const stamp = parts.administration.stamp(administrationOf(request, caller), tenantId);
  const { receipt, repeated } = await eraseSubject(parts, { tenantId, subject, stamp });
  if (repeated) reply.header("idempotent-replayed", "true");
  return reply.code(repeated ? 200 : 201).send({ receipt });
}

async function list(parts: EdgeParts, request: FastifyRequest, caller: Caller): Promise<unknown> {
  const query = readQuery(request.query, ["tenant", "after", "limit"]);
  const tenantId = tenantOfQuery(parts, query.tenant, caller);
  const limit = limitOf(query);
  const after = query.after === undefined ? {} : { after: subjectName(query.after) };
  const subjects = await parts.dataKeys.list(tenantId, { ...after, limit });
  const next = subjects.length < limit ? null : (subjects.at(-1)?.subject ?? null);
  return { subjects: subjects.map((key) => ({ ...key, state: "kept" })), next };
}

/** In the order in which they were erased, from the log: what a backup that is restored has to be told again. */
async function listErased(parts: EdgeParts, request: FastifyRequest, caller: Caller): Promise<unknown> {
  const query = readQuery(request.query, ["tenant", "after", "limit"]);
  const tenantId = tenantOfQuery(parts, query.tenant, caller);
  const limit = integerOf(query, "limit", { min: 1, max: limits.readPageMax }) ?? limits.readPageMax;
  const filter = { aggregateType: subjectAggregate, type: erasedType };
  const rows = await parts.reader.read(tenantId, { filter, after: positionOf(query, "after") ?? 0, limit });
  return { subjects: rows.map(erasedJson), next: rows.length < limit ? null : (rows.at(-1)?.position ?? null) };
}

async function show(parts: EdgeParts, tenantId: TenantId, subject: string): Promise<JsonObject> {
  const [fact] = await parts.reader.readStream(tenantId, { aggregateType: subjectAggregate, aggregateId: subject });
  if (fact !== undefined) return erasedJson(fact);
  const [key] = await parts.dataKeys.ofSubjects(tenantId, [subject]);
  if (key === undefined) throw new EventplaneError("not_found", "This tenant has no data subject of this name.");
  const { keyId, kekId } = key;
  return { subject, state: "kept", keyId, kekId };
}

function erasedJson(row: EventRow): JsonObject {
  const { aggregateId: subject, id: eventId, position } = row;
  return { subject, state: "erased", erasedAt: formatUs(row.recordedAtUs), eventId, position };
}

function subjectIn(request: FastifyRequest): string {
  const { subject } = request.params as { readonly subject: string }; // of the route's address
  return subjectName(subject);
}

function tenantIn(parts: EdgeParts, request: FastifyRequest, caller: Caller): TenantId {
  return tenantOfQuery(parts, readQuery(request.query, ["tenant"]).tenant, caller);
}

/** POST /v1/tenants/{t}/intents: one intent, or a list, each for itself or atomic. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError } from "../../kernel/index.js";
import { failureFields } from "../failure-fields.js";
import { httpStatus, problemOf } from "../problem.js";
import { cloudEventTypes, readCloudEvents } from "../publish/cloudevents.js";
import { type IntentInput, type PublishBody, readPublishBody } from "../publish/intent-input.js";
import type { PublishResult } from "../publish/publish-result.js";
import type { Caller, EdgeParts, Routes } from "./context.js";
import { readQuery } from "./query.js";

const idempotencyKeyForm = /^[\x21-\x7e]{1,255}$/;
const ifMatchForm = /^"(\d{1,15})"$/;

/** Registers the route. */
export function addIntentRoutes(routes: Routes, parts: EdgeParts): void {
  routes.tenant({
    method: "POST",
    url: "/v1/tenants/:t/intents",
    action: "PublishIntent",
    withinScope: true,
    authorize: "handler",
    handle: (request, reply, caller) => publish(parts, { request, reply, caller }),
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function publish(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  readQuery(request.query, []);
  const idempotencyKey = idempotencyKeyOf(request);
  const body = await bodyReaderOf(request)(bodyOf(request, Object.values(cloudEventTypes)));
  const intents = withIfMatch(request, body);
  const results = await parts.pipeline.publish(caller.principal, caller.tenantId, intents, {
    atomic: body.atomic,
    isList: body.isList,
    placed: body.placed,
    requestId: request.id,
    via: "http",
    idempotencyKey,
    traceparent: traceparentOf(request),
  });
  if (body.isList) logFailures(parts, request, results);
  return body.isList
    ? answerList(reply, results, { requestId: request.id, atomic: body.atomic })
    : answerOne(reply, results);
}

function mediaTypeOf(request: FastifyRequest): string {
  const [mediaType = ""] = (request.headers["content-type"] ?? "").split(";", 1);
  return mediaType.trim().toLowerCase();
}

/** CloudEvents are told by their media types, everything else is our own form. */
function bodyReaderOf(request: FastifyRequest): (bytes: Uint8Array) => Promise<PublishBody> {
  switch (mediaTypeOf(request)) {
    case cloudEventTypes.single:
      return (bytes) => readCloudEvents(bytes, "single");
    case cloudEventTypes.batch:
      return (bytes) => readCloudEvents(bytes, "batch");
    default:
      return readPublishBody;
  }
}

function answerOne(reply: FastifyReply, [result]: readonly PublishResult[]): unknown {
  if (result === undefined) throw new EventplaneError("internal", "A publish gave no result.");
  if (result.result === "refused") throw result.error;
  const { receipt } = result;
  reply.code(result.result === "created" ? 201 : 200);
  reply.header("location", `/v1/tenants/${receipt.tenantId}/events/${receipt.id}`);
  reply.header("etag", `"${receipt.generation}"`);
  if (result.result === "repeated") reply.header("idempotent-replayed", "true");
  return receipt;
}

/** A list that is not atomic always answers 200: what became of each intent stands in its place. */
function answerList(
  reply: FastifyReply,
  results: readonly PublishResult[],
  { requestId, atomic }: { readonly requestId: string; readonly atomic: boolean },
): unknown {
  const repeated = results.every(({ result }) => result === "repeated");
  if (repeated) reply.header("idempotent-replayed", "true");
  reply.code(atomic && !repeated ? 201 : 200);
  return {
    results: results.map((each) =>
      each.result === "refused"
        ? { result: each.result, problem: problemOf(each.error, { requestId }) }
        : { result: each.result, receipt: each.receipt },
    ),
  };
}

/** A list is answered 200 although an intent of it failed inside; a single intent's failure is thrown and logged like any other. */
function logFailures({ logger }: EdgeParts, request: FastifyRequest, results: readonly PublishResult[]): void {
  for (const each of results) {
    if (each.result !== "refused" || httpStatus(each.error.code) !== 500) continue;
    logger.error({ requestId: request.id, ...failureFields(each.error) }, "An intent failed.");
    return;
  }
}

/** The raw bytes that the content parser left, of plain JSON or of what else the route takes. */
export function bodyOf(request: FastifyRequest, alsoTaken: readonly string[] = []): Uint8Array {
  const taken = ["application/json", ...alsoTaken].includes(mediaTypeOf(request));
  if (taken && request.body instanceof Uint8Array) return request.body;
  throw new EventplaneError("unsupported_media_type", "Send the body as application/json.");
}

/** The Idempotency-Key header, if one was sent. */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && idempotencyKeyForm.test(key)) return key;
  throw new EventplaneError("request_invalid", "Idempotency-Key takes 1 to 255 visible ASCII characters, once.", {
    details: { header: "idempotency-key" },
  });
}

/** If-Match on the resource's generation becomes the expected generation of the one intent. */
function withIfMatch(
  request: FastifyRequest,
  body: { readonly isList: boolean; readonly intents: readonly (IntentInput | EventplaneError)[] },
): readonly (IntentInput | EventplaneError)[] {
  const header = request.headers["if-match"];
  const [intent] = body.intents;
  if (header === undefined || intent === undefined) return body.intents;
  const generation = ifMatchForm.exec(header)?.[1];
  if (body.isList || generation === undefined || intent instanceof EventplaneError) {
    const message =
      'If-Match takes one generation in quotes, as the ETag of a resource, and goes with one intent: If-Match: "3".';
    throw intent instanceof EventplaneError
      ? intent
      : new EventplaneError("request_invalid", message, { details: { header: "if-match" } });
  }
  const expectedGeneration = Number(generation);
  if (intent.expectedGeneration !== undefined && intent.expectedGeneration !== expectedGeneration) {
    throw new EventplaneError(
      "request_invalid",
      "If-Match and expectedGeneration name different generations. Send one of them.",
      {
        details: { pointer: "/expectedGeneration" },
      },
    );
  }
  return [{ ...intent, expectedGeneration }];
}

const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A header that is none is passed over, as W3C Trace Context asks. */
function traceparentOf(request: FastifyRequest): string | undefined {
  const value = request.headers["traceparent"];
  return typeof value === "string" && traceparentForm.test(value) ? value : undefined;
}

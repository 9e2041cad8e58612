/** Publishing and deliveries. */
import type { ErrorCode, JsonObject } from "../../kernel/index.js";
import { limits } from "../../kernel/index.js";
import { cloudEventTypes } from "../publish/cloudevents.js";
import { exampleCloudEventSent, exampleIds, exampleIntent, exampleReceipt } from "./examples.js";
import { type Answer, json, type Operations } from "./operation.js";
import { etag, idempotencyKey, ifMatch, location, replayed } from "./parameters.js";
import {
  aggregateId,
  aggregateType,
  anyObject,
  eventType,
  flag,
  list,
  members,
  oneOf,
  shape,
  text,
  time,
  uuid,
  whole,
} from "./schema-parts.js";

/** What an intent can be refused with. */
const intentCodes: readonly ErrorCode[] = [
  "events_limited",
  "bytes_limited",
  "streams_limited",
  "unknown_type",
  "forbidden_field",
  "spec_too_large",
  "too_many_events",
  "schema_violation",
  "secret_found",
  "content_mismatch",
  "data_subject_missing",
  "subject_erased",
  "wrong_expected_version",
  "wrong_expected_generation",
  "resource_exists",
  "resource_deleting",
  "resource_deleted",
  "guard_refused",
  "not_found",
  "disk_full",
];

/** One intent as it is published; the document adds a shape for each type of the app. */
export const intentShape: JsonObject = members(
  {
    type: eventType(),
    "aggregateType?": aggregateType(),
    "aggregateId?": aggregateId(),
    "spec?": anyObject(),
    "id?": uuid({ description: "UUIDv4 or 7." }),
    "schemaVersion?": whole(1),
    "expectedVersion?": { anyOf: [whole(1), oneOf(["noStream", "streamExists", "any"])] },
    "expectedGeneration?": whole(),
    "causationId?": uuid(),
    "correlationId?": uuid(),
    "occurredAt?": time(),
  },
  { additionalProperties: false },
);

const listOfIntents = members(
  { intents: list(shape("Intent"), { minItems: 1, maxItems: limits.eventsPerRequestMax }), "atomic?": flag() },
  { additionalProperties: false },
);

/** A CloudEvent as it is published. */
export const cloudEventIntentShape: JsonObject = members(
  {
    specversion: oneOf(["1.0"]),
    id: text({ minLength: 1 }),
    source: text({ minLength: 1 }),
    type: eventType(),
    "subject?": text({ description: "<aggregateType>/<aggregateId>" }),
    "time?": time(),
    "datacontenttype?": text(),
    "dataschema?": text({ description: "eventplane:/schemas/<type>/<n>" }),
    "data?": anyObject({ description: "The spec." }),
    "correlationid?": uuid(),
    "causationid?": uuid(),
    "traceparent?": text(),
  },
  { additionalProperties: false },
);

const item = {
  anyOf: [
    members({ result: oneOf(["created", "repeated", "unchanged"]), receipt: shape("Receipt") }),
    members({ result: oneOf(["refused"]), problem: shape("Problem") }),
  ],
};
const results = members({ results: list(item) });
const exampleResults = { results: [{ result: "created", receipt: exampleReceipt }] };
const published = (description: string, headers: Answer["headers"] = {}): Answer => ({
  description,
  headers: { ...etag, ...location, ...headers },
  content: {
    "application/json": {
      schema: { anyOf: [shape("Receipt"), results] },
      examples: { one: exampleReceipt, list: exampleResults },
    },
  },
});

/** By method and address. */
export const publishingOperations: Operations = {
  "POST /v1/tenants/:t/intents": {
    id: "publish",
    tag: "Publishing",
    summary: "Publish an intent, or a list of them",
    description:
      "Answered when it is in the log. A list is published one by one, each answered in its place, or with `atomic` all or none. The same id with the same content is the same intent, for ever.",
    headers: {
      ...idempotencyKey,
      ...ifMatch,
      traceparent: {
        schema: text(),
        description: "W3C Trace Context; kept with the event.",
        example: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
    },
    body: {
      "application/json": {
        schema: { anyOf: [shape("Intent"), listOfIntents] },
        examples: { one: exampleIntent, list: { intents: [exampleIntent], atomic: true } },
      },
      [cloudEventTypes.single]: { schema: shape("CloudEventIntent"), examples: { example: exampleCloudEventSent } },
      [cloudEventTypes.batch]: {
        schema: list(shape("CloudEventIntent"), { minItems: 1, maxItems: limits.eventsPerRequestMax }),
        examples: { example: [exampleCloudEventSent] },
      },
    },
    answers: {
      200: published("It was in the log already, or it is a list, or a deletion that had nothing to do.", replayed),
      201: published("It is in the log now."),
    },
    errors: intentCodes,
  },
  "POST /v1/tenants/:t/sources/:source": {
    id: "deliver",
    tag: "Publishing",
    summary: "Deliver from outside, signed",
    description: "The body and its headers are what the source's scheme asks for; facts come of it.",
    body: json(anyObject(), { action: "opened", number: 7 }),
    answers: {
      200: {
        description: "Every fact was there already, or the delivery means nothing.",
        headers: replayed,
        content: json(factsShape(), { facts: [] }),
      },
      201: {
        description: "At least one fact was added.",
        content: json(factsShape(), { facts: [{ id: exampleIds.event, result: "created" }] }),
      },
    },
    errors: ["source_unverified", "delivery_expired", "delivery_unmapped", ...intentCodes],
  },
};

function factsShape(): JsonObject {
  return members({ facts: list(members({ id: uuid(), result: oneOf(["created", "repeated", "unchanged"]) })) });
}

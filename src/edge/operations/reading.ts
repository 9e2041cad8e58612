/** Reads and subscriptions. */
import { compatibilityModes } from "../../event/index.js";
import { type JsonObject, type JsonValue, limits } from "../../kernel/index.js";
import { cloudEventTypes } from "../publish/cloudevents.js";
import { exampleCloudEvent, exampleEvent, exampleIds, exampleProof, exampleResource, exampleTime } from "./examples.js";
import { type Answer, type Content, json, type Operations, type Parameter } from "./operation.js";
import {
  accessToken,
  after,
  before,
  etag,
  eventFilters,
  filtered,
  limit,
  link,
  minPosition,
  recordedBetween,
} from "./parameters.js";
import { anyObject, list, members, oneOf, orNull, shape, text, time, whole } from "./schema-parts.js";

const nextPosition = orNull(whole(0, { description: "Where the next page begins; null at the end." }));
const eventPage = (item: JsonObject): JsonObject => members({ events: list(item), next: nextPosition });

const events = (description: string, own: Content): Answer => ({
  description,
  headers: link,
  content: {
    "application/json": own,
    [cloudEventTypes.batch]: { schema: list(shape("CloudEvent")), examples: { example: [exampleCloudEvent] } },
  },
});
const page: JsonValue = { events: [exampleEvent], next: null };
const ownPage: Content = { schema: eventPage(shape("Event")), examples: { example: page } };

const pages = events("The page, or the lines.", {
  schema: { anyOf: [eventPage(shape("ProvenEvent")), eventPage(shape("Event"))] },
  examples: { example: page },
});
const eventsOrLines: Answer = {
  ...pages,
  headers: { ...pages.headers, ...filtered },
  content: {
    ...pages.content,
    "application/x-ndjson": {
      schema: text(),
      examples: {
        example: `${JSON.stringify(exampleEvent)}\n{"bookmark":{"position":3000}}\n{"end":{"position":4711}}\n`,
      },
    },
  },
};

const latestSchema: Parameter = {
  schema: oneOf(["latest"]),
  description: "Beside an older spec what it says in the latest schemaVersion, as `latest`.",
  example: "latest",
};

const schemaShape = members({
  type: text(),
  schemaVersion: whole(1),
  effect: oneOf(["creates", "updates", "deletes"]),
  "specBytesMax?": whole(),
  "compatibility?": oneOf(compatibilityModes),
  "registeredAt?": time(),
  schema: anyObject(),
});
const schemaWish = json(
  members({ schema: anyObject(), "compatibility?": oneOf(compatibilityModes) }, { additionalProperties: false }),
  { schema: { type: "object", properties: { total: { type: "integer" } } } },
);
const exampleOwnSchema: JsonValue = {
  type: "x-order.placed",
  schemaVersion: 1,
  effect: "updates",
  specBytesMax: limits.tenantSpecBytesMax,
  compatibility: "backward",
  registeredAt: exampleTime,
  schema: { type: "object", properties: { total: { type: "integer" } }, additionalProperties: false },
};
const exampleSchema: JsonValue = {
  type: "organization.delete",
  schemaVersion: 1,
  effect: "deletes",
  schema: { type: "object", properties: {}, additionalProperties: false },
};

/** The question to a table; values of a group come beside it. */
export const tableQuery: Readonly<Record<string, Parameter>> = {
  table: { schema: text(), description: "Name of the table.", example: "byPlan", required: true },
  key: { schema: text(), description: "The row with this key.", example: "team" },
  after: { schema: text(), description: "`next` of the page before.", example: "team" },
  limit,
};

/** By method and address. */
export const readingOperations: Operations = {
  "GET /v1/tenants/:t/events": {
    id: "readEvents",
    tag: "Reading",
    summary: "Read events: a page, or a stream of lines",
    description:
      "Of what the filters mean, in the order of positions. A page ends after 8 MiB. As application/x-ndjson: all up to the end of the log, one a line, with bookmarks where something is left out; the last line is `end`. Lines come forwards, and take `access_token`.",
    query: {
      ...eventFilters,
      ...recordedBetween,
      after,
      before,
      limit: { ...limit, schema: whole(1), description: "Of a page 1 to 1,000, default 100; of lines default all." },
      ...accessToken,
      direction: { schema: oneOf(["forwards", "backwards"]), description: "Default forwards.", example: "backwards" },
      schema: latestSchema,
      include: {
        schema: oneOf(["proof"]),
        description: "With the stored proofs and the exact texts that are hashed.",
        example: "proof",
      },
    },
    answers: {
      200: eventsOrLines,
    },
    errors: [],
  },
  "GET /v1/tenants/:t/events/:id": {
    id: "readEvent",
    tag: "Reading",
    summary: "Read one event",
    query: { schema: latestSchema },
    answers: {
      200: {
        description: "The event.",
        content: {
          ...json(shape("Event"), exampleEvent),
          [cloudEventTypes.single]: { schema: shape("CloudEvent"), examples: { example: exampleCloudEvent } },
        },
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/events/:id/proof": {
    id: "readProof",
    tag: "Reading",
    summary: "Read the proof of an event",
    description: "With the root public key and the key's introduction it is all that an offline check needs.",
    answers: { 200: { description: "The proof.", content: json(shape("Proof"), exampleProof) } },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/streams/:aggregateType/:aggregateId": {
    id: "readStream",
    tag: "Reading",
    summary: "Read the events of one stream",
    description: "In the order of versions. A page ends after 8 MiB.",
    query: { after: { ...after, description: "Events behind this version." }, limit, schema: latestSchema },
    answers: { 200: events("The page; `next` is a version.", ownPage) },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/traces/:correlationId": {
    id: "readTrace",
    tag: "Reading",
    summary: "Read the events of one correlation",
    description: "At most 10,000 or 8 MiB a page; `causationId` makes them a tree.",
    query: { after, schema: latestSchema },
    answers: { 200: events("The page.", ownPage) },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/resources/:aggregateType": {
    id: "listResources",
    tag: "Reading",
    summary: "List resources",
    query: {
      after: { schema: eventFilters.aggregateId.schema, description: "Those behind this id.", example: "acme" },
      limit,
      minPosition,
    },
    answers: {
      200: {
        description: "The page, in the order of ids.",
        content: json(members({ resources: list(shape("Resource")), next: orNull(text()) }), {
          resources: [exampleResource],
          next: null,
        }),
      },
    },
    errors: [],
  },
  "GET /v1/tenants/:t/resources/:aggregateType/:aggregateId": {
    id: "readResource",
    tag: "Reading",
    summary: "Read one resource",
    query: { minPosition },
    answers: {
      200: { description: "The resource.", headers: etag, content: json(shape("Resource"), exampleResource) },
    },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/projections/:name": {
    id: "queryProjection",
    tag: "Reading",
    summary: "Ask a projection",
    description: "Rows of one table. Values of a group are given by their names, as `plan=team`.",
    query: { ...tableQuery, minPosition },
    takesOtherParameters: true,
    answers: {
      200: {
        description: "The page.",
        content: json(members({ rows: list(anyObject()), position: whole(), next: orNull(text()) }), {
          rows: [{ plan: "team", count: 2 }],
          position: 17,
          next: null,
        }),
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/tenants/:t/schemas": {
    id: "listSchemas",
    tag: "Reading",
    summary: "List the schemas of all types",
    answers: {
      200: {
        description: "All that the key may see.",
        content: json(members({ schemas: list(schemaShape) }), { schemas: [exampleSchema] }),
      },
    },
    errors: [],
  },
  "GET /v1/tenants/:t/schemas/:type/:version": {
    id: "readSchema",
    tag: "Reading",
    summary: "Read one schema",
    answers: { 200: { description: "The schema.", content: json(schemaShape, exampleSchema) } },
    errors: ["not_found"],
  },
  "PUT /v1/tenants/:t/schemas/:type/:version": {
    id: "registerSchema",
    tag: "Schemas",
    summary: "Register a schema of a type of the tenant's own",
    description:
      "As version 1, or as the one after the latest. The type begins with `x-`; no controller watches it. The same again has the same answer.",
    body: schemaWish,
    answers: { 200: { description: "The schema, closed.", content: json(schemaShape, exampleOwnSchema) } },
    errors: [
      "forbidden_field",
      "schema_violation",
      "content_mismatch",
      "schema_invalid",
      "schema_incompatible",
      "schema_limit",
      "wrong_expected_generation",
      "disk_full",
    ],
  },
  "POST /v1/tenants/:t/schemas/:type/check": {
    id: "checkSchema",
    tag: "Schemas",
    summary: "Say whether a schema could be registered",
    body: schemaWish,
    answers: {
      200: {
        description: "What it would be, and why it may not follow the versions before it.",
        content: json(
          members({
            type: text(),
            schemaVersion: whole(1),
            compatible: { type: "boolean" },
            reasons: list(text()),
            compatibility: oneOf(compatibilityModes),
            schema: anyObject(),
          }),
          {
            type: "x-order.placed",
            schemaVersion: 2,
            compatible: false,
            reasons: ["version 1, backward: /required requires total, which may be missing"],
            compatibility: "backward",
            schema: { type: "object", properties: { total: { type: "integer" } }, required: ["total"] },
          },
        ),
      },
    },
    errors: ["forbidden_field", "schema_invalid"],
  },
  "GET /v1/tenants/:t/subscribe": {
    id: "subscribe",
    tag: "Subscribing",
    summary: "Follow the log",
    description:
      "Server-sent events: `id` is the position, `event` the kind, `bookmark` or `end`, `data` the event. Without `after` and Last-Event-ID from now on. The AsyncAPI document has the messages.",
    query: {
      ...eventFilters,
      after,
      ...accessToken,
    },
    headers: {
      "last-event-id": {
        schema: text({ pattern: "^\\d{1,16}$" }),
        description: "The position of the last event that came; wins over `after`.",
        example: "17",
      },
    },
    answers: {
      200: {
        description: "The stream; it ends with the event `end`, or when the connection is closed.",
        headers: filtered,
        content: {
          "text/event-stream": {
            schema: text(),
            examples: { example: `id: 17\nevent: bookmark\ndata: {"position":17}\n\n: ${exampleIds.event}\n\n` },
          },
        },
      },
    },
    errors: ["connections_limited"],
  },
  "POST /v1/tenants/:t/stream-tokens": {
    id: "mintStreamToken",
    tag: "Subscribing",
    summary: "Make a token with which a page may subscribe or read",
    description: "With an API key that may do itself what the token is for.",
    body: json(
      members(
        {
          "actions?": list(oneOf(["subscribe", "read"]), { minItems: 1 }),
          "types?": list(text({ maxLength: 128 }), { minItems: 1, maxItems: 16 }),
          "kind?": eventFilters.kind.schema,
          "aggregateType?": eventFilters.aggregateType.schema,
          "aggregateId?": eventFilters.aggregateId.schema,
          "correlationId?": eventFilters.correlationId.schema,
          "origin?": text({ maxLength: 256, description: "Pages of other origins are refused." }),
          "lifetimeSeconds?": whole(1, { maximum: 600 }),
        },
        { additionalProperties: false },
      ),
      { types: ["organization.*"], origin: "https://app.example.com", lifetimeSeconds: 600 },
    ),
    answers: {
      201: {
        description: "The token, this once.",
        content: json(members({ token: text(), expiresAt: time() }), {
          token: "eps_…",
          expiresAt: "2026-01-31T09:40:00.000000Z",
        }),
      },
    },
    errors: ["forbidden_field"],
  },
};

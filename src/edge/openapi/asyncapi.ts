/**
 * The AsyncAPI 3.0 document of a running app: what subscribers and webhooks receive, and what is published and delivered as messages.
 * Its schemas are those of the OpenAPI document.
 */
import type { AggregateDefinition, AppDefinition, IntentDefinition } from "../../event/index.js";
import type { JsonObject } from "../../kernel/index.js";
import { patchSchema } from "../../schema/index.js";
import { exampleEvent } from "../operations/examples.js";
import { cloudEventIntentShape } from "../operations/publishing.js";
import { anyObject, members, oneOf, shape, text, whole } from "../operations/schema-parts.js";
import { shapes } from "../operations/shapes.js";
import { cloudEventTypes } from "../publish/cloudevents.js";
import { intentsOf, specComponents } from "./app-intents.js";
import type { Message } from "./asyncapi-message.js";
import { webhookChannel, webhookMessages } from "./asyncapi-webhooks.js";
import { componentName } from "./embed-schema.js";

const apiVersion = "1.0.0";
/** Facts that the runtime makes of every aggregate. */
const runtimeTails = ["ready", "deleted", "rejected"] as const;
/** Of the frame of an event. */
const eventHeaders = members({
  id: text({ description: "The position." }),
  event: oneOf(["intent", "fact", "internal"]),
});

/** The document. It is made anew by each call. */
export function asyncApiDocument(app: AppDefinition): JsonObject {
  const intents = intentsOf(app);
  const followed = [...[...app.aggregates.values()].flatMap((aggregate) => messagesOf(app, aggregate)), other];
  const published = intents.map(cloudEventMessage);
  const sources = [...app.sources.keys()];
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Eventplane",
      version: apiVersion,
      description:
        "What subscribers of a tenant's log and its webhooks receive, and what publishers and sources send. `send` and `receive` are the plane's.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: {
      log: channel("/v1/tenants/{tenant}/subscribe", "The log of one tenant, as server-sent events.", [
        ...followed,
        ...control,
      ]),
      intents: channel("/v1/tenants/{tenant}/intents", "Intents as CloudEvents.", published),
      webhook: webhookChannel,
      ...deliveryChannels(sources),
    },
    operations: {
      follow: operation("send", "log", "Events as they are appended, in the order of positions", [
        ...followed,
        ...control,
      ]),
      publish: operation("receive", "intents", "One intent as a CloudEvent; a batch is a list of them", published),
      callWebhook: operation("send", "webhook", "One event, signed as Standard Webhooks asks", webhookMessages),
      ...deliveryOperations(sources),
    },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", description: "An API key, or a token." } },
      messages: Object.fromEntries(
        [...followed, ...control, ...published, ...webhookMessages, ...(sources.length > 0 ? [delivery] : [])].map(
          ({ name, message }) => [name, message],
        ),
      ),
      schemas: { ...shapes, CloudEventIntent: cloudEventIntentShape, ...specComponents(intents) },
    },
  };
}

/** What is in the log of an aggregate: its intents, what its controllers say of each, and what the runtime makes of them. */
function messagesOf(app: AppDefinition, { name, intents, statusSchemas }: AggregateDefinition): readonly Message[] {
  const controllers = [...app.controllers.values()].filter(({ watches }) => watches === name);
  const ofIntents = [...intents.values()].map((intent) =>
    eventMessage(intent.type, `The intent ${intent.type}, or a fact of a source with its spec.`, {
      kind: oneOf(["intent", "fact"]),
      spec: shape(componentName(intent.type, intent.schemaVersion)),
    }),
  );
  const ofControllers = [...intents.keys()].flatMap((type) =>
    controllers.map((controller) =>
      eventMessage(`${type}.${controller.name}`, `What the controller ${controller.name} decided on ${type}.`, {
        kind: oneOf(["fact", "internal"]),
        ...statusOf(controller.name, statusSchemas),
      }),
    ),
  );
  const ofRuntime = runtimeTails.map((tail) =>
    eventMessage(`${name}.${tail}`, `The generation is ${tail}.`, { kind: oneOf(["fact"]) }),
  );
  return [...ofIntents, ...ofControllers, ...ofRuntime];
}

/** What the controller reports, under its name. */
function statusOf(controller: string, schemas: AggregateDefinition["statusSchemas"]): JsonObject {
  const schema = schemas[controller];
  // References within it would point to nowhere here; the schema of an app's own status rarely has any.
  if (schema === undefined || JSON.stringify(schema).includes('"$ref"')) return {};
  return { status: { type: "object", properties: { [controller]: patchSchema(schema) } } };
}

function eventMessage(type: string, summary: string, more: JsonObject): Message {
  return {
    name: type,
    message: {
      name: type,
      title: type,
      summary,
      contentType: "application/json",
      headers: eventHeaders,
      payload: { allOf: [shape("Event"), { type: "object", properties: { type: { const: type }, ...more } }] },
    },
  };
}

/** What no message of its own is for. */
const other: Message = {
  name: "event",
  message: {
    name: "event",
    title: "Any other event",
    summary:
      "Facts of the plane, such as `refusal.recorded` and `stream-token.minted`, outside calls (`effect-…`), dead letters, names that controllers give by `emit`, and types of the tenant's own.",
    contentType: "application/json",
    headers: eventHeaders,
    payload: shape("Event"),
    examples: [{ payload: exampleEvent }],
  },
};

/** What stands between events. */
const control: readonly Message[] = [
  {
    name: "bookmark",
    message: {
      name: "bookmark",
      title: "Bookmark",
      summary: "Everything up to this position was looked at.",
      headers: members({ id: text({ description: "The position." }), event: oneOf(["bookmark"]) }),
      payload: members({ position: whole() }),
      examples: [{ payload: { position: 17 } }],
    },
  },
  {
    name: "end",
    message: {
      name: "end",
      title: "End",
      summary: "The last message of a stream that the plane ends.",
      headers: members({ event: oneOf(["end"]) }),
      payload: members({ code: text(), detail: text() }),
      examples: [{ payload: { code: "unavailable", detail: "This edge stops." } }],
    },
  },
];

const delivery: Message = {
  name: "delivery",
  message: {
    name: "delivery",
    title: "Delivery",
    summary: "What a source sends, signed as its scheme asks; facts come of it.",
    contentType: "application/json",
    payload: anyObject(),
  },
};

function cloudEventMessage({ type, schemaVersion }: IntentDefinition): Message {
  const spec = shape(componentName(type, schemaVersion));
  return {
    name: `cloudevent.${type}`,
    message: {
      name: type,
      title: type,
      summary: `The intent ${type} as a CloudEvent.`,
      contentType: cloudEventTypes.single,
      payload: {
        allOf: [shape("CloudEventIntent"), { type: "object", properties: { type: { const: type }, data: spec } }],
      },
    },
  };
}

function channel(address: string, description: string, messages: readonly Message[]): JsonObject {
  return {
    address,
    description,
    parameters: { tenant: { description: "Id or slug of the tenant." } },
    messages: Object.fromEntries(messages.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }])),
  };
}

function operation(action: "send" | "receive", of: string, summary: string, messages: readonly Message[]): JsonObject {
  return {
    action,
    channel: { $ref: `#/channels/${of}` },
    summary,
    ...(of === "webhook" || of.startsWith("source.")
      ? {}
      : { security: [{ $ref: "#/components/securitySchemes/bearer" }] }),
    messages: messages.map(({ name }) => ({ $ref: `#/channels/${of}/messages/${name}` })),
  };
}

function deliveryChannels(sources: readonly string[]): JsonObject {
  const entries = sources.map((source): [string, JsonObject] => [
    `source.${source}`,
    channel(`/v1/tenants/{tenant}/sources/${source}`, `Deliveries of the source ${source}.`, [delivery]),
  ]);
  return Object.fromEntries(entries);
}

function deliveryOperations(sources: readonly string[]): JsonObject {
  const entries = sources.map((source): [string, JsonObject] => [
    `deliver.${source}`,
    operation("receive", `source.${source}`, `A delivery of ${source}`, [delivery]),
  ]);
  return Object.fromEntries(entries);
}

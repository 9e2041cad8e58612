/** Webhooks. */
import type { JsonObject } from "../../kernel/index.js";
import { webhookDefinition, webhookLimits } from "../../webhook/index.js";
import { closed, each } from "./decisions.js";
import { exampleIds, exampleTime } from "./examples.js";
import { type Answer, json, type Operations } from "./operation.js";
import { location, tenant } from "./parameters.js";
import { flag, list, members, oneOf, orNull, text, time, uuid, whole } from "./schema-parts.js";

// Of an object.
const wanted = (webhookDefinition.specSchema as { readonly properties: Readonly<Record<string, JsonObject>> })
  .properties;
const partOf = (name: string): JsonObject => wanted[name] ?? {};

const shown = {
  id: uuid(),
  tenantId: uuid(),
  url: text(),
  description: orNull(text()),
  filter: partOf("filter"),
  parallel: whole(1),
  after: whole(),
  owner: members({ type: text(), id: text() }),
  state: partOf("state"),
  maySend: flag({ description: "False: its owner may not subscribe now, so nothing is sent." }),
  secretVersion: whole(1),
  previousSecretEndsAt: orNull(time()),
  createdAt: time(),
};
const example: JsonObject = {
  id: exampleIds.other,
  tenantId: exampleIds.tenant,
  url: "https://hooks.example.com/eventplane",
  description: null,
  filter: { types: ["organization.*"] },
  parallel: 1,
  after: 17,
  owner: { type: "service", id: exampleIds.other },
  state: "active",
  maySend: true,
  secretVersion: 1,
  previousSecretEndsAt: null,
  createdAt: exampleTime,
};
const attempt = {
  eventId: uuid(),
  position: whole(1),
  attempt: whole(1),
  at: time(),
  result: oneOf(["delivered", "withheld", "retried", "dead"]),
  status: orNull(whole()),
  reason: orNull(text()),
  tookMs: whole(),
};
const exampleAttempt: JsonObject = {
  eventId: exampleIds.event,
  position: 18,
  attempt: 1,
  at: exampleTime,
  result: "delivered",
  status: 204,
  reason: null,
  tookMs: 38,
};
/** Of a form that nothing takes for a secret. */
const exampleSecret = "whsec_…";
const secret = text({ description: "Shown this once." });
const told: Answer = { description: "The webhook.", content: json(members(shown), example) };
const shared = { tag: "Webhooks", query: tenant } as const;

/** By method and address. */
export const webhookOperations: Operations = {
  "POST /v1/admin/webhooks": {
    ...shared,
    id: "createWebhook",
    summary: "Send events to an address",
    description:
      "With a key of the tenant that has the grants admin and subscriber: it is sent what its maker may subscribe to.",
    body: json(
      members(
        {
          url: partOf("url"),
          "description?": partOf("description"),
          "filter?": partOf("filter"),
          "parallel?": partOf("parallel"),
          "after?": partOf("after"),
        },
        closed,
      ),
      { url: "https://hooks.example.com/eventplane", filter: { types: ["organization.*"] } },
    ),
    answers: {
      201: {
        description: "The webhook with its secret.",
        content: json(members({ ...shown, secret }), { ...example, secret: exampleSecret }),
        headers: location,
      },
    },
    errors: [
      "not_found",
      "forbidden_field",
      "schema_violation",
      "secret_found",
      "webhook_target_refused",
      "webhook_limit",
      "disk_full",
    ],
  },
  "GET /v1/admin/webhooks": {
    ...shared,
    id: "listWebhooks",
    summary: "List webhooks",
    answers: {
      200: {
        description: "Oldest first.",
        content: json(members({ webhooks: list(members(shown)) }), { webhooks: [example] }),
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/admin/webhooks/:id": {
    ...shared,
    id: "readWebhook",
    summary: "Read one webhook",
    answers: {
      200: {
        description: "The webhook, and how far it is.",
        content: json(
          members({
            ...shown,
            position: whole(0, { description: "What it means up to here was sent, or is being sent." }),
            failingSince: orNull(time({ description: "Nothing has succeeded since then." })),
          }),
          { ...example, position: 17, failingSince: null },
        ),
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/admin/webhooks/:id/deliveries": {
    ...shared,
    id: "listDeliveries",
    summary: "List the last attempts of a webhook",
    answers: {
      200: {
        description: "Newest first; at most 100.",
        content: json(members({ deliveries: list(members(attempt)) }), { deliveries: [exampleAttempt] }),
      },
    },
    errors: ["not_found"],
  },
  ...each(
    { pause: "Pause a webhook", resume: "Let a webhook go on" },
    (change, summary): Operations => ({
      [`POST /v1/admin/webhooks/:id/${change}`]: {
        ...shared,
        id: `${change}Webhook`,
        summary,
        answers: { 200: told },
        errors: ["not_found", "wrong_expected_generation", "disk_full"],
      },
    }),
  ),
  "POST /v1/admin/webhooks/:id/rotate": {
    ...shared,
    id: "rotateWebhook",
    summary: "Give a webhook another secret",
    body: json(members({ "overlapSeconds?": whole(0, { maximum: webhookLimits.overlapSecondsMax }) }, closed), {
      overlapSeconds: 86_400,
    }),
    answers: {
      200: {
        description: "The new secret, and until when the one before signs too.",
        content: json(members({ id: uuid(), secret, previousEndsAt: time() }), {
          id: exampleIds.other,
          secret: exampleSecret,
          previousEndsAt: exampleTime,
        }),
      },
    },
    errors: ["not_found", "forbidden_field", "schema_violation", "wrong_expected_generation", "disk_full"],
  },
  "POST /v1/admin/webhooks/:id/test": {
    ...shared,
    id: "testWebhook",
    summary: "Send a webhook a message that says nothing",
    answers: {
      200: {
        description: "What came of it.",
        content: json(
          members({
            delivered: flag(),
            result: oneOf(["answered", "refused", "unanswered"]),
            "status?": whole(),
            "reason?": text(),
            "retryAfterMs?": { type: "number" },
            tookMs: whole(),
          }),
          { delivered: true, result: "answered", status: 204, tookMs: 38 },
        ),
      },
    },
    errors: ["not_found"],
  },
  "DELETE /v1/admin/webhooks/:id": {
    ...shared,
    id: "deleteWebhook",
    summary: "End a webhook for good",
    answers: { 204: { description: "It is deleted." } },
    errors: ["not_found", "resource_deleted", "resource_deleting", "disk_full"],
  },
};

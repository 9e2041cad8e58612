/** Quotas. */
import type { JsonObject } from "../../kernel/index.js";
import { quotaDefinition } from "../../quota/index.js";
import { exampleIds, exampleTime } from "./examples.js";
import { json, type Operations } from "./operation.js";
import { etag, ifMatch } from "./parameters.js";
import { shape } from "./schema-parts.js";

const exampleQuota: JsonObject = {
  tenantId: exampleIds.tenant,
  version: 3,
  setAt: exampleTime,
  quota: { requestsPerSecond: 200, bytesPerDay: 1_000_000_000 },
  limits: {
    requestsPerSecond: 200,
    requestsBurst: 400,
    eventsPerSecond: 50_000,
    eventsBurst: 100_000,
    principalRequestsPerSecond: 200,
    principalRequestsBurst: 400,
    principalEventsPerSecond: 50_000,
    principalEventsBurst: 100_000,
    bytesPerDay: 1_000_000_000,
    connections: 10_000,
  },
};

/** By method and address. */
export const quotaOperations: Operations = {
  "GET /v1/admin/tenants/:t/quota": {
    id: "readQuota",
    tag: "Tenants",
    summary: "Read a tenant's quota",
    description: "What was set, and what is in force. An admin key of the tenant may read its own.",
    answers: { 200: { description: "As it is.", headers: etag, content: json(shape("Quota"), exampleQuota) } },
    errors: [],
  },
  "PUT /v1/admin/tenants/:t/quota": {
    id: "setQuota",
    tag: "Tenants",
    summary: "Set a tenant's quota",
    description:
      "All of it: what is left out is the platform's default again, so `{}` resets it. In force at every edge within a second.",
    headers: { "if-match": { ...ifMatch["if-match"], required: true } },
    body: json(quotaDefinition.specSchema, { requestsPerSecond: 200, bytesPerDay: 1_000_000_000 }),
    answers: { 200: { description: "As it is now.", headers: etag, content: json(shape("Quota"), exampleQuota) } },
    errors: ["forbidden_field", "schema_violation", "content_mismatch", "wrong_expected_generation", "disk_full"],
  },
};

/** Tenants, keys and policies. */
import type { JsonObject } from "../../kernel/index.js";
import { policyLimits } from "../authz/policy-text.js";
import { platformApp } from "../platform/definitions.js";
import { exampleIds, exampleTime } from "./examples.js";
import { json, type Operations } from "./operation.js";
import { etag, idempotencyKey, ifMatch, location, replayed, tenant } from "./parameters.js";
import { list, members, oneOf, orNull, shape, text, time, uuid, whole } from "./schema-parts.js";

const exampleKey = `epk_${exampleIds.key}_…`;

/** Members of the spec that the platform's own intent is checked with, so the document cannot say anything else. */
function partsOf(type: string, names: readonly string[]): Record<string, JsonObject> {
  const [root = ""] = type.split(".", 1);
  const schema = platformApp.aggregates.get(root)?.intents.get(type)?.schema ?? {};
  const { properties = {} } = schema as { readonly properties?: Readonly<Record<string, JsonObject>> }; // of an object
  return Object.fromEntries(names.map((name) => [name, properties[name.replace("?", "")] ?? {}]));
}

const closed = { additionalProperties: false } as const;
const rotation = partsOf("key.create", ["rotation"])["rotation"] as {
  readonly properties: Readonly<Record<string, JsonObject>>;
}; // as the platform's definition has it

const exampleKeyEntry: JsonObject = {
  id: exampleIds.key,
  tenantId: exampleIds.tenant,
  name: "billing",
  principalId: exampleIds.principal,
  grants: ["publisher", "reader"],
  scopes: ["organization.*"],
  networks: null,
  createdAt: exampleTime,
  expiresAt: null,
  revokedAt: null,
  replaces: null,
  replacedBy: null,
  lastUsedOn: "2026-01-31",
};

/** By method and address. */
const tenantOperations: Operations = {
  "POST /v1/admin/tenants": {
    id: "createTenant",
    tag: "Tenants",
    summary: "Create a tenant",
    body: json(members(partsOf("tenant.create", ["slug"]), closed), { slug: "acme" }),
    answers: {
      200: {
        description: "It exists.",
        headers: location,
        content: json(shape("Tenant"), { id: exampleIds.tenant, slug: "acme" }),
      },
      201: {
        description: "It was made.",
        headers: location,
        content: json(shape("Tenant"), { id: exampleIds.tenant, slug: "acme" }),
      },
    },
    errors: ["forbidden_field", "disk_full"],
  },
  "GET /v1/admin/tenants": {
    id: "listTenants",
    tag: "Tenants",
    summary: "List the tenants",
    answers: {
      200: {
        description: "The oldest first.",
        content: json(members({ tenants: list(shape("Tenant")) }), {
          tenants: [{ id: exampleIds.tenant, slug: "acme", createdAt: exampleTime }],
        }),
      },
    },
    errors: [],
  },
};

const created = members({ id: uuid(), "key?": text({ description: "The key itself, this once." }) });
const rotated = members({
  id: uuid(),
  "key?": text({ description: "The key itself, this once." }),
  replaces: uuid(),
  replacedEndsAt: time(),
});
const exampleRotated = { id: exampleIds.other, replaces: exampleIds.key, replacedEndsAt: exampleTime };

const keyOperations: Operations = {
  "POST /v1/admin/tenants/:t/keys": {
    id: "createKey",
    tag: "Keys",
    summary: "Create an API key",
    description: "Its text is answered this once. Keys of the same name are the same principal.",
    headers: idempotencyKey,
    body: json(members(partsOf("key.create", ["name", "grants", "scopes?", "expiresAt?", "networks?"]), closed), {
      name: "billing",
      grants: ["publisher", "reader"],
      scopes: ["organization.*"],
    }),
    answers: {
      200: {
        description: "There was one for the same Idempotency-Key.",
        headers: { ...location, ...replayed },
        content: json(created, { id: exampleIds.key }),
      },
      201: {
        description: "It was made.",
        headers: location,
        content: json(created, { id: exampleIds.key, key: exampleKey }),
      },
    },
    errors: ["forbidden_field", "schema_violation", "content_mismatch", "disk_full"],
  },
  "GET /v1/admin/tenants/:t/keys": {
    id: "listKeys",
    tag: "Keys",
    summary: "List the API keys of a tenant",
    answers: {
      200: {
        description: "Without their texts, revoked ones included.",
        content: json(members({ keys: list(shape("Key")) }), { keys: [exampleKeyEntry] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/tenants/:t/keys/:id": {
    id: "readKey",
    tag: "Keys",
    summary: "Read one API key",
    answers: { 200: { description: "Without its text.", content: json(shape("Key"), exampleKeyEntry) } },
    errors: ["not_found"],
  },
  "POST /v1/admin/tenants/:t/keys/:id/rotate": {
    id: "rotateKey",
    tag: "Keys",
    summary: "Replace an API key",
    description: "The same principal and limits; the old key works on for the overlap, by default a day.",
    headers: idempotencyKey,
    body: json(
      members(
        {
          "overlapSeconds?": rotation.properties["overlapSeconds"] ?? {},
          ...partsOf("key.create", ["expiresAt?"]),
        },
        closed,
      ),
      { overlapSeconds: 3_600 },
    ),
    answers: {
      200: {
        description: "There was one for the same Idempotency-Key.",
        headers: { ...location, ...replayed },
        content: json(rotated, exampleRotated),
      },
      201: {
        description: "It was made.",
        headers: location,
        content: json(rotated, { ...exampleRotated, key: exampleKey }),
      },
    },
    errors: ["forbidden_field", "schema_violation", "content_mismatch", "key_ended", "not_found", "disk_full"],
  },
  "DELETE /v1/admin/tenants/:t/keys/:id": {
    id: "revokeKey",
    tag: "Keys",
    summary: "Revoke an API key",
    description: "Refused by every edge within a second. Again and again the same.",
    answers: { 204: { description: "It is revoked." } },
    errors: ["not_found", "disk_full"],
  },
};

const policyText = text({ maxLength: policyLimits.textBytesMax, description: "A policy file: Cedar." });
const examplePolicy = '@id("auditors-read")\npermit (principal, action == Action::"Read", resource);\n';
const examplePolicies = {
  tenantId: exampleIds.tenant,
  version: 3,
  text: examplePolicy,
  appliedAt: exampleTime,
  policySetHash: "b5bb9d8014a0f9b1",
};
const exampleVersion = {
  version: 3,
  eventId: exampleIds.event,
  appliedAt: exampleTime,
  principal: { type: "service", id: exampleIds.principal },
};
const ruling = members({ decision: oneOf(["allow", "deny"]), policies: list(text()) });
const principal = members({ type: text(), id: text() });
const change = members({
  principal: members({ type: text(), id: text(), grants: list(text()) }),
  action: text(),
  resource: text(),
  before: ruling,
  after: ruling,
  events: whole(),
  lastEventId: uuid(),
  lastAt: time(),
});
const explanation = members({
  eventId: uuid(),
  type: text(),
  position: whole(1),
  at: time(),
  recorded: members({ rulingId: uuid(), policySetHash: text(), policies: list(text()), principal, via: text() }),
  "unexplained?": text({ description: "Why it cannot be made again; then what follows is missing, or a part of it." }),
  "question?": members({
    principal: members({ type: text(), id: text(), tenantId: uuid(), grants: list(text()) }),
    action: text(),
    tenantId: uuid(),
    resource: text(),
  }),
  "decision?": oneOf(["allow", "deny"]),
  "decidedBy?": list(members({ id: text(), text: text() })),
  "platformVersion?": whole(),
  "tenantVersion?": whole(),
  "note?": orNull(text()),
});

const policyOperations: Operations = {
  "GET /v1/admin/policies": {
    id: "readPolicies",
    tag: "Policies",
    summary: "Read the policies in force",
    query: tenant,
    answers: {
      200: { description: "Those in force.", headers: etag, content: json(shape("Policies"), examplePolicies) },
    },
    errors: [],
  },
  "PUT /v1/admin/policies": {
    id: "applyPolicies",
    tag: "Policies",
    summary: "Apply policies",
    description: "A policy file, or the version whose text is brought back. The same again has the same answer.",
    query: tenant,
    headers: { "if-match": { ...ifMatch["if-match"], required: true } },
    body: json(
      {
        anyOf: [members({ text: policyText }, closed), members({ version: whole(1) }, closed)],
      },
      { text: examplePolicy },
    ),
    answers: {
      200: {
        description: "Those in force now.",
        headers: etag,
        content: json(
          { allOf: [shape("Policies"), members({ warnings: list(text()) })] },
          { ...examplePolicies, warnings: [] },
        ),
      },
    },
    errors: [
      "forbidden_field",
      "schema_violation",
      "content_mismatch",
      "not_found",
      "policy_invalid",
      "policy_locks_out",
      "wrong_expected_generation",
      "disk_full",
    ],
  },
  "POST /v1/admin/policies/dry-run": {
    id: "testPolicies",
    tag: "Policies",
    summary: "Say what policies would change",
    description: "Of the rulings of the latest events; nothing is applied.",
    query: tenant,
    body: json(members({ text: policyText }, closed), { text: examplePolicy }),
    answers: {
      200: {
        description: "What would change.",
        content: json(
          members({
            tenantId: uuid(),
            policies: list(text()),
            warnings: list(text()),
            events: whole(),
            rulings: whole(),
            unknown: whole(),
            changes: list(change),
            changesLeftOut: whole(),
          }),
          {
            tenantId: exampleIds.tenant,
            policies: ["auditors-read"],
            warnings: [],
            events: 12,
            rulings: 4,
            unknown: 0,
            changes: [],
            changesLeftOut: 0,
          },
        ),
      },
    },
    errors: ["forbidden_field", "policy_invalid"],
  },
  "GET /v1/admin/policies/rulings/:id": {
    id: "explainRuling",
    tag: "Policies",
    summary: "Explain a ruling of the past",
    description:
      "Of an event of the tenant's log, or the one with this id among its latest 5,000 events, made again from the log.",
    query: tenant,
    answers: {
      200: {
        description: "The explanation.",
        content: json(explanation, {
          eventId: exampleIds.event,
          type: "organization.create",
          position: 17,
          at: exampleTime,
          recorded: {
            rulingId: exampleIds.derived,
            policySetHash: "b5bb9d8014a0f9b1",
            policies: ["base.publisher"],
            principal: { type: "service", id: exampleIds.principal },
            via: "http",
          },
          unexplained: "The policy set with this hash is not in the platform's log.",
        }),
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/admin/policies/versions": {
    id: "listPolicyVersions",
    tag: "Policies",
    summary: "List the versions of the policies",
    query: tenant,
    answers: {
      200: {
        description: "Without their texts, the newest first; at most 100.",
        content: json(members({ versions: list(shape("PolicyVersion")) }), { versions: [exampleVersion] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/policies/versions/:version": {
    id: "readPolicyVersion",
    tag: "Policies",
    summary: "Read one version of the policies",
    query: tenant,
    answers: {
      200: {
        description: "With its text.",
        content: json(shape("PolicyVersionWithText"), { ...exampleVersion, text: examplePolicy }),
      },
    },
    errors: ["not_found"],
  },
};

/** By method and address. */
export const administrationOperations: Operations = { ...tenantOperations, ...keyOperations, ...policyOperations };

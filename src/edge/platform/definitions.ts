/**
 * The aggregates of the platform's own log: tenants, API keys, policies, quotas, replays and webhooks. Signing keys and schemas are system facts there.
 *
 * Ids are deterministic wherever two edges could do the same thing at once, so both write one event (DESIGN §13.8).
 */
import {
  type AggregateDefinition,
  type AppDefinition,
  compatibilityModes,
  type IntentDefinition,
  scopePattern,
  scopesMax,
} from "../../event/index.js";
import { type JsonObject, limits, PLATFORM_TENANT_ID, type TenantId, uuid8 } from "../../kernel/index.js";
import { quotaAggregate, quotaDefinition } from "../../quota/index.js";
import { replayDefinition } from "../../replay/index.js";
import { webhookDefinition } from "../../webhook/index.js";
import { policyApplyType } from "../authz/policy-book.js";
import { policyLimits } from "../authz/policy-text.js";
import { networksMax } from "../networks.js";
import { grantNames } from "../principal.js";
import { schemaRegisterType } from "./schema-book.js";

/** The slug of the tenant that holds tenants, keys and schemas themselves. */
export const PLATFORM_SLUG = "platform";

/** So long may a key work on beside the one that takes its place: 30 days. */
const overlapSecondsMax = 2_592_000;

/** What a tenant's slug looks like. */
export const slugPattern = "^[a-z][a-z0-9-]{1,62}$";

const slugRegExp = new RegExp(slugPattern);
const uuidPattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

/** True for a slug that a tenant may have; `platform` is taken. */
export function isTenantSlug(text: unknown): text is string {
  return typeof text === "string" && slugRegExp.test(text) && text !== PLATFORM_SLUG;
}

/** The id of the tenant with this slug, the same in every installation. */
export function tenantIdOf(slug: string): TenantId {
  return uuid8(PLATFORM_TENANT_ID, "tenant", slug) as TenantId; // a UUID made here for a tenant
}

/** The id of the intent that creates the tenant with this slug. */
export function createTenantIntentId(slug: string): string {
  return uuid8(PLATFORM_TENANT_ID, "tenant.create", slug);
}

/** The id of the intent that revokes this key: every edge that revokes it writes the same one. */
export function revokeKeyIntentId(keyId: string): string {
  return uuid8(PLATFORM_TENANT_ID, keyId, "revoke");
}

/** Who a key of this name acts as; a new key of the same name is the same principal, so rotation changes nobody. */
export function principalIdOf(tenantId: TenantId, name: string): string {
  return uuid8(tenantId, "principal", name);
}

const tenantSpec: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["slug"],
  properties: { slug: { type: "string", pattern: slugPattern, not: { const: PLATFORM_SLUG } } },
};

const keySpec: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tenantId", "name", "principalId", "grants", "secretHash"],
  properties: {
    tenantId: { type: "string", pattern: uuidPattern },
    name: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$" },
    principalId: { type: "string", pattern: uuidPattern },
    grants: { type: "array", minItems: 1, uniqueItems: true, items: { type: "string", enum: [...grantNames] } },
    secretHash: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$" },
    scopes: {
      type: "array",
      minItems: 1,
      maxItems: scopesMax,
      uniqueItems: true,
      items: { type: "string", pattern: scopePattern },
    },
    expiresAt: { type: "string", format: "date-time" },
    networks: {
      type: "array",
      minItems: 1,
      maxItems: networksMax,
      uniqueItems: true,
      items: { type: "string", maxLength: 64 },
    },
    // It takes the place of another key.
    rotation: {
      type: "object",
      additionalProperties: false,
      required: ["from", "overlapSeconds"],
      properties: {
        from: { type: "string", pattern: uuidPattern },
        overlapSeconds: { type: "integer", minimum: 0, maximum: overlapSecondsMax },
      },
    },
  },
};

const keyRotation: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["replacedBy", "endsAt"],
  properties: { replacedBy: { type: "string", pattern: uuidPattern }, endsAt: { type: "string", format: "date-time" } },
};

const nothing: JsonObject = { type: "object", additionalProperties: false, properties: {} };

function intent(type: string, effect: IntentDefinition["effect"], schema: JsonObject): [string, IntentDefinition] {
  const defaultExpectedVersion = effect === "creates" ? "creates" : "streamExists";
  return [type, { type, effect, fold: "merge", schemaVersion: 1, schema, defaultExpectedVersion }];
}

const tenant: AggregateDefinition = {
  name: "tenant",
  specSchema: tenantSpec,
  statusSchemas: {},
  intents: new Map([intent("tenant.create", "creates", tenantSpec)]),
};

const key: AggregateDefinition = {
  name: "key",
  specSchema: keySpec,
  statusSchemas: {},
  intents: new Map([
    intent("key.create", "creates", keySpec),
    intent("key.rotate", "updates", keyRotation),
    intent("key.revoke", "updates", nothing),
  ]),
};

const policySpec: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["text"],
  properties: {
    // Characters are at most as many as bytes.
    text: { type: "string", maxLength: policyLimits.textBytesMax },
    restores: { type: "integer", minimum: 1 },
  },
};

/** The policies of one tenant, whose id is the aggregate's; each intent brings all of them anew. */
const policy: AggregateDefinition = {
  name: "policy",
  specSchema: policySpec,
  statusSchemas: {},
  intents: new Map([
    [
      policyApplyType,
      {
        type: policyApplyType,
        effect: "updates",
        fold: "replace",
        schemaVersion: 1,
        schema: policySpec,
        defaultExpectedVersion: "any",
      },
    ],
  ]),
};

const schemaSpec: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tenantId", "type", "schema", "compatibility"],
  properties: {
    tenantId: { type: "string", pattern: uuidPattern },
    type: { type: "string", maxLength: limits.typeCharactersMax },
    schema: { type: "object", additionalProperties: true },
    compatibility: { type: "string", enum: [...compatibilityModes] },
  },
};

/** The schemas of one type of a tenant; each intent brings the next version, whose number is the generation. */
const schema: AggregateDefinition = {
  name: "schema",
  specSchema: schemaSpec,
  statusSchemas: {},
  intents: new Map([
    [
      schemaRegisterType,
      {
        type: schemaRegisterType,
        effect: "updates",
        fold: "replace",
        schemaVersion: 1,
        schema: schemaSpec,
        defaultExpectedVersion: "any",
      },
    ],
  ]),
};

/** What may be asked of the platform tenant; only the edge's administration asks it. */
export const platformApp: AppDefinition = {
  version: "platform",
  aggregates: new Map([
    ["tenant", tenant],
    ["key", key],
    ["policy", policy],
    [quotaAggregate, quotaDefinition],
    ["schema", schema],
    [replayDefinition.name, replayDefinition],
    [webhookDefinition.name, webhookDefinition],
  ]),
  controllers: new Map(),
  workers: new Map(),
  projections: new Map(),
  sources: new Map(),
};

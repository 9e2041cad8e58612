/**
 * A webhook subscription as a resource of the platform: what a tenant's admin wants to be sent, and where.
 *
 * Its secret is in no event: `secret.hash` tells whether a process has the key that it is made from.
 */
import type { AggregateDefinition, EventKind, IntentDefinition } from "../event/index.js";
import { EventplaneError, type JsonObject, type TenantId } from "../kernel/index.js";

/** The aggregate type. */
export const webhookAggregate = "webhook";

/** Which events are meant; every member narrows, and what a member lists is any of it. */
export interface WebhookFilter {
  readonly kinds?: readonly EventKind[];
  /** Types by name (`organization.create`) or by beginning (`organization.*`). */
  readonly types?: readonly string[];
  readonly aggregateTypes?: readonly string[];
}

/** `active`: it is sent to. `paused`: somebody asked for it. `gone`: the receiver answered 410. `failing`: nothing succeeded for days. */
export type WebhookState = "active" | "paused" | "gone" | "failing";

/** One of the secrets of a webhook, without itself. */
export interface WebhookSecretName {
  /** From 1. */
  readonly version: number;
  /** SHA-256, base64url. */
  readonly hash: string;
}

/** What is wanted. */
export interface WebhookSpec {
  readonly tenantId: TenantId;
  readonly url: string;
  readonly description?: string;
  readonly filter: WebhookFilter;
  /** Deliveries under way at once; 1: in the order of positions. */
  readonly parallel: number;
  /** Events at positions greater than this. */
  readonly after: number;
  /** Whose sight it has: it is sent what this principal may subscribe to, at any time. */
  readonly owner: { readonly type: string; readonly id: string };
  readonly state: WebhookState;
  readonly secret: WebhookSecretName;
  /** The one before, which signs too until then. */
  readonly previousSecret?: WebhookSecretName & { readonly endsAt: string };
}

/** Bounds of what a webhook may be. */
export const webhookLimits = {
  /** Of one tenant. */
  webhooksMax: 50,
  descriptionCharactersMax: 200,
  urlCharactersMax: 2_048,
  typesMax: 32,
  aggregateTypesMax: 32,
  parallelMax: 8,
  /** How long the secret before signs beside the new one, seconds: a week at most, a day where nobody says. */
  overlapSecondsMax: 604_800,
  overlapSecondsDefault: 86_400,
} as const;

const uuid = { type: "string", pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" };
const aggregateType = { type: "string", pattern: "^[a-z][a-z0-9_-]{0,63}$" };
const typePattern = {
  type: "string",
  maxLength: 128,
  pattern: "^[a-z][a-z0-9_-]{0,63}(\\.[a-z0-9][a-z0-9_-]*){0,6}\\.(\\*|[a-z0-9][a-z0-9_-]*)$",
};
const secretName = {
  version: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
  hash: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$" },
};
const secret = { type: "object", additionalProperties: false, required: ["version", "hash"], properties: secretName };
const previousSecret = {
  type: "object",
  additionalProperties: false,
  required: ["version", "hash", "endsAt"],
  properties: { ...secretName, endsAt: { type: "string", format: "date-time" } },
};
const list = (items: JsonObject, maxItems: number): JsonObject => ({
  type: "array",
  minItems: 1,
  maxItems,
  uniqueItems: true,
  items,
});
const { typesMax, aggregateTypesMax, parallelMax, urlCharactersMax, descriptionCharactersMax } = webhookLimits;

const specSchema: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tenantId", "url", "filter", "parallel", "after", "owner", "state", "secret"],
  properties: {
    tenantId: uuid,
    url: { type: "string", minLength: 1, maxLength: urlCharactersMax },
    description: { type: "string", maxLength: descriptionCharactersMax },
    filter: {
      type: "object",
      additionalProperties: false,
      properties: {
        kinds: list({ enum: ["intent", "fact", "internal"] }, 3),
        types: list(typePattern, typesMax),
        aggregateTypes: list(aggregateType, aggregateTypesMax),
      },
    },
    parallel: { type: "integer", minimum: 1, maximum: parallelMax },
    after: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    owner: {
      type: "object",
      additionalProperties: false,
      required: ["type", "id"],
      properties: { type: { type: "string", maxLength: 64 }, id: { type: "string", maxLength: 128 } },
    },
    state: { enum: ["active", "paused", "gone", "failing"] },
    secret,
    previousSecret,
  },
};

const stateOf = (...states: readonly WebhookState[]): JsonObject => ({
  type: "object",
  additionalProperties: false,
  required: ["state"],
  properties: { state: { enum: [...states] } },
});
const rotation: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["secret", "previousSecret"],
  properties: { secret, previousSecret },
};
const nothing: JsonObject = { type: "object", additionalProperties: false, properties: {} };

function intent(name: string, effect: IntentDefinition["effect"], schema: JsonObject): [string, IntentDefinition] {
  const type = `${webhookAggregate}.${name}`;
  const defaultExpectedVersion = effect === "creates" ? "creates" : "streamExists";
  return [type, { type, effect, fold: "merge", schemaVersion: 1, schema, defaultExpectedVersion }];
}

/** `disable` is the plane's own word: it gives up a receiver. */
export const webhookDefinition: AggregateDefinition = {
  name: webhookAggregate,
  specSchema,
  statusSchemas: {},
  intents: new Map([
    intent("create", "creates", specSchema),
    intent("pause", "updates", stateOf("paused")),
    intent("resume", "updates", stateOf("active")),
    intent("disable", "updates", stateOf("gone", "failing")),
    intent("rotate", "updates", rotation),
    intent("delete", "deletes", nothing),
  ]),
};

/** The spec of an event that made a webhook, which was checked against the schema when it came. @throws EventplaneError `event_corrupt` */
export function webhookSpecOf(spec: JsonObject): WebhookSpec {
  if (typeof spec.tenantId !== "string" || typeof spec.url !== "string" || typeof spec.filter !== "object")
    throw new EventplaneError("event_corrupt", "A webhook's events are not what their types say.");
  return spec as unknown as WebhookSpec;
}

/** Webhooks as intents in the platform's log. Who may ask is decided before. */
import { type CausedBy, EventFactory } from "../../event/index.js";
import {
  assert,
  EventplaneError,
  formatUs,
  type JsonObject,
  PLATFORM_TENANT_ID,
  parseUs,
  type TenantId,
} from "../../kernel/index.js";
import {
  signingSecrets,
  testMessage,
  type WebhookEntry,
  webhookAggregate,
  webhookLimits,
} from "../../webhook/index.js";
import type { WebhookDesk } from "../dependencies.js";
import { platformApp } from "../platform/definitions.js";
import type { Principal } from "../principal.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";
import { classesOf, viewOf } from "./sights.js";
import { webhookSpecIn } from "./wish.js";

/** What may be asked of a webhook that there is, without a word more. */
export type WebhookChange = "pause" | "resume";

/** Tests of one tenant under way at once in this process. */
const testsAtOnceMax = 4;

/**
 * Makes one. It is sent what its maker may subscribe to, so the maker must be able to be asked again: by an API key of the tenant.
 *
 * @returns its id and its secret, which is shown this once
 * @throws EventplaneError `forbidden` when the maker may not subscribe to it, `webhook_limit`, those of the wish
 */
export async function createWebhook(
  parts: EdgeParts,
  { body, tenantId, owner }: { readonly body: JsonObject; readonly tenantId: TenantId; readonly owner: Principal },
  stamp: CausedBy,
): Promise<{ readonly id: string; readonly secret: string }> {
  const { guard, secrets, making } = deskOf(parts);
  const { webhooksMax } = webhookLimits;
  const { webhooks } = parts.platform.state;
  const unknown = [...(making.get(tenantId) ?? [])].filter((made) => webhooks.get(made) === undefined);
  if (webhooks.of(tenantId).length + unknown.length >= webhooksMax) {
    const message = `This tenant has ${webhooksMax} webhooks, as many as it may have. Delete one first.`;
    throw new EventplaneError("webhook_limit", message, { details: { max: webhooksMax } });
  }
  const id = parts.ids.uuid7();
  return underWay(making, { tenantId, id }, async () => {
    const { position } = await parts.reader.head(tenantId);
    const spec = webhookSpecIn(body, { id, tenantId, owner, position, guard, secrets });
    assertMaySubscribe(parts, owner, { tenantId, filter: spec.filter });
    await publish(parts, { name: "create", id, aggregateId: id, spec: spec as unknown as JsonObject }, stamp);
    return { id, secret: secrets.secret(id, spec.secret.version) };
  });
}

/** Pauses one, or lets it go on where it was. @throws EventplaneError `not_found`, `wrong_expected_generation` */
export async function changeWebhook(
  parts: EdgeParts,
  { tenantId, id, change }: { readonly tenantId: TenantId; readonly id: string; readonly change: WebhookChange },
  stamp: CausedBy,
): Promise<void> {
  const { state, generation } = webhookOf(parts, tenantId, id);
  const wanted = change === "pause" ? "paused" : "active";
  if (state === wanted) return;
  const spec = { state: wanted };
  await publish(parts, { name: change, aggregateId: id, spec, expectedGeneration: generation }, stamp);
}

/**
 * Gives it another secret; the one before signs too for the overlap.
 *
 * @throws EventplaneError `not_found`, `schema_violation`, `wrong_expected_generation` when somebody else rotates it meanwhile
 */
export async function rotateWebhook(
  parts: EdgeParts,
  { tenantId, id, body }: { readonly tenantId: TenantId; readonly id: string; readonly body: JsonObject },
  stamp: CausedBy,
): Promise<{ readonly secret: string; readonly previousEndsAt: string }> {
  const { secrets } = deskOf(parts);
  const { secret: before, generation } = webhookOf(parts, tenantId, id);
  const overlap = overlapIn(body);
  const endsAt = formatUs(parts.clock.nowUs() + overlap * 1_000_000);
  const secret = secrets.name(id, before.version + 1);
  const spec = { secret: { ...secret }, previousSecret: { ...before, endsAt } };
  await publish(parts, { name: "rotate", aggregateId: id, spec, expectedGeneration: generation }, stamp);
  return { secret: secrets.secret(id, secret.version), previousEndsAt: endsAt };
}

/** Ends it; what it was not sent is not sent any more. @throws EventplaneError `not_found` */
export async function deleteWebhook(
  parts: EdgeParts,
  { tenantId, id }: { readonly tenantId: TenantId; readonly id: string },
  stamp: CausedBy,
): Promise<void> {
  webhookOf(parts, tenantId, id);
  await publish(parts, { name: "delete", aggregateId: id, spec: {} }, stamp);
}

/** Sends a message that says nothing, now, and tells what came of it. @throws EventplaneError `not_found`, `busy` */
export async function testWebhook(
  parts: EdgeParts,
  { tenantId, id }: { readonly tenantId: TenantId; readonly id: string },
): Promise<JsonObject> {
  const { outbound, secrets, testing } = deskOf(parts);
  const webhook = webhookOf(parts, tenantId, id);
  if ((testing.get(tenantId)?.size ?? 0) >= testsAtOnceMax)
    throw new EventplaneError("busy", "Other tests of this tenant are under way. Wait for them.");
  const messageId = parts.ids.uuid7();
  return underWay(testing, { tenantId, id: messageId }, async () => {
    const nowUs = parts.clock.nowUs();
    const secretVersions = signingSecrets(webhook, (time) => (parseUs(time) ?? 0) <= nowUs).map(
      ({ version }) => version,
    );
    const message = testMessage({ id, tenantId, secretVersions }, { secrets, nowUs, id: messageId });
    const startMs = parts.clock.monotonicMs();
    const outcome = await outbound.post({ url: webhook.url, ...message });
    const tookMs = Math.round(parts.clock.monotonicMs() - startMs);
    const isDelivered = outcome.result === "answered" && outcome.status >= 200 && outcome.status < 300;
    return { delivered: isDelivered, ...outcome, tookMs };
  });
}

/** Remembers a tenant's work while it lasts. */
async function underWay<Result>(
  all: Map<TenantId, Set<string>>,
  { tenantId, id }: { readonly tenantId: TenantId; readonly id: string },
  work: () => Promise<Result>,
): Promise<Result> {
  const ids = all.get(tenantId) ?? new Set();
  all.set(tenantId, ids.add(id));
  try {
    return await work();
  } finally {
    ids.delete(id);
    if (ids.size === 0) all.delete(tenantId);
  }
}

/** One of a tenant. @throws EventplaneError `not_found` */
export function webhookOf({ platform }: EdgeParts, tenantId: TenantId, id: string): WebhookEntry {
  const webhook = platform.state.webhooks.get(id);
  if (webhook?.tenantId === tenantId) return webhook;
  throw new EventplaneError("not_found", "This tenant has no webhook with this id.");
}

/** What is there only where the plane sends webhooks, as its routes are. */
export function deskOf({ webhooks }: EdgeParts): WebhookDesk {
  assert(webhooks !== undefined, "routes of webhooks are served where webhooks are sent");
  return webhooks;
}

function assertMaySubscribe(
  { authorizer }: EdgeParts,
  owner: Principal,
  { tenantId, filter }: Pick<WebhookEntry, "tenantId" | "filter">,
): void {
  const isOfTenant = owner.tenantId === tenantId && owner.keyId !== undefined;
  if (isOfTenant && viewOf(authorizer, owner, { tenantId, filter }).classes.size === classesOf(filter).length) return;
  const message =
    "A webhook is sent what its maker may subscribe to: make it with an API key of its tenant that has the grants admin and subscriber.";
  throw new EventplaneError("forbidden", message);
}

function overlapIn({ overlapSeconds = webhookLimits.overlapSecondsDefault }: JsonObject): number {
  const { overlapSecondsMax } = webhookLimits;
  const isWhole = typeof overlapSeconds === "number" && Number.isSafeInteger(overlapSeconds);
  if (isWhole && overlapSeconds >= 0 && overlapSeconds <= overlapSecondsMax) return overlapSeconds;
  throw new EventplaneError("schema_violation", `overlapSeconds is a whole number from 0 to ${overlapSecondsMax}.`, {
    details: { pointers: ["/overlapSeconds"] },
  });
}

interface Wanted {
  readonly name: string;
  readonly aggregateId: string;
  readonly spec: JsonObject;
  readonly id?: string;
  readonly expectedGeneration?: number;
}

async function publish(parts: EdgeParts, { name, spec, ...wanted }: Wanted, stamp: CausedBy): Promise<void> {
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const type = `${webhookAggregate}.${name}`;
  const intent = { ...wanted, type, spec, tenantId: PLATFORM_TENANT_ID, specText: JSON.stringify(spec) };
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [factory.intent(intent, stamp)] });
  await parts.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts.at(-1)?.position);
  if (outcome.result === "refused") throw refusalError(outcome);
}

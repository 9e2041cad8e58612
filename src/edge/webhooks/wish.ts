/** What an administrator wants of a webhook: the body of a request as the spec of an intent. */
import { compileSchema, EventplaneError, type JsonObject, type TenantId } from "../../kernel/index.js";
import { type AddressGuard, readTarget } from "../../outbound/index.js";
import { findSecret } from "../../schema/index.js";
import { type WebhookSecrets, type WebhookSpec, webhookDefinition } from "../../webhook/index.js";
import type { Principal } from "../principal.js";
import { secretFound } from "../publish/refusal-errors.js";

/** The members of such a body. */
export const webhookWishNames = ["url", "description", "filter", "parallel", "after"] as const;

const checkSpec = compileSchema(webhookDefinition.specSchema);

/**
 * The spec of a new webhook.
 *
 * @param context.position the end of the tenant's log, after which it begins where nobody says
 * @throws EventplaneError `schema_violation` with pointers into the body, `webhook_target_refused`, `secret_found`
 */
export function webhookSpecIn(
  body: JsonObject,
  context: {
    readonly id: string;
    readonly tenantId: TenantId;
    readonly owner: Principal;
    readonly position: number;
    readonly guard: AddressGuard;
    readonly secrets: WebhookSecrets;
  },
): WebhookSpec {
  const { id, tenantId, owner, position, guard, secrets } = context;
  const spec = {
    filter: {},
    parallel: 1,
    after: position,
    ...body,
    tenantId,
    owner: { type: owner.type, id: owner.id },
    state: "active",
    secret: { ...secrets.name(id, 1) },
  };
  const misfits = checkSpec(spec);
  if (misfits.length > 0) {
    const message = `The webhook does not fit: ${misfits.map((each) => `${each.pointer} ${each.message}`).join("; ")}.`;
    throw new EventplaneError("schema_violation", message, {
      details: { pointers: misfits.map(({ pointer }) => pointer) },
    });
  }
  const wished = spec as unknown as WebhookSpec; // it fits the schema
  if (wished.after > position) {
    const message = `The log ends at position ${position}, before the position to begin after.`;
    throw new EventplaneError("schema_violation", message, { details: { pointers: ["/after"] } });
  }
  assertTarget(wished.url, guard);
  const secret = findSecret(body, { text: JSON.stringify(body) });
  if (secret !== undefined) throw secretFound("The webhook", secret);
  return wished;
}

/** @throws EventplaneError `webhook_target_refused` */
function assertTarget(url: string, guard: AddressGuard): void {
  const refusal = readTarget(url, guard);
  if (typeof refusal !== "string") return;
  const message =
    "Nothing is sent to this address: it must be https on port 443 or 8443, without a user and a password, at a public address. " +
    "Whoever runs the plane may allow other networks.";
  throw new EventplaneError("webhook_target_refused", message, { details: { pointer: "/url", reason: refusal } });
}

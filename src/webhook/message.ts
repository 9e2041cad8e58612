/**
 * What is sent: an event as a CloudEvent in the structured mode, signed as Standard Webhooks 1.0 asks
 * (https://www.standardwebhooks.com).
 */
import { createHmac } from "node:crypto";
import { cloudEventJson, type EventRow } from "../event/index.js";
import { formatUs, type TenantId } from "../kernel/index.js";
import type { WebhookSecrets } from "./secrets.js";

/** A webhook as far as its messages depend on it. */
export interface SignedFor {
  readonly id: string;
  readonly tenantId: TenantId;
  /** Of the secrets that sign now, the newest first. */
  readonly secretVersions: readonly number[];
}

/** A message, ready to be sent. */
export interface WebhookMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The type of the message that a test sends. */
export const testMessageType = "eventplane.webhook-test";

/** The message of an event: its id is the event's, however often it is sent. */
export function eventMessage(
  webhook: SignedFor,
  row: EventRow,
  at: { readonly secrets: WebhookSecrets; readonly nowUs: number },
): WebhookMessage {
  const nameOf = (principal: { readonly type: string; readonly id: string }): string =>
    at.secrets.pseudonym(webhook.id, principal);
  return signed(webhook, { ...at, id: row.id, text: cloudEventJson(row, { nameOf }) });
}

/** A message that says nothing, for a test. */
export function testMessage(
  webhook: SignedFor,
  at: { readonly secrets: WebhookSecrets; readonly nowUs: number; readonly id: string },
): WebhookMessage {
  const text = JSON.stringify({
    specversion: "1.0",
    id: at.id,
    source: `eventplane:/tenants/${webhook.tenantId}`,
    type: testMessageType,
    subject: `webhook/${webhook.id}`,
    time: formatUs(at.nowUs),
    datacontenttype: "application/json",
    tenantid: webhook.tenantId,
    data: { test: true },
  });
  return signed(webhook, { ...at, text });
}

function signed(
  { id: webhookId, secretVersions }: SignedFor,
  message: { readonly id: string; readonly text: string; readonly nowUs: number; readonly secrets: WebhookSecrets },
): WebhookMessage {
  const { id, text, nowUs, secrets } = message;
  const timestamp = String(Math.floor(nowUs / 1_000_000));
  const body = Buffer.from(text, "utf8");
  const signatures = secretVersions.map((version) => {
    const key = Buffer.from(secrets.secret(webhookId, version).slice("whsec_".length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`;
  });
  return {
    headers: {
      "content-type": "application/cloudevents+json; charset=utf-8",
      "user-agent": "eventplane-webhooks/1",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signatures.join(" "),
    },
    body,
  };
}

import { CloudEvent, ValidationError } from "cloudevents";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { type EventRow } from "../event/index.js";
import { systemClock } from "../kernel/index.js";
import { createTestLog, creating, draftIntent } from "../testing/index.js";
import { eventMessage, testMessage, type WebhookMessage } from "./message.js";
import { WebhookSecrets } from "./secrets.js";

const secrets = new WebhookSecrets("a key");
const [one, other] = ["0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11", "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a12"];
const nowUs = systemClock.nowUs();

async function rowOf(): Promise<EventRow> {
  const log = createTestLog(systemClock);
  const [row] = await log.add(creating(draftIntent({ tenantId: log.tenantId, specText: '{"name":"Äcme","n":1.10}' })));
  if (row === undefined) throw new Error("no row");
  return row;
}

const headersOf = ({ headers }: WebhookMessage): Record<string, string> => ({ ...headers });
const verify = (secret: string, message: WebhookMessage): unknown =>
  new Webhook(secret).verify(Buffer.from(message.body).toString("utf8"), headersOf(message));

describe("a message", () => {
  test("is a CloudEvent that Standard Webhooks verifies, with the event's id and its data as stored", async () => {
    const row = await rowOf();
    const message = eventMessage({ id: one, tenantId: row.tenantId, secretVersions: [1] }, row, { secrets, nowUs });
    expect(message.headers["webhook-id"]).toBe(row.id);
    const told = verify(secrets.secret(one, 1), message);
    expect(told).toMatchObject({ specversion: "1.0", id: row.id, type: row.type, tenantid: row.tenantId });
    expect(() => new CloudEvent(told as object).validate()).not.toThrow(ValidationError);
    expect(Buffer.from(message.body).toString("utf8")).toContain('"data":{"name":"Äcme","n":1.10}');
  });

  test("is refused by another secret, another time and a changed body", async () => {
    const row = await rowOf();
    const message = eventMessage({ id: one, tenantId: row.tenantId, secretVersions: [1] }, row, { secrets, nowUs });
    const changed = {
      ...message,
      body: Buffer.from(Buffer.from(message.body).toString("utf8").replace("Äcme", "Ecma")),
    };
    const later = {
      ...message,
      headers: { ...message.headers, "webhook-timestamp": String(Math.floor(nowUs / 1e6) + 1) },
    };
    for (const [secret, sent] of [
      [secrets.secret(one, 2), message],
      [secrets.secret(other, 1), message],
      [new WebhookSecrets("another key").secret(one, 1), message],
      [secrets.secret(one, 1), changed],
      [secrets.secret(one, 1), later],
    ] as const)
      expect(() => verify(secret, sent)).toThrow(WebhookVerificationError);
  });

  test("is signed by both secrets while one takes the place of the other", async () => {
    const row = await rowOf();
    const message = eventMessage({ id: one, tenantId: row.tenantId, secretVersions: [2, 1] }, row, { secrets, nowUs });
    for (const version of [1, 2]) expect(verify(secrets.secret(one, version), message)).toMatchObject({ id: row.id });
  });

  test("names who caused it by a pseudonym: the same for one receiver, another for every other", async () => {
    const row = await rowOf();
    const { principal } = JSON.parse(row.causedByText) as { principal: { id: string } };
    const nameFor = (id: string, by: WebhookSecrets): string => {
      const { body } = eventMessage({ id, tenantId: row.tenantId, secretVersions: [1] }, row, { secrets: by, nowUs });
      const text = Buffer.from(body).toString("utf8");
      expect(text).not.toContain(principal.id);
      return (JSON.parse(text) as { authid: string }).authid;
    };
    expect(nameFor(one, secrets)).toMatch(/^psn_[\w-]{22}$/);
    expect(nameFor(one, new WebhookSecrets("a key"))).toBe(nameFor(one, secrets));
    expect(nameFor(other, secrets)).not.toBe(nameFor(one, secrets));
    expect(nameFor(one, new WebhookSecrets("another key"))).not.toBe(nameFor(one, secrets));
  });

  test("of a test holds nothing of the log", () => {
    const webhook = {
      id: one,
      tenantId: "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a13" as EventRow["tenantId"],
      secretVersions: [1],
    };
    const message = testMessage(webhook, { secrets, nowUs, id: other });
    expect(verify(secrets.secret(one, 1), message)).toMatchObject({
      id: other,
      type: "eventplane.webhook-test",
      data: { test: true },
    });
  });
});

test("a secret is 32 bytes, the same each time it is made, and known by its hash alone", () => {
  expect(secrets.secret(one, 1)).toBe(new WebhookSecrets("a key").secret(one, 1));
  expect(Buffer.from(secrets.secret(one, 1).slice("whsec_".length), "base64")).toHaveLength(32);
  expect(secrets.knows(one, secrets.name(one, 3))).toBe(true);
  expect(new WebhookSecrets("another key").knows(one, secrets.name(one, 3))).toBe(false);
});

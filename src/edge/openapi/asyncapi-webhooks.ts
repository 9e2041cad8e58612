/** What the plane sends to webhooks, as the AsyncAPI document tells it: src/webhook/message.ts makes the messages. */
import type { JsonObject } from "../../kernel/index.js";
import { testMessageType } from "../../webhook/index.js";
import { exampleCloudEvent, exampleIds, exampleTime } from "../operations/examples.js";
import { members, oneOf, shape, text, time, uuid } from "../operations/schema-parts.js";
import { cloudEventTypes } from "../publish/cloudevents.js";
import type { Message } from "./asyncapi-message.js";

/** Of Standard Webhooks 1.0. */
const headers = members({
  "webhook-id": uuid({ description: "The event's id, the same in every attempt: remember it." }),
  "webhook-timestamp": text({ pattern: "^[0-9]+$", description: "Seconds since 1970, when this attempt was signed." }),
  "webhook-signature": text({
    description: "`v1,` and base64 of HMAC-SHA-256; two with a space between while a secret is rotated.",
  }),
});

const exampleTest: JsonObject = {
  specversion: "1.0",
  id: exampleIds.event,
  source: `eventplane:/tenants/${exampleIds.tenant}`,
  type: testMessageType,
  subject: `webhook/${exampleIds.event}`,
  time: exampleTime,
  datacontenttype: "application/json",
  tenantid: exampleIds.tenant,
  data: { test: true },
};

/** An event of any type that the webhook's filter means, and what a test sends. */
export const webhookMessages: readonly Message[] = [
  {
    name: "webhook.event",
    message: {
      name: "webhook.event",
      title: "Event",
      summary: "An event as a CloudEvent; `authid` is a pseudonym, and personal data in `data` are sealed.",
      contentType: cloudEventTypes.single,
      headers,
      payload: shape("CloudEvent"),
      examples: [{ payload: exampleCloudEvent }],
    },
  },
  {
    name: "webhook.test",
    message: {
      name: "webhook.test",
      title: "Test",
      summary: "What a test of a webhook sends.",
      contentType: cloudEventTypes.single,
      headers,
      payload: members({
        specversion: oneOf(["1.0"]),
        id: uuid(),
        source: text(),
        type: oneOf([testMessageType]),
        subject: text(),
        time: time(),
        datacontenttype: oneOf(["application/json"]),
        tenantid: uuid(),
        data: members({ test: { const: true } }),
      }),
      examples: [{ payload: exampleTest }],
    },
  },
];

/** Where they go: each webhook says its own address. */
export const webhookChannel: JsonObject = {
  address: null,
  description: "The address of a webhook, by POST. Each event at least once, until it is answered from 200 to 299.",
  messages: Object.fromEntries(webhookMessages.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }])),
};

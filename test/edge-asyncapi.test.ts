/** The AsyncAPI document: the specification's own schema takes it, and what subscribers really receive is what it describes. */
import specifications from "@asyncapi/specs";
import { Ajv, type SchemaObject, type ValidateFunction } from "ajv";
import addFormatsModule from "ajv-formats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "../src/client/index.js";
import { defineAggregate, defineApp, defineController, done } from "../src/index.js";
import { compileSchema, type JsonObject, systemClock } from "../src/kernel/index.js";
import { createTestLog, creating, draftIntent, type TestPlane, testPlane } from "../src/testing/index.js";
import { eventMessage, testMessage } from "../src/webhook/message.js";
import { WebhookSecrets } from "../src/webhook/secrets.js";

const organization = defineAggregate("organization", {
  spec: z.object({ name: z.string(), plan: z.enum(["free", "team"]) }),
  status: { quota: z.object({ members: z.int() }) },
  intents: { create: { creates: true }, "change-plan": {}, delete: { deletes: true } },
});
const quota = defineController({ name: "quota", watches: organization, reconcile: () => done({ members: 25 }) });

interface Reference {
  readonly $ref: string;
}
interface AsyncApi {
  readonly channels: Readonly<
    Record<string, { readonly address: string; readonly messages: Readonly<Record<string, Reference>> }>
  >;
  readonly operations: Readonly<Record<string, { readonly messages: readonly Reference[] }>>;
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        {
          readonly payload: JsonObject;
          readonly headers?: JsonObject;
          readonly examples?: readonly { readonly payload: unknown }[];
        }
      >
    >;
    readonly schemas: JsonObject;
  };
}

let plane: TestPlane;
let document: AsyncApi;
let official: ValidateFunction;
beforeAll(async () => {
  plane = await testPlane(defineApp({ aggregates: [organization], controllers: [quota] }), { tenants: ["acme"] });
  await plane.listen();
  document = (await (await fetch(`${plane.url}/asyncapi.json`)).json()) as AsyncApi; // checked below
  const ajv = new Ajv({ strict: false, allErrors: false });
  addFormatsModule.default(ajv);
  official = ajv.compile(specifications.schemasWithoutId["3.0.0"] as SchemaObject); // its own types allow undefined members
});
afterAll(() => plane.close());

/** The check of a message's payload, with the schemas that it leads to. */
function payloadCheck(name: string): (value: unknown) => readonly object[] {
  const { messages, schemas } = document.components;
  const text = JSON.stringify({ ...messages[name]?.payload, $defs: schemas });
  return compileSchema(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")) as JsonObject);
}

describe("the AsyncAPI document", () => {
  test("is valid AsyncAPI 3.0, as the specification's schema says, and that schema is not asleep", () => {
    expect([official(document), official.errors]).toEqual([true, null]);
    expect(official({ ...document, channels: { log: { address: 1 } } })).toBe(false);
    expect(official({ ...document, operations: { follow: { action: "subscribe" } } })).toBe(false);
  });

  test("leads to nothing that is not there", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
    for (const path of new Set(references)) {
      const found = path
        .split("/")
        .reduce<unknown>((value, name) => (value as JsonObject | undefined)?.[name], document);
      expect([path, found === undefined]).toEqual([path, false]);
    }
    expect(references.length).toBeGreaterThan(20);
  });

  test("has examples that fit", () => {
    const examples = Object.entries(document.components.messages).flatMap(([name, { examples: each = [] }]) =>
      each.map(({ payload }) => [name, payload] as const),
    );
    for (const [name, payload] of examples) expect([name, payloadCheck(name)(payload)]).toEqual([name, []]);
    const names = ["bookmark", "end", "event", "webhook.event", "webhook.test"];
    expect(examples.map(([name]) => name)).toEqual(expect.arrayContaining(names));
  });

  test("describes every event that a subscriber receives, by its type, and refuses another's", async () => {
    const { key = "" } = await plane.createKey("acme", { name: "subscriber", grants: ["subscriber"] });
    const client = createClient({ baseUrl: plane.url ?? "", tenant: "acme", apiKey: key });
    await client.mintStreamToken();
    await plane.publish(organization.create({ name: "Acme", plan: "team" }));
    await plane.settle();
    const stop = new AbortController();
    const response = await fetch(`${plane.url}/v1/tenants/acme/subscribe?after=0`, {
      headers: { authorization: `Bearer ${key}` },
      signal: stop.signal,
    });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString("utf8");
      if (text.includes('"type":"organization.ready"')) break;
    }
    stop.abort();
    const followed = new Set(Object.keys(document.channels["log"]?.messages ?? {}));
    const frames = text.split("\n\n").filter((frame) => frame.includes("\ndata: "));
    const seen = frames.map((frame) => {
      const kind = /^event: (.*)$/m.exec(frame)?.[1] ?? "";
      const data = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "null") as { readonly type: string };
      const named = kind === "bookmark" || kind === "end" ? kind : data.type;
      return { name: followed.has(named) ? named : "event", type: named, data };
    });
    for (const { name, data } of seen) expect([name, payloadCheck(name)(data)]).toEqual([name, []]);
    expect(followed).toContain("event");
    expect(seen.filter(({ name }) => name === "event").map(({ type }) => type)).toEqual(["stream-token.minted"]);
    expect(seen.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["bookmark", "organization.create", "organization.create.quota", "organization.ready"]),
    );
    const ready = seen.find(({ name }) => name === "organization.ready");
    expect(payloadCheck("organization.create")(ready?.data)).not.toEqual([]);
  });

  test("describes what webhooks receive: an event, a test, and the headers that sign them", async () => {
    const log = createTestLog(systemClock);
    const [row] = await log.add(creating(draftIntent({ tenantId: log.tenantId })));
    if (row === undefined) throw new Error("no row");
    const at = { secrets: new WebhookSecrets("a key"), nowUs: systemClock.nowUs() };
    const webhook = { id: row.id, tenantId: row.tenantId, secretVersions: [2, 1] };
    const sent = {
      "webhook.event": eventMessage(webhook, row, at),
      "webhook.test": testMessage(webhook, { ...at, id: row.id }),
    };
    const called = document.operations["callWebhook"]?.messages.map(({ $ref }) => $ref.split("/").at(-1));
    expect(called).toEqual(Object.keys(sent));
    for (const [name, { headers, body }] of Object.entries(sent)) {
      const payload = JSON.parse(Buffer.from(body).toString("utf8")) as JsonObject; // what the plane writes
      expect([name, payloadCheck(name)(payload)]).toEqual([name, []]);
      const { tenantid: _, ...without } = payload;
      expect([name, payloadCheck(name)(without)]).not.toEqual([name, []]);
      const described = document.components.messages[name]?.headers ?? {};
      expect([name, compileSchema(described)(headers)]).toEqual([name, []]);
      expect([name, headers["content-type"]?.split(";", 1)[0]]).toEqual([name, "application/cloudevents+json"]);
    }
  });
});

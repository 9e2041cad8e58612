/** Attacks 14 and 18: no canary and no control character reaches the log, whatever is sent. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { createLogger } from "../src/observe/index.js";
import { call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";
import { publishHead, sendRaw } from "./support/raw-http.js";

const canary = "CANARY7f3c9ae1";
const hostile = "line1\r\nline2\u001b[31mred\u2028next\u2029\u202eesrever\u0085\u009b1m";
/** What would end a line, move a cursor or turn text round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const fragile = defineAggregate("fragile", {
  spec: z.object({ text: z.string() }),
  status: {},
  intents: { create: { creates: true } },
  guard: (_resource, intent) => {
    throw new Error(`cannot judge ${JSON.stringify(intent.spec)}`);
  },
});
const app = defineApp({ aggregates: [fragile], controllers: [] });

let edge: EdgeFixture;
let tenant: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge({ app });
  tenant = await edge.tenant("acme");
});
afterAll(() => edge.close());

test("attack 14: canaries in every field, header, address and error path of 1,000 requests are nowhere in the log", async () => {
  const secret = tenant.key.slice(-43);
  const intent = { type: "fragile.create", spec: { text: canary } };
  const shapes: readonly (() => Promise<Response>)[] = [
    () => post(intent),
    () => post({ ...intent, [canary]: canary }),
    () => post({ type: `${canary.toLowerCase()}.create`, spec: {} }),
    () => post({ type: "fragile.create", aggregateId: `${canary} space`, spec: { text: 1, [canary]: canary } }),
    () => post({ ...intent, id: canary, correlationId: canary, causationId: canary, occurredAt: canary }),
    () => post(`{"a":"${canary}`),
    () => post(intent, { "idempotency-key": `${canary} ${canary}` }),
    () =>
      post(intent, {
        "if-match": canary,
        traceparent: canary,
        "user-agent": canary,
        cookie: `session=${canary}`,
        "x-request-id": canary,
      }),
    () => fetch(`${edge.url}/v1/tenants/acme/intents`, call(canary, { body: intent })),
    () =>
      fetch(
        `${edge.url}/v1/tenants/acme/intents`,
        call(`epk_${tenant.keyId}_${canary.padEnd(43, "x")}`, { body: intent }),
      ),
    () => fetch(`${edge.url}/v1/tenants/${canary}/events`, call(tenant.key)),
    () => fetch(`${edge.url}/${canary}?token=${canary}`, call(tenant.key)),
    () => fetch(`${edge.url}/v1/tenants/acme/events?${canary}=${canary}&api_key=${secret}`, call(tenant.key)),
    () => fetch(`${edge.url}/v1/tenants/acme/streams/fragile/${canary}`, call(tenant.key)),
    () => fetch(`${edge.url}/v1/tenants/acme/subscribe`, call(tenant.key, { headers: { "last-event-id": canary } })),
    () =>
      fetch(
        `${edge.url}/v1/tenants/acme/intents`,
        call(tenant.key, { body: canary, headers: { "content-type": `text/${canary}` } }),
      ),
  ];
  const statuses = new Set<number>();
  for (let round = 0; round < 63; round++) {
    for (const response of await Promise.all(shapes.map((shape) => shape()))) {
      statuses.add(response.status);
      await response.arrayBuffer();
    }
  }
  expect([...statuses]).toEqual(expect.arrayContaining([400, 401, 403, 404, 415, 422, 500]));
  expect(edge.logged()).toContain("A request failed.");
  expect(edge.logged()).not.toContain(canary);
  expect(edge.logged()).not.toContain(secret);
  expect(edge.logged()).not.toContain(edge.adminKey.slice(-43));
});

test("attack 14: the failure inside says nothing of itself to the caller", async () => {
  const response = await post({ type: "fragile.create", spec: { text: canary } });
  const text = await response.text();
  expect([response.status, JSON.parse(text).code]).toEqual([500, "internal"]);
  expect(text).not.toContain(canary);
  expect(text).not.toContain("judge");
});

test("attack 18: whatever is sent, a log entry stays one line of harmless text, and so does a problem", async () => {
  const key = `Authorization: Bearer ${tenant.key}`;
  const body = Buffer.from(
    JSON.stringify({ type: "fragile.create", spec: { text: hostile, [hostile]: hostile }, [hostile]: 1 }),
  );
  const guarded = Buffer.from(JSON.stringify({ type: "fragile.create", spec: { text: hostile } }));
  const encoded = encodeURIComponent(hostile);
  const answers = await sendRaw(edge.url, [
    { name: "body", head: publishHead("acme", tenant.key, body), body },
    { name: "guard", head: publishHead("acme", tenant.key, guarded), body: guarded },
    { name: "address", head: `GET /v1/tenants/acme/events/${encoded} HTTP/1.1\r\n${key}` },
    { name: "query", head: `GET /v1/tenants/acme/events?${encoded}=${encoded} HTTP/1.1\r\n${key}` },
    { name: "tenant", head: `GET /v1/tenants/${encoded}/events HTTP/1.1\r\n${key}` },
    { name: "header", head: `GET /v1/tenants/acme/events HTTP/1.1\r\n${key}\r\nUser-Agent: \u001b[31m` },
    { name: "nowhere", head: `GET /${encoded} HTTP/1.1\r\n${key}` },
  ]);
  for (const { name, body: text } of answers) {
    expect([name, dangerous.test(text), text.includes("\n")]).toEqual([name, false, false]);
  }
  const logged = edge.logged();
  expect(logged.endsWith("\n")).toBe(true);
  expect(dangerous.test(logged)).toBe(false);
  for (const line of logged.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
});

test("attacks 14 and 18: the checks turn red on a log that is written without care", () => {
  const lines: string[] = [];
  createLogger({ destination: { write: (line) => lines.push(line) } }).info({ spec: canary }, hostile);
  const careless = `${canary} ${hostile}\n`;
  expect(lines.join("")).toContain(canary);
  expect(dangerous.test(careless)).toBe(true);
  expect(dangerous.test(lines.join(""))).toBe(false);
});

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${edge.url}/v1/tenants/acme/intents`, call(tenant.key, { body, headers }));
}

/** A real `dev` under what clients should not send, and what they get of events (the checks 7 and 8). */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { readContext } from "../src/plane/index.js";
import { buildCommand, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let dev: Served;
let client: EventplaneClient;
let apiKey = "";

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-dev-"));
  dev = Served.start(["dev", "--data-dir", join(folder, "data")], await freePort());
  await dev.ready();
  await dev.says("Eventplane is ready");
  const context = readContext(join(folder, "data/context.json"));
  apiKey = context.apiKey;
  client = createClient({ baseUrl: context.url, apiKey, tenant: context.tenant });
});
afterAll(async () => {
  await dev?.end();
  await rm(folder, { recursive: true, force: true });
});

const spec = '{"name":"Acme","plan":"team","region":"eu"}';
const canary = "canary-8231";
const withSpec = (text: string): string => `{"type":"organization.create","spec":${text}}`;
const withMember = (member: string): string => `{"type":"organization.create","spec":${spec},${member}}`;

async function post(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; code: string }> {
  const response = await fetch(`${dev.url}/v1/tenants/dev/intents`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : Buffer.from(body),
  });
  const { code } = (await response.json()) as { code: string }; // every refusal is problem+json
  return { status: response.status, code };
}

const intents = async (): Promise<number> => {
  const { events } = await client.readPage({ kind: "intent", limit: 1_000 });
  return events.length;
};

describe("what clients should not send", () => {
  interface Sent {
    readonly what: string;
    readonly body: string | Uint8Array;
    readonly code: string;
    readonly headers?: Record<string, string>;
  }
  const invalidUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
  const gzip = { "content-encoding": "gzip" };
  const cases: readonly Sent[] = [
    { what: "a stamp of its own", body: withMember('"causedBy":{"principal":{"id":"root"}}'), code: "forbidden_field" },
    { what: "a position", body: withMember('"position":1'), code: "forbidden_field" },
    { what: "a kind", body: withMember('"kind":"fact"'), code: "forbidden_field" },
    { what: "a tenant", body: withMember(`"tenantId":"${randomUUID()}"`), code: "forbidden_field" },
    { what: "__proto__", body: withSpec('{"__proto__":{"plan":"team"}}'), code: "json_forbidden_key" },
    { what: "a duplicate key", body: withSpec('{"name":"a","name":"b"}'), code: "json_duplicate_key" },
    { what: "a depth of a million", body: withSpec("[".repeat(1_000_000)), code: "json_too_deep" },
    { what: "an unsafe number", body: withSpec('{"name":9007199254740993}'), code: "json_unsafe_number" },
    { what: "a lone surrogate", body: withSpec('{"name":"\\ud800"}'), code: "json_lone_surrogate" },
    { what: "NUL", body: withSpec('{"name":"\\u0000"}'), code: "json_nul" },
    { what: "invalid UTF-8", body: invalidUtf8, code: "json_invalid_utf8" },
    { what: "a body over the limit", body: `"${"x".repeat(4 * 1_024 * 1_024)}"`, code: "payload_too_large" },
    { what: "a gzip bomb", body: gzipSync(Buffer.alloc(8_000_000)), code: "payload_too_large", headers: gzip },
    {
      what: "an unknown plan",
      body: withSpec(`{"name":"${canary}","plan":"gold","region":"eu"}`),
      code: "schema_violation",
    },
    {
      what: "an unknown type",
      body: `{"type":"organization.explode","spec":{"name":"${canary}"}}`,
      code: "unknown_type",
    },
  ];

  it.each(cases)("$what is refused with its stable code", async ({ body, code, headers }) => {
    const answer = await post(body, headers);
    expect(answer.code).toBe(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  });

  it("stores nothing, tells nothing in the log, and the plane goes on", async () => {
    expect(await intents()).toBe(0);
    expect(dev.output).not.toContain(canary);
    const { aggregateId, position } = await client.publish({ type: "organization.create", spec: JSON.parse(spec) });
    expect(await intents()).toBe(1);
    const resource = await client.resource("organization", aggregateId, { minPosition: position });
    expect(resource.spec).toEqual(JSON.parse(spec));
  });
});

describe("an event", () => {
  it("is plain JSON: written and read again it is the same", async () => {
    const receipt = await client.publish({ type: "organization.create", spec: JSON.parse(spec) });
    const event = await client.event(receipt.id);
    expect(JSON.parse(JSON.stringify(event))).toEqual(event);
    expect(event).toMatchObject({ id: receipt.id, position: receipt.position, spec: JSON.parse(spec), status: {} });
  });
});

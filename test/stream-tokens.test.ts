import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient, type StreamTokenRequest } from "../src/client/index.js";
import { createEd25519Signer, generateSigningKey } from "../src/event/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;
let server: EventplaneClient;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
  server = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
  await server.publish({ type: "note.create", aggregateId: "one", spec: { n: 1 } });
  await server.publish({ type: "note.create", aggregateId: "two", spec: { n: 2 } });
  await server.publish({ type: "door.create", aggregateId: "front", spec: { locked: true } });
  await server.publish({ type: "note.change", aggregateId: "one", spec: { n: 3 } });
});
afterAll(() => edge.close());

const mint = async (request: StreamTokenRequest = {}): Promise<string> => (await server.mintStreamToken(request)).token;
const as = (token: string, path: string, init: Parameters<typeof call>[1] = {}): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/acme${path}`, call(token, init));

/** What an EventSource would get of a subscription, up to the first message that holds `until`. */
async function streamed(address: string, until: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${edge.url}/v1/tenants/acme/subscribe?${address}`, { headers });
  if (response.status !== 200 || response.body === null) throw new Error(`answered ${response.status}`);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(until)) break;
  }
  return text;
}

/** Aggregate ids of the events in a stream's text, in order. */
const idsIn = (text: string): readonly string[] =>
  [...text.matchAll(/"aggregateId":"([^"]+)"/g)].flatMap(([, id]) => (id === undefined ? [] : [id]));

describe("a stream token", () => {
  test("in the address subscribes to its resource, and to nothing else whatever the filter says", async () => {
    const token = await mint({ aggregateType: "note", aggregateId: "one" });
    const text = await streamed(`after=0&access_token=${token}`, '"position":4');
    expect(new Set(idsIn(text))).toEqual(new Set(["one"]));
    const reading = await mint({ actions: ["read"], aggregateType: "note", aggregateId: "one" });
    for (const filter of ["aggregateId=two", "aggregateType=door", "type=door.create"])
      expect(idsIn(await (await as(reading, `/events?${filter}`)).text())).toEqual([]);
  });

  test("leaves of the log what it names: types, a kind, a correlation", async () => {
    const { correlationId } = await server.publish({
      type: "door.create",
      aggregateId: "back",
      spec: { locked: false },
    });
    const seen = async (request: StreamTokenRequest): Promise<readonly string[]> => {
      const token = await mint({ actions: ["read"], ...request });
      const { events } = (await (await as(token, "/events")).json()) as { events: { aggregateId: string }[] }; // a page
      return events.map(({ aggregateId }) => aggregateId);
    };
    expect(await seen({ types: ["door.*"] })).toEqual(["front", "back"]);
    expect(await seen({ types: ["note.change", "door.create"], aggregateType: "note" })).toEqual(["one"]);
    expect(await seen({ correlationId })).toEqual(["back"]);
    expect(await seen({ kind: "intent", types: ["note.*"] })).toEqual(["one", "two", "one"]);
    expect(await seen({ kind: "internal" })).toEqual([]);
  });

  test("is for what it was made for: no other resource, no publishing, no administration, no further tokens", async () => {
    const token = await mint({ actions: ["read"], aggregateType: "note", aggregateId: "one" });
    const status = async (path: string, init?: Parameters<typeof call>[1]): Promise<number> =>
      (await as(token, path, init)).status;
    expect(await status("/resources/note/one")).toBe(200);
    for (const path of ["/resources/note/two", "/resources/note", "/resources/door/front", "/subscribe"])
      expect([path, await status(path)]).toEqual([path, 403]);
    expect(await status("/streams/note/two")).toBe(404);
    expect(await status("/intents", { body: { type: "note.create", spec: {} } })).toBe(403);
    expect(await status("/stream-tokens", { body: {} })).toBe(403);
    expect((await fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(token))).status).toBe(403);
    expect((await fetch(`${edge.url}/v1/tenants/other/events`, call(token))).status).toBe(403);
  });

  test("has no more than its key: of grants, of scopes, and of time", async () => {
    const admin = createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin;
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const { key } = await admin.createKey("acme", {
      name: "narrow",
      grants: ["reader"],
      scopes: ["note.*"],
      expiresAt,
    });
    const narrow = createClient({ baseUrl: edge.url, apiKey: key, tenant: "acme" });
    await expect(narrow.mintStreamToken()).rejects.toMatchObject({ code: "forbidden" });
    const made = await narrow.mintStreamToken({ actions: ["read"], types: ["note.change", "door.*"] });
    expect(Date.parse(made.expiresAt)).toBe(Date.parse(expiresAt));
    const { events } = (await (await as(made.token, "/events")).json()) as { events: { type: string }[] }; // a page
    expect(events.map(({ type }) => type)).toEqual(["note.change"]);
  });

  test("that is bound to an origin is taken from its pages alone", async () => {
    const token = await mint({ origin: "https://app.example.com" });
    const status = async (headers: Record<string, string>): Promise<number> => {
      const response = await as(token, "/subscribe", { headers });
      await response.body?.cancel();
      return response.status;
    };
    expect(await status({ origin: "https://app.example.com" })).toBe(200);
    expect(await status({ origin: "https://evil.example.com" })).toBe(401);
    expect(await status({})).toBe(401);
    expect(await status({ "sec-fetch-site": "same-origin" })).toBe(401);
    const own = await mint({ origin: new URL(edge.url).origin });
    const same = await fetch(`${edge.url}/v1/tenants/acme/subscribe?access_token=${own}`, {
      headers: { "sec-fetch-site": "same-origin" },
    });
    await same.body?.cancel();
    expect(same.status).toBe(200);
  });

  test("opens at another edge, and not when anything of it was changed or another key signed it", async () => {
    const token = await mint({ actions: ["read"] });
    const second = await edge.another();
    const at = async (url: string, shown: string): Promise<number> =>
      (await fetch(`${url}/v1/tenants/acme/events`, call(shown))).status;
    expect(await at(second.url, token)).toBe(200);
    const [payload = "", signature = ""] = token.slice("eps_".length).split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>; // as the edge wrote it
    const encoded = (said: object): string => Buffer.from(JSON.stringify(said)).toString("base64url");
    const signer = createEd25519Signer({ privateKey: generateSigningKey().privateKeyPem, tier: "edge" });
    const bySigner = (said: object): string => {
      const text = encoded(said);
      const made = signer.sign(Buffer.from(`eventplane.stream-token.v1\n${text}`));
      return `eps_${text}.${Buffer.from(made).toString("base64url")}`;
    };
    const wrong = [
      `eps_${encoded({ ...claims, endsAtUs: Number.MAX_SAFE_INTEGER })}.${signature}`,
      `eps_${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      `eps_${payload}.${signature.slice(0, -1)}${String.fromCharCode(signature.charCodeAt(85) + 1)}`,
      `eps_${payload}`,
      "eps_",
      `${token}x`,
      bySigner(claims),
      bySigner({ ...claims, signingKeyId: signer.keyId }),
    ];
    for (const each of wrong) expect([each, await at(edge.url, each)]).toEqual([each, 401]);
  });

  test("stands in the address of streams only, alone, and never an API key", async () => {
    const token = await mint({ actions: ["subscribe", "read"] });
    const inAddress = async (path: string, header?: string): Promise<readonly [number, string]> => {
      const response = await fetch(`${edge.url}/v1/tenants/acme${path}`, call(header));
      return [response.status, (await answerOf(response)).code];
    };
    expect(await inAddress(`/events?access_token=${token}`)).toEqual([401, "unauthenticated"]);
    const lines = { headers: { accept: "application/x-ndjson" } };
    const streaming = await fetch(`${edge.url}/v1/tenants/acme/events?access_token=${token}`, lines);
    expect([streaming.status, (await streaming.text()).includes('{"end":{"position"')]).toEqual([200, true]);
    expect(await inAddress(`/events?access_token=${token}`, acme.key)).toEqual([400, "request_invalid"]);
    expect(await inAddress(`/subscribe?access_token=${token}`, acme.key)).toEqual([400, "request_invalid"]);
    expect(await inAddress(`/subscribe?access_token=${acme.key}`)).toEqual([400, "request_invalid"]);
    expect(await inAddress(`/subscribe?access_token=${token}&access_token=${token}`)).toEqual([400, "request_invalid"]);
  });

  test("ends, and its connection with it; a client that is given the next one misses nothing", async () => {
    let given = 0;
    const page = createClient({
      baseUrl: edge.url,
      tenant: "acme",
      streamToken: () => {
        given++;
        return server.mintStreamToken({ types: ["note.*"], lifetimeSeconds: 1 });
      },
    });
    const { position } = await server.publish({ type: "note.create", spec: { n: 0 } });
    const seen: unknown[] = [];
    let sent = 0;
    // Each connection begins with a bookmark, and ends after a second.
    for await (const item of page.subscribe({ after: position })) {
      if (item.type === "event") seen.push(item.event.spec);
      else if (given <= 3) await server.publish({ type: "note.create", spec: { n: ++sent } });
      if (seen.length === 3) break;
    }
    expect(given).toBeGreaterThanOrEqual(3);
    expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test("of a revoked key is refused, and its connections end within a second; asking again does not help", async () => {
    const tenant = await edge.tenant("short");
    const own = createClient({ baseUrl: edge.url, apiKey: tenant.key, tenant: "short" });
    const { token, expiresAt } = await own.mintStreamToken({ actions: ["subscribe", "read"] });
    const page = createClient({
      baseUrl: edge.url,
      tenant: "short",
      streamToken: async () => ({ token, expiresAt }),
    });
    const open = edge.edge.subscriptions.size;
    const failed = (async () => {
      for await (const _ of page.subscribe({ after: 0 }));
    })().catch((error: unknown) => ({ error, at: performance.now() }));
    await eventually(() => (edge.edge.subscriptions.size > open ? true : undefined), "a connection");
    await createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin.revokeKey("short", tenant.keyId);
    const revokedAt = performance.now();
    const outcome = await failed;
    expect(isEventplaneError(outcome?.error, "unauthenticated")).toBe(true);
    expect((outcome?.at ?? Number.POSITIVE_INFINITY) - revokedAt).toBeLessThan(1_000);
    expect((await fetch(`${edge.url}/v1/tenants/short/events`, call(token))).status).toBe(401);
  });

  test.each<readonly [string, object]>([
    ["/actions", { actions: ["publish"] }],
    ["/actions", { actions: [] }],
    ["/types", { types: ["*"] }],
    ["/types", { types: [] }],
    ["/types", { types: Array.from({ length: 17 }, (_, n) => `note.n${n}`) }],
    ["/kind", { kind: "command" }],
    ["/aggregateId", { aggregateId: "one" }],
    ["/aggregateType", { aggregateType: "Note" }],
    ["/correlationId", { correlationId: "x" }],
    ["/origin", { origin: "https://app.example.com/path" }],
    ["/origin", { origin: "*" }],
    ["/lifetimeSeconds", { lifetimeSeconds: 601 }],
    ["/lifetimeSeconds", { lifetimeSeconds: 0 }],
    ["/grants", { grants: ["reader"] }],
  ])("is not made when %s is wrong: %j", async (pointer, body) => {
    const answer = await answerOf(await as(acme.key, "/stream-tokens", { body }));
    expect([answer.status >= 400 && answer.status < 500, answer.pointers]).toEqual([true, [pointer]]);
  });

  test("is told of in the tenant's log, with who made it and for what, and is nowhere itself", async () => {
    const tenant = await edge.tenant("told");
    const own = createClient({ baseUrl: edge.url, apiKey: tenant.key, tenant: "told" });
    const { token } = await own.mintStreamToken({
      aggregateType: "note",
      aggregateId: "one",
      origin: "https://a.example",
    });
    const [row] = await edge.reader.read(tenant.id, { filter: { type: "stream-token.minted" } });
    expect(JSON.parse(row?.specText ?? "{}")).toMatchObject({
      key: tenant.keyId,
      count: 1,
      limits: [{ actions: ["subscribe"], aggregateType: "note", aggregateId: "one", origin: "https://a.example" }],
    });
    expect(row?.causedByText).toContain(`"keyId":"${tenant.keyId}"`);
    expect(JSON.stringify(await edge.reader.read(tenant.id, { limit: 1_000 }))).not.toContain(token.slice(4, 60));
  });

  test("attack 14: is in no log, no metric, no problem and no event, whatever becomes of the request", async () => {
    const token = await mint({ actions: ["subscribe", "read"], lifetimeSeconds: 600 });
    const parts = token.slice("eps_".length).split(".");
    const answers: string[] = [];
    const addresses = [
      `/subscribe?after=x&access_token=${token}`,
      `/subscribe?after=999999&access_token=${token}`,
      `/subscribe?access_token=${token}&${token}=1`,
      `/subscribe?access_token=${token}x`,
      `/subscribe?access_token=${token}&access_token=${token}`,
      `/events?access_token=${token}`,
      `/nowhere/${token}?access_token=${token}`,
      `/streams/note/${token}?access_token=${token}`,
    ];
    for (const address of addresses) {
      for (const header of [undefined, token, acme.key]) {
        const response = await fetch(`${edge.url}/v1/tenants/acme${address}`, call(header));
        expect([response.headers.get("referrer-policy"), response.status >= 400]).toEqual(["no-referrer", true]);
        answers.push(await response.text(), JSON.stringify([...response.headers]));
      }
    }
    answers.push(await (await fetch(`${edge.url}/metrics`)).text(), edge.logged());
    answers.push(JSON.stringify(await edge.reader.read(acme.id, { limit: 1_000 })));
    for (const part of parts) expect(answers.filter((text) => text.includes(part))).toEqual([]);
    expect(answers.join("")).toContain("request_invalid");
  });

  test("comes with headers that keep it out of caches, and so does what it opens", async () => {
    const made = await as(acme.key, "/stream-tokens", { body: {} });
    const { token } = (await made.json()) as { token: string }; // the route's answer
    const opened = await fetch(`${edge.url}/v1/tenants/acme/subscribe?access_token=${token}`);
    await opened.body?.cancel();
    for (const { headers } of [made, opened])
      expect([headers.get("cache-control"), headers.get("referrer-policy")]).toEqual(["no-store", "no-referrer"]);
  });
});

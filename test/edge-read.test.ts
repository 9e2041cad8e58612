import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import { call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;
let client: EventplaneClient;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
  client = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
  const intents = Array.from({ length: 25 }, (_, n) => ({
    type: "note.create",
    aggregateId: `note-${n}`,
    spec: { n },
  }));
  await client.publishMany(intents);
});
afterAll(() => edge.close());

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isEventplaneError(error) ? error.code : undefined;
}

describe("events", () => {
  test("come in pages, forwards and backwards, until there are no more", async () => {
    const forwards = await collect(client.read({ limit: 4, kind: "intent" }));
    const backwards = await collect(client.read({ limit: 4, kind: "intent", direction: "backwards" }));
    expect(forwards.map(({ spec }) => spec.n)).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(backwards.map(({ id }) => id)).toEqual(forwards.map(({ id }) => id).reverse());
  });

  test("are filtered by what the address names, and unknown names are refused", async () => {
    const [first] = await collect(client.read({ aggregateId: "note-7" }));
    expect(first?.spec).toEqual({ n: 7 });
    expect(await collect(client.read({ after: 3, before: 6 }))).toHaveLength(2);
    expect(await collect(client.read({ recordedBefore: "2000-01-01T00:00:00Z" }))).toEqual([]);
    for (const query of [
      "kindd=fact",
      "limit=0",
      "limit=1001",
      "after=-1",
      "kind=wish",
      "type=A",
      "limit=1&limit=2",
      "after=1e3",
    ]) {
      const response = await fetch(`${edge.url}/v1/tenants/acme/events?${query}`, call(acme.key));
      expect([query, response.status]).toEqual([query, 400]);
    }
  });

  test("are found by id, with a proof that leads to the signed root", async () => {
    const [first] = await collect(client.read({ aggregateId: "note-3" }));
    const event = await client.event(first?.id ?? "");
    const proof = await client.proof(event.id);
    expect(event).toEqual(first);
    expect(event.causedBy.keyId).toBe(acme.keyId);
    expect(proof).toMatchObject({ eventId: event.id, texts: { spec: '{"n":3}' } });
    expect(await codeOf(client.event("01900000-0000-7000-8000-000000000000"))).toBe("not_found");
    expect(await codeOf(client.event("nonsense"))).toBe("request_invalid");
  });

  test("of one stream and of one trace come in order", async () => {
    const { correlationId } = await client.publish({ type: "note.change", aggregateId: "note-1", spec: { n: 100 } });
    expect((await collect(client.stream("note", "note-1"))).map(({ version }) => version)).toEqual([1, 2]);
    expect((await client.trace(correlationId)).map(({ type }) => type)).toEqual(["note.change"]);
    expect(await codeOf(collect(client.stream("note", "nobody")))).toBe("not_found");
    expect(await codeOf(client.trace(acme.id))).toBe("not_found");
  });
});

describe("resources", () => {
  test("are listed in pages and shown with their generation as ETag", async () => {
    const listed = await collect(client.resources("note", { limit: 10 }));
    expect(listed).toHaveLength(25);
    const response = await fetch(`${edge.url}/v1/tenants/acme/resources/note/note-5`, call(acme.key));
    expect(response.headers.get("etag")).toBe('"1"');
    const resource = (await response.json()) as Record<string, unknown>;
    expect(resource).toMatchObject({ aggregateId: "note-5", generation: 1, spec: { n: 5 } });
    expect(JSON.stringify(resource)).not.toContain("principal");
  });

  test("wait for a position, and say when it is not reached", async () => {
    const { position } = await client.publish({ type: "note.change", aggregateId: "note-2", spec: { n: 200 } });
    expect((await client.resource("note", "note-2", { minPosition: position })).spec).toEqual({ n: 200 });
    const response = await fetch(
      `${edge.url}/v1/tenants/acme/resources/note/note-2?minPosition=${position + 1_000}`,
      call(acme.key),
    );
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  }, 20_000);
});

describe("what anybody may ask", () => {
  test("health says ok, metrics hold no tenant, the keys document names the introduced key", async () => {
    expect((await fetch(`${edge.url}/livez`)).status).toBe(200);
    expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${edge.url}/metrics`)).text();
    expect(metrics).toContain("eventplane_http_request_duration_seconds");
    expect(metrics).not.toContain(acme.id);
    expect(metrics).not.toContain("acme");
    const document = await client.keysDocument();
    expect(document.keys).toHaveLength(1);
    expect(document.rootKeyId).not.toBe(document.keys[0]?.keyId);
  });

  test("schemas are closed and shown to readers", async () => {
    const schema = await client.schema("organization.create", 1);
    expect(schema.schema.additionalProperties).toBe(false);
    expect((await client.schemas()).map(({ type }) => type)).toContain("door.change");
    expect(await codeOf(client.schema("organization.create", 2))).toBe("not_found");
  });

  test("unknown addresses are 404 and other methods 405, as problems", async () => {
    const unknown = await fetch(`${edge.url}/v2/anything`);
    const method = await fetch(`${edge.url}/v1/tenants/acme/events`, { method: "DELETE" });
    expect([unknown.status, method.status]).toEqual([404, 405]);
    expect(method.headers.get("allow")).toBe("GET");
    for (const response of [unknown, method]) {
      expect(response.headers.get("content-type")).toContain("application/problem+json");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});

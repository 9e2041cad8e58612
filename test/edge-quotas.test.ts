/** Quotas: an operator sets how much a tenant may do, as an event, and every edge keeps to it within a second. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

const quotaDefaults = { requestsPerSecond: 500, principalEventsPerSecond: 100 };

let first: EdgeFixture;
let second: Awaited<ReturnType<EdgeFixture["another"]>>;
let acme: FixtureTenant;
let other: FixtureTenant;

beforeAll(async () => {
  first = await startEdge({ quotaDefaults });
  [acme, other] = [await first.tenant("acme", ["reader", "admin"]), await first.tenant("other", ["reader", "admin"])];
  second = await first.another();
});
afterAll(() => first.close());

const operator = (url = first.url): ReturnType<typeof createClient> =>
  createClient({ baseUrl: url, apiKey: first.adminKey });
const codeOf = async (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => "done",
    (error: { readonly code?: unknown }) => error.code,
  );
/** The policy that an edge tells the tenant of. */
const policyAt = async (url: string): Promise<string | null> =>
  (await fetch(`${url}/v1/tenants/acme/schemas`, call(acme.key))).headers.get("ratelimit-policy");

describe("a quota", () => {
  test("that nobody set is the platform's, and is shown as it is in force", async () => {
    expect(await operator().admin.quotas.get("acme")).toEqual({
      tenantId: acme.id,
      version: 0,
      setAt: null,
      quota: {},
      limits: {
        requestsPerSecond: 500,
        requestsBurst: 1_000,
        eventsPerSecond: 50_000,
        eventsBurst: 100_000,
        principalRequestsPerSecond: 500,
        principalRequestsBurst: 1_000,
        principalEventsPerSecond: 100,
        principalEventsBurst: 200,
        bytesPerDay: 1_000_000_000_000,
        connections: 10_000,
      },
    });
  });

  test("is set as an event of the platform that says who, and kept at every edge within a second", async () => {
    expect(await policyAt(second.url)).toBe('"requests";q=1000;w=2');
    const { quotas } = operator().admin;
    const set = await quotas.set("acme", { requestsPerSecond: 20, principalRequestsPerSecond: 50 }, { follows: 0 });
    expect(set).toMatchObject({
      version: 1,
      quota: { requestsPerSecond: 20, principalRequestsPerSecond: 50 },
      // A principal never has more than its tenant.
      limits: { requestsPerSecond: 20, requestsBurst: 40, principalRequestsPerSecond: 20 },
    });
    expect(await policyAt(first.url)).toContain('"requests";q=40;w=2');
    const from = performance.now();
    await eventually(
      async () => ((await policyAt(second.url))?.includes('"requests";q=40;w=2') ? true : undefined),
      "the other edge keeps to it",
    );
    expect(performance.now() - from).toBeLessThan(1_000);
    const [event] = await first.reader.read(PLATFORM_TENANT_ID, { filter: { type: "quota.set" } });
    expect(event).toMatchObject({ kind: "intent", aggregateType: "quota", aggregateId: acme.id });
    expect(JSON.parse(event?.causedByText ?? "")).toMatchObject({ via: "http", principal: { type: "service" } });
    const limited = await eventually(async () => {
      const ask = (): Promise<Response> => fetch(`${first.url}/v1/tenants/acme/schemas`, call(acme.key));
      return (await Promise.all(Array.from({ length: 60 }, ask))).find(({ status }) => status === 429);
    }, "a refusal");
    expect((await answerOf(limited)).code).toBe("requests_limited");
    // The others, and the operator who can raise it, notice nothing.
    expect((await fetch(`${first.url}/v1/tenants/other/schemas`, call(other.key))).status).toBe(200);
    expect((await quotas.get("acme")).version).toBe(1);
  });

  test("follows the version that was read; the same again is one event, and an empty one resets it", async () => {
    const { quotas } = operator(second.url).admin;
    expect(await codeOf(quotas.set("acme", { bytesPerDay: 5 }, { follows: 0 }))).toBe("wrong_expected_generation");
    const twice = [1, 2].map(() => quotas.set("acme", {}, { follows: 1 }));
    expect((await Promise.all(twice)).map(({ version }) => version)).toEqual([2, 2]);
    expect(await quotas.get("acme")).toMatchObject({ version: 2, quota: {}, limits: { requestsPerSecond: 500 } });
    await eventually(
      async () => ((await policyAt(first.url)) === '"requests";q=1000;w=2' ? true : undefined),
      "the first edge knows",
    );
    expect((await fetch(`${first.url}/v1/tenants/acme/schemas`, call(acme.key))).status).toBe(200);
  });

  test("of streams is kept by what makes one; what is there can be changed, and refused ones cost nothing", async () => {
    const full = await first.tenant("full");
    await operator().admin.quotas.set("full", { streams: 3 }, { follows: 0 });
    const publish = async (body: object): Promise<Response> =>
      fetch(`${first.url}/v1/tenants/full/intents`, call(full.key, { body }));
    const note = { type: "note.create", spec: {} };
    const made = await answerOf(await publish(note));
    expect((await publish({ ...note, id: "not-a-uuid" })).status).toBe(400);
    expect((await publish({ intents: [note, note], atomic: true })).status).toBe(201);
    const refused = await publish(note);
    expect([refused.status, await answerOf(refused)]).toMatchObject([
      429,
      { code: "streams_limited", of: "tenant", limit: "streams", quota: 3, retryable: false },
    ]);
    expect(refused.headers.get("ratelimit-policy")).toBe('"streams";q=3;qu="streams"');
    const change = { type: "note.change", aggregateId: made.aggregateId, spec: { more: true } };
    expect((await publish(change)).status).toBe(201);
    expect(await operator().admin.quotas.get("full")).toMatchObject({ limits: { streams: 3 } });
  });

  test("is read by its tenant's own admins, and set by nobody but the platform's", async () => {
    const own = createClient({ baseUrl: first.url, apiKey: acme.key }).admin.quotas;
    expect((await own.get("acme")).version).toBe(2);
    expect(await codeOf(own.set("acme", { requestsPerSecond: 1_000_000 }, { follows: 2 }))).toBe("forbidden");
    expect(await codeOf(own.get("other"))).toBe("forbidden");
    expect(await codeOf(own.get("nobody"))).toBe("forbidden");
  });

  test("takes whole numbers from 1 of the members that there are, and needs the version", async () => {
    const { quotas } = operator().admin;
    for (const wrong of [{ requestsPerSecond: 0 }, { requestsPerSecond: 1.5 }, { bytesPerDay: 2e15 }])
      expect(await codeOf(quotas.set("other", wrong, { follows: 0 }))).toBe("schema_violation");
    const body = { perHour: 1 };
    const put = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${first.url}/v1/admin/tenants/other/quota`, call(first.adminKey, { method: "PUT", body, headers }));
    expect((await answerOf(await put({ "if-match": '"0"' }))).code).toBe("forbidden_field");
    expect((await answerOf(await put({}))).code).toBe("request_invalid");
  });
});

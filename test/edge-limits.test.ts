/** P13 and attack 3 at the edge: who asks for more than the limit is told which, whose and when, and others notice nothing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EventplaneError, systemClock } from "../src/kernel/index.js";
import { type AllowanceStore, MemoryAllowances } from "../src/quota/index.js";
import { createMemoryStore } from "../src/store/index.js";
import {
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";
import { edgeStores } from "./support/edge-stores.js";

const quotaDefaults = { requestsPerSecond: 20, eventsPerSecond: 50, bytesPerDay: 20_000, connections: 3 };
const slugs = ["greedy", "modest", "acme", "listed", "stored", "subscribed"];
const note = (bytes = 10): object => ({ type: "note.create", spec: { text: "x".repeat(bytes) } });

const read = ({ slug, key }: FixtureTenant, url: string): Promise<Response> =>
  fetch(`${url}/v1/tenants/${slug}/schemas`, call(key));
const publish = ({ slug, key }: FixtureTenant, url: string, body: object): Promise<Response> =>
  fetch(`${url}/v1/tenants/${slug}/intents`, call(key, { body }));
/** The first refusal of many requests at once. */
async function refusalOf(tenant: FixtureTenant, url: string): Promise<Response> {
  return eventually(async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => read(tenant, url)));
    return answers.find(({ status }) => status === 429);
  }, "a refusal");
}
/** Statuses of that many requests, one after the other, and how long they took. */
async function floodOf(
  count: number,
  ask: () => Promise<Response>,
): Promise<{ readonly taken: number; readonly limited: number; readonly seconds: number }> {
  const from = performance.now();
  const statuses: number[] = [];
  for (let n = 0; n < count; n++) {
    const response = await ask();
    statuses.push(response.status);
    await response.arrayBuffer();
  }
  const limited = statuses.filter((status) => status === 429).length;
  const seconds = (performance.now() - from) / 1_000;
  return { taken: statuses.filter((status) => status < 300).length, limited, seconds };
}

describe.each(edgeStores)("limits of two edges on %s", (_name, openStore) => {
  let store: Awaited<ReturnType<typeof openStore>>;
  let first: EdgeFixture;
  let second: Awaited<ReturnType<EdgeFixture["another"]>>;
  let tenants: ReadonlyMap<string, FixtureTenant>;
  const tenantOf = (slug: string): FixtureTenant => {
    const tenant = tenants.get(slug);
    if (tenant === undefined) throw new Error(`There is no tenant ${slug}.`);
    return tenant;
  };

  beforeAll(async () => {
    store = await openStore();
    first = await startEdge({ store, quotaDefaults });
    const made = await Promise.all(slugs.map((slug) => first.tenant(slug)));
    tenants = new Map(made.map((tenant) => [tenant.slug, tenant]));
    second = await first.another();
    for (const { url } of [first, second])
      await eventually(
        async () => ((await read(tenantOf("modest"), url)).ok ? true : undefined),
        "an edge that serves",
      );
  });
  afterAll(async () => {
    await first.close();
    await store.close();
  });

  test("a tenant's requests are one limit at both: its burst and what comes in a second, and no more than an edge holds", async () => {
    const greedy = tenantOf("greedy");
    const modest = tenantOf("modest");
    const floods = await Promise.all([first.url, second.url].map((url) => floodOf(150, () => read(greedy, url))));
    const taken = floods.reduce((sum, flood) => sum + flood.taken, 0);
    const seconds = Math.max(...floods.map((flood) => flood.seconds));
    expect(floods.every(({ taken: some, limited }) => some + limited === 150)).toBe(true);
    // What is held at most: an eighth of the burst, or what comes in a quarter of a second.
    expect(taken).toBeLessThanOrEqual(40 + 20 * seconds + 2 * 5);
    expect(taken).toBeGreaterThan(20);
    for (const { url } of [first, second]) expect((await read(modest, url)).status).toBe(200);
  });

  test("an answer tells what is left, and a refusal which limit, whose, when, and who can raise it", async () => {
    const acme = tenantOf("acme");
    const allowed = await read(acme, first.url);
    expect(allowed.headers.get("ratelimit-policy")).toBe('"requests";q=40;w=2');
    expect(allowed.headers.get("ratelimit")).toMatch(/^"requests";r=3\d;t=[01]$/);
    const refused = await refusalOf(acme, first.url);
    expect(await answerOf(refused)).toMatchObject({
      code: "requests_limited",
      detail: expect.stringMatching(/40 requests in 2 seconds.*ask the platform's operator to raise requestsPerSecond/),
      limit: "requestsPerSecond",
      of: "tenant",
      policy: "requests",
      quota: 40,
      windowSeconds: 2,
      retryAfterSeconds: 1,
      retryable: true,
    });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.headers.get("ratelimit-policy")).toBe('"requests";q=40;w=2');
    expect(refused.headers.get("ratelimit")).toBe('"requests";r=0;t=1');
    const recorded = await eventually(async () => (await refusalsIn(first.reader, acme.id))[0], "the refusal's event");
    expect(recorded).toMatchObject({ code: "requests_limited", count: 1 });
    const metrics = await (await fetch(`${first.url}/metrics`)).text();
    expect(metrics).toMatch(/eventplane_ratelimit_over_limit_total\{code="requests_limited"\} [1-9]/);
    expect(metrics).toContain('eventplane_ratelimit_lease_duration_seconds_count{result="answered"}');
    // Waiting as long as it says helps.
    await systemClock.sleep(1_000);
    expect((await read(acme, first.url)).status).toBe(200);
  });

  test("events are counted by what a list holds, with one list let through that is larger than what may come at once", async () => {
    const acme = tenantOf("listed");
    const intents = Array.from({ length: 150 }, () => note());
    expect((await publish(acme, first.url, { intents })).status).toBe(200);
    const refused = await publish(acme, first.url, note());
    expect([refused.status, await answerOf(refused)]).toMatchObject([
      429,
      { code: "events_limited", of: "tenant", policy: "events", quota: 100, windowSeconds: 2 },
    ]);
    expect(refused.headers.get("ratelimit-policy")).toBe('"events";q=100;qu="events";w=2');
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });

  test("open subscriptions are counted over both, and one that is closed makes room", async () => {
    const acme = tenantOf("subscribed");
    const subscribe = (url: string): Promise<Response> => {
      const ended = new AbortController();
      open.push(ended);
      return fetch(`${url}/v1/tenants/subscribed/subscribe`, { ...call(acme.key), signal: ended.signal });
    };
    const open: AbortController[] = [];
    const answers = [await subscribe(first.url), await subscribe(second.url), await subscribe(first.url)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const refused = await eventually(async () => {
      const answer = await subscribe(second.url);
      return answer.status === 429 ? answer : undefined;
    }, "a refusal");
    expect(await answerOf(refused)).toMatchObject({ code: "connections_limited", of: "tenant", quota: 3 });
    expect(refused.headers.get("ratelimit-policy")).toBe('"connections";q=3;qu="concurrent-requests"');
    for (const each of open) each.abort();
    await eventually(async () => ((await subscribe(first.url)).status === 200 ? true : undefined), "room again");
    for (const each of open) each.abort();
  });

  test("bytes of specs are counted for the day, those alone that were stored", async () => {
    const acme = tenantOf("stored");
    const stored = { ...note(9_000), id: "01890000-0000-7000-8000-000000000001" };
    expect((await publish(acme, first.url, stored)).status).toBe(201);
    for (let n = 0; n < 3; n++) {
      expect((await publish(acme, first.url, stored)).status).toBe(200);
      const refused = { type: "nothing.create", spec: { text: "x".repeat(9_000) } };
      expect((await publish(acme, first.url, refused)).status).toBe(422);
    }
    expect((await publish(acme, first.url, note(9_000))).status).toBe(201);
    const refused = await publish(acme, first.url, note(9_000));
    expect([refused.status, await answerOf(refused)]).toMatchObject([
      429,
      { code: "bytes_limited", limit: "bytesPerDay", quota: 20_000, windowSeconds: 86_400 },
    ]);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(86_400);
    expect((await publish(acme, first.url, note(1_000))).status).toBe(201);
  });
});

test("each principal has its own limit within its tenant's", async () => {
  const edge = await startEdge({ quotaDefaults: { requestsPerSecond: 1_000, principalRequestsPerSecond: 10 } });
  try {
    const acme = await edge.tenant("acme");
    const headers = { authorization: `Bearer ${edge.adminKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ name: "other", grants: ["reader"] });
    const made = await fetch(`${edge.url}/v1/admin/tenants/acme/keys`, { method: "POST", headers, body });
    const other = { ...acme, key: (await answerOf(made)).key };
    const refused = await answerOf(await refusalOf(acme, edge.url));
    expect(refused).toMatchObject({ code: "requests_limited", of: "principal", policy: "principal-requests" });
    const allowed = await read(other, edge.url);
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get("ratelimit-policy")).toBe('"principal-requests";q=20;w=2, "requests";q=2000;w=2');
  } finally {
    await edge.close();
  }
});

test("nobody is served whose limit cannot be looked up, and everybody again when it can", async () => {
  let away = false;
  const shared = new MemoryAllowances(systemClock);
  const allowances: AllowanceStore = {
    claim: async (claims) => {
      if (away) throw new EventplaneError("unavailable", "The database is away.");
      return shared.claim(claims);
    },
    declare: (...said) => shared.declare(...said),
    sweep: () => shared.sweep(),
  };
  const store = { ...createMemoryStore({ clock: systemClock }), allowances };
  const edge = await startEdge({ store, quotaDefaults: { requestsPerSecond: 20 } });
  try {
    const acme = await edge.tenant("acme");
    away = true;
    const refused = await eventually(async () => {
      const response = await read(acme, edge.url);
      return response.status === 200 ? undefined : response;
    }, "a failure");
    expect([refused.status, refused.headers.get("retry-after"), (await answerOf(refused)).code]).toEqual([
      503,
      "1",
      "unavailable",
    ]);
    expect(edge.logged()).toContain("What is left of limits cannot be looked up.");
    away = false;
    await eventually(async () => ((await read(acme, edge.url)).status === 200 ? true : undefined), "served again");
    expect(edge.logged()).toContain("What is left of limits can be looked up again.");
  } finally {
    await edge.close();
  }
});

/** Keys with scopes, networks and an expiry: what is outside of them is nowhere, by any route. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { counter, defineProjection } from "../src/projection/index.js";
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

const canary = "hidden-canary-9f41";
const anything = { type: "object", properties: {}, additionalProperties: true } as const;
const intents = { create: { creates: true }, change: {} } as const;
const note = defineAggregate("note", { spec: anything, status: {}, intents });
const door = defineAggregate("door", { spec: anything, status: {}, intents });
const rows = { rows: counter() };
const notes = defineProjection({ name: "notes", tables: rows, apply: { "note.create": () => undefined } });
const both = defineProjection({
  name: "both",
  tables: rows,
  apply: { "note.create": () => undefined, "door.create": () => undefined },
});
const app = defineApp({ aggregates: [note, door], controllers: [], projections: [notes, both] });

describe.each(edgeStores)("a key with a scope, on %s", (_name, openStore) => {
  let store: Awaited<ReturnType<typeof openStore>>;
  let edge: EdgeFixture;
  let acme: FixtureTenant;
  let scoped: string;
  let hidden: { readonly id: string; readonly correlationId: string };
  let seen: { readonly id: string; readonly correlationId: string };

  const keyOf = async (wish: object): Promise<string> => {
    const response = await fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(edge.adminKey, { body: wish }));
    expect(response.status).toBe(201);
    return (await answerOf(response)).key;
  };
  const get = (path: string, key = scoped): Promise<Response> =>
    fetch(`${edge.url}/v1/tenants/acme/${path}`, call(key));
  const post = (body: unknown, key = scoped): Promise<Response> =>
    fetch(`${edge.url}/v1/tenants/acme/intents`, call(key, { body }));

  beforeAll(async () => {
    store = await openStore();
    edge = await startEdge({ store, app });
    acme = await edge.tenant("acme");
    scoped = await keyOf({ name: "scoped", grants: ["publisher", "reader", "subscriber"], scopes: ["note.*"] });
    const spec = { secret: canary };
    hidden = await answerOf(await post({ type: "door.create", aggregateId: canary, spec }, acme.key));
    const together = { correlationId: hidden.correlationId, aggregateId: "visible" };
    seen = await answerOf(await post({ type: "note.create", ...together, spec: {} }, acme.key));
    for (let n = 0; n < 600; n += 200) {
      const list = Array.from({ length: 200 }, () => ({ type: "door.create", spec }));
      expect((await post({ intents: list }, acme.key)).status).toBe(200);
    }
    await post({ type: "note.create", aggregateId: "last", spec: {} }, acme.key);
  });
  afterAll(async () => {
    await edge.close();
    await store.close();
  });

  test("sees the events of its types in pages that lead to the end, and nothing of others", async () => {
    const ids: string[] = [];
    let text = "";
    for (let next: number | null = 0, pages = 0; next !== null && pages < 100; pages++) {
      const response = await get(`events?after=${next}&limit=100`);
      const body = await response.text();
      text += body;
      const page = JSON.parse(body) as { events: { aggregateId: string }[]; next: number | null };
      ids.push(...page.events.map(({ aggregateId }) => aggregateId));
      ({ next } = page);
    }
    expect(ids).toEqual(["visible", "last"]);
    expect(text).not.toContain(canary);
  });

  test.each<readonly [string, number]>([
    ["events?type=door.create", 200],
    ["events?aggregateType=door", 200],
    [`events?aggregateType=door&aggregateId=${canary}`, 200],
    ["events?aggregateType=door&include=proof&direction=backwards", 200],
    ["events/$hidden", 404],
    ["events/$hidden/proof", 404],
    [`streams/door/${canary}`, 404],
    ["streams/door/nothing", 404],
    ["traces/$correlation", 200],
    ["resources/door", 403],
    [`resources/door/${canary}`, 403],
    ["resources/nothing", 403],
    ["projections/both?table=rows", 403],
    ["projections/nothing?table=rows", 403],
    ["schemas", 200],
    ["schemas/door.create/1", 404],
  ])("gets nothing of another type by %s", async (address, status) => {
    const path = address.replace("$hidden", hidden.id).replace("$correlation", hidden.correlationId);
    const response = await get(path);
    const text = await response.text();
    expect(response.status).toBe(status);
    expect(text).not.toContain(canary);
    expect(text).not.toContain("door");
    if (path.startsWith("traces/")) expect(text).toContain(seen.id);
    else expect(text).not.toContain(hidden.id);
  });

  test.each([
    "events/$seen",
    "events/$seen/proof",
    "streams/note/visible",
    "resources/note",
    "resources/note/visible",
    "schemas/note.create/1",
  ])("gets its own by %s", async (address) => expect((await get(address.replace("$seen", seen.id))).status).toBe(200));

  test("with one type of an aggregate gets events of that type, but no resource", async () => {
    const key = await keyOf({ name: "one", grants: ["reader"], scopes: ["note.create"] });
    await post({ type: "note.change", aggregateId: "visible", spec: { later: 1 } }, acme.key);
    const types = async (path: string): Promise<readonly string[]> =>
      ((await (await get(path, key)).json()) as { events: { type: string }[] }).events.map(({ type }) => type);
    expect(await types("streams/note/visible")).toEqual(["note.create"]);
    expect(await types("events?limit=1000")).toEqual(["note.create", "note.create"]);
    expect((await get("resources/note/visible", key)).status).toBe(403);
    expect((await get("projections/notes?table=rows", key)).status).not.toBe(403);
  });

  test("follows its types, live and from the past, and is sent bookmarks for the others", async () => {
    const client = createClient({ baseUrl: edge.url, apiKey: scoped, tenant: "acme" });
    const head = (await edge.reader.head(acme.id)).position;
    const types: string[] = [];
    let text = "";
    const following = (async () => {
      for await (const item of client.subscribe({ after: 0 })) {
        text += JSON.stringify(item);
        if (item.type === "event") types.push(item.event.type);
        if (item.type === "event" && item.event.position > head) return;
      }
    })();
    await eventually(() => (types.length === 3 ? true : undefined), "the past");
    await post({ type: "door.create", spec: { secret: canary } }, acme.key);
    await post({ type: "note.create", spec: {} }, acme.key);
    await following;
    expect(types).toEqual(["note.create", "note.create", "note.change", "note.create"]);
    expect(text).not.toContain(canary);
  });

  test("publishes its types: others are refused as forbidden, alone, in a list, in an atomic list, and known ids too", async () => {
    const before = (await edge.reader.head(acme.id)).position;
    expect((await post({ type: "note.create", spec: {} })).status).toBe(201);
    expect((await post({ type: "door.create", spec: {} })).status).toBe(403);
    expect((await post({ type: "nothing.create", spec: {} })).status).toBe(403);
    expect(
      (await post({ type: "door.create", id: hidden.id, aggregateId: canary, spec: { secret: canary } })).status,
    ).toBe(403);
    const list = [
      { type: "note.create", spec: {} },
      { type: "door.create", spec: {} },
    ];
    const { results } = await answerOf(await post({ intents: list }));
    expect(results.map((each) => each.problem?.code ?? each.result)).toEqual(["created", "forbidden"]);
    const atomic = await post({ intents: list, atomic: true });
    expect([atomic.status, (await answerOf(atomic)).pointers]).toEqual([403, ["/intents/1"]]);
    const added = await edge.reader.read(acme.id, { after: before, filter: { kind: "intent" } });
    expect(added.map(({ type }) => type)).toEqual(["note.create", "note.create"]);
    await eventually(
      async () => (await refusalsIn(edge.reader, acme.id)).find(({ code }) => code === "forbidden"),
      "a refusal",
    );
  });

  test("for one of its grants has no others of that type", async () => {
    const key = await keyOf({
      name: "split",
      grants: ["publisher", "reader"],
      scopes: ["publisher:note.create", "reader:door.*"],
    });
    expect((await post({ type: "note.create", spec: {} }, key)).status).toBe(201);
    expect((await post({ type: "door.create", spec: {} }, key)).status).toBe(403);
    expect((await get(`events/${seen.id}`, key)).status).toBe(404);
    expect((await get(`events/${hidden.id}`, key)).status).toBe(200);
  });
});

describe("a key", () => {
  let edge: EdgeFixture;
  let acme: FixtureTenant;
  beforeAll(async () => {
    edge = await startEdge();
    acme = await edge.tenant("acme");
  });
  afterAll(() => edge.close());
  const create = (body: object): Promise<Response> =>
    fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(edge.adminKey, { body }));

  test("that may be used from other networks only is refused like a wrong one, and its tenant is told", async () => {
    const here = await answerOf(
      await create({ name: "here", grants: ["reader"], networks: ["10.0.0.0/8", "127.0.0.1"] }),
    );
    const there = await answerOf(await create({ name: "there", grants: ["reader"], networks: ["10.0.0.0/8", "::1"] }));
    const read = (key: string, headers = {}): Promise<Response> =>
      fetch(`${edge.url}/v1/tenants/acme/events`, call(key, { headers }));
    expect((await read(here.key)).status).toBe(200);
    const refused = await read(there.key, { "x-forwarded-for": "10.0.0.1", forwarded: "for=10.0.0.1" });
    const wrong = await read(there.key.slice(0, -1) + (there.key.endsWith("A") ? "E" : "A"));
    const bodies = await Promise.all([refused, wrong].map(answerOf));
    expect([refused.status, { ...bodies[0], requestId: "" }]).toEqual([401, { ...bodies[1], requestId: "" }]);
    const told = await eventually(
      async () => (await refusalsIn(edge.reader, acme.id)).find(({ code }) => code === "unauthenticated"),
      "the refusal in the tenant's log",
    );
    expect(told).toMatchObject({ reason: "network", count: 1 });
  });

  test("behind a trusted proxy is used from where that proxy says, and from nowhere else", async () => {
    const proxied = await startEdge({ trustedProxies: ["127.0.0.0/8"] });
    try {
      await proxied.tenant("acme");
      const wish = { name: "far", grants: ["reader"], networks: ["192.0.2.0/24"] };
      const { key } = await answerOf(
        await fetch(`${proxied.url}/v1/admin/tenants/acme/keys`, call(proxied.adminKey, { body: wish })),
      );
      const from = async (forwarded: string): Promise<number> =>
        (await fetch(`${proxied.url}/v1/tenants/acme/events`, call(key, { headers: { "x-forwarded-for": forwarded } })))
          .status;
      // What a client writes itself stands before what the proxy adds.
      const answers = await Promise.all(["192.0.2.9", "198.51.100.1", "192.0.2.9, 198.51.100.1", "nonsense"].map(from));
      expect(answers).toEqual([200, 401, 401, 401]);
    } finally {
      await proxied.close();
    }
    await expect(startEdge({ trustedProxies: ["everywhere"] })).rejects.toMatchObject({ code: "config_invalid" });
  });

  test("is refused from the moment that it expires at, and its subscription is cut", async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const { key } = await answerOf(await create({ name: "short", grants: ["reader", "subscriber"], expiresAt }));
    const open = await fetch(`${edge.url}/v1/tenants/acme/subscribe`, call(key));
    expect(open.status).toBe(200);
    const ended = await open.text();
    expect(ended).toContain('"code":"unauthenticated"');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    expect(Date.now() - Date.parse(expiresAt)).toBeLessThan(1_500);
    expect((await fetch(`${edge.url}/v1/tenants/acme/events`, call(key))).status).toBe(401);
  });

  test.each<readonly [string, object, string]>([
    ["no scope", { scopes: [] }, "/scopes"],
    ["a scope that is none", { scopes: ["note.*", "*"] }, "/scopes/1"],
    ["a scope twice", { scopes: ["note.*", "note.*"] }, "/scopes"],
    ["65 scopes", { scopes: Array.from({ length: 65 }, (_, n) => `t${n}.*`) }, "/scopes"],
    ["a scope for a grant that it has not", { scopes: ["publisher:note.*"] }, "/scopes/0"],
    ["a scope and the grant admin", { grants: ["reader", "admin"], scopes: ["note.*"] }, "/scopes"],
    ["a network that is none", { networks: ["10.0.0.0/8", "10.0.0.0/64"] }, "/networks/1"],
    ["no network", { networks: [] }, "/networks"],
    ["a name instead of a network", { networks: ["localhost"] }, "/networks/0"],
  ])("with %s is refused with its place", async (_name, wish, pointer) => {
    const response = await create({ name: "x", grants: ["reader"], ...wish });
    expect([response.status, (await answerOf(response)).pointers]).toEqual([422, [pointer]]);
  });

  test("shows its scopes and networks to administrators, and the log says who gave them", async () => {
    const wish = { name: "shown", grants: ["reader"], scopes: ["note.*"], networks: ["127.0.0.0/8"] };
    const { id } = await answerOf(await create(wish));
    const shown = await fetch(`${edge.url}/v1/admin/tenants/acme/keys/${id}`, call(edge.adminKey));
    expect(await shown.json()).toMatchObject(wish);
    const [row] = await edge.reader.readStream(PLATFORM_TENANT_ID, { aggregateType: "key", aggregateId: id });
    expect(JSON.parse(row?.specText ?? "")).toMatchObject(wish);
    expect(JSON.parse(row?.causedByText ?? "")).toMatchObject({ principal: { type: "service" }, via: "http" });
  });
});

/** Several edges over one store: what one does, the others know within a second, and none serves what it cannot know. */
import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "../src/client/index.js";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { EventplaneError, systemClock } from "../src/kernel/index.js";
import { createMemoryStore, type LogReader } from "../src/store/index.js";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";
import { edgeStores } from "./support/edge-stores.js";

describe.each(edgeStores)("two edges on %s", (_name, openStore) => {
  let store: Awaited<ReturnType<typeof openStore>>;
  let first: EdgeFixture;
  let second: Awaited<ReturnType<EdgeFixture["another"]>>;
  let acme: FixtureTenant;

  beforeAll(async () => {
    store = await openStore();
    first = await startEdge({ store });
    acme = await first.tenant("acme");
    second = await first.another();
  });
  afterAll(async () => {
    await first.close();
    await store.close();
  });

  test("a key that one revokes is refused by the other within a second, and its subscriptions are cut", async () => {
    const admin = createClient({ baseUrl: first.url, apiKey: first.adminKey }).admin;
    const { id, key } = await admin.createKey("acme", { name: "stolen", grants: ["reader", "subscriber"] });
    const read = async (): Promise<number> => (await fetch(`${second.url}/v1/tenants/acme/events`, call(key))).status;
    await eventually(async () => ((await read()) === 200 ? true : undefined), "the key works at the other edge");
    const open = await fetch(`${second.url}/v1/tenants/acme/subscribe`, call(key));
    const ended = open.text();
    await admin.revokeKey("acme", id);
    const revokedAt = performance.now();
    await eventually(async () => ((await read()) === 401 ? true : undefined), "the key is refused");
    expect(await ended).toContain('"code":"unauthenticated"');
    expect(performance.now() - revokedAt).toBeLessThan(1_000);
  });

  test("a key that one makes opens at the other at once, 50 times in a row, and a wrong secret never does", async () => {
    const admin = createClient({ baseUrl: first.url, apiKey: first.adminKey }).admin;
    for (let n = 0; n < 50; n++) {
      const { key } = await admin.createKey("acme", { name: "new", grants: ["reader"] });
      const wrong = key.slice(0, -43) + key.slice(-42) + key.slice(-43, -42);
      const answers = await Promise.all(
        [key, wrong].map((each) => fetch(`${second.url}/v1/tenants/acme/events?limit=1`, call(each))),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 401]);
    }
  });

  test("events of one reach subscribers of the other", async () => {
    const subscriber = createClient({ baseUrl: second.url, apiKey: acme.key, tenant: "acme" }).subscribe();
    const arriving = (async () => {
      for await (const item of subscriber) if (item.type === "event") return item.event.id;
      return undefined;
    })();
    await eventually(() => (second.edge.subscriptions.size === 1 ? true : undefined), "a connection");
    const { id } = await createClient({ baseUrl: first.url, apiKey: acme.key, tenant: "acme" }).publish({
      type: "note.create",
    });
    expect(await arriving).toBe(id);
  });

  test("the same slug at both makes one tenant", async () => {
    const body = { slug: `both-${store === undefined ? "" : "here"}` };
    const answers = await Promise.all(
      [first, second].map(({ url }) => fetch(`${url}/v1/admin/tenants`, call(first.adminKey, { body }))),
    );
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 201]);
    const [one, two] = await Promise.all(answers.map(answerOf));
    expect(one?.id).toBe(two?.id);
  });

  test("a repetition is answered with the first receipt although today's schema refuses it", async () => {
    const note = defineAggregate("note", {
      spec: z.object({ required: z.string() }),
      status: {},
      intents: { create: { creates: true } },
    });
    const stricter = await first.another({ app: defineApp({ aggregates: [note], controllers: [] }) });
    const body = { type: "note.create", id: v7(), spec: { old: true } };
    const send = (url: string, more: object = {}): Promise<Response> =>
      fetch(`${url}/v1/tenants/acme/intents`, call(acme.key, { body: { ...body, ...more } }));
    const created = await answerOf(await send(first.url));
    const repeated = await send(stricter.url);
    expect([repeated.status, await answerOf(repeated)]).toEqual([200, created]);
    expect((await answerOf(await send(stricter.url, { spec: { old: false } }))).code).toBe("content_mismatch");
    expect((await answerOf(await send(stricter.url, { id: v7() }))).code).toBe("schema_violation");
  });
});

test("an edge that cannot read the platform's log refuses everything with 503 and says so in /readyz, then serves again", async () => {
  const memory = createMemoryStore({ clock: systemClock });
  let away = false;
  const reader: LogReader = {
    ...memory.reader,
    read: (tenantId, query) =>
      away ? Promise.reject(new EventplaneError("unavailable", "Away.")) : memory.reader.read(tenantId, query),
  };
  const edge = await startEdge({ store: { edge: memory.edge, reader } });
  try {
    const acme = await edge.tenant("acme");
    const read = (): Promise<Response> => fetch(`${edge.url}/v1/tenants/acme/schemas`, call(acme.key));
    expect((await read()).status).toBe(200);
    away = true;
    const stale = await eventually(async () => {
      const response = await read();
      return response.status === 503 ? response : undefined;
    }, "stale");
    expect([(await answerOf(stale)).code, stale.headers.get("retry-after")]).toEqual(["platform_stale", "1"]);
    const ready = await fetch(`${edge.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("platform_stale")]);
    away = false;
    await eventually(async () => ((await read()).status === 200 ? true : undefined), "serving again");
  } finally {
    await edge.close();
  }
});

test("closing ends subscriptions with a reason, writes the counted refusals and frees the port", async () => {
  const memory = createMemoryStore({ clock: systemClock });
  const edge = await startEdge({ store: memory });
  const acme = await edge.tenant("acme");
  const open = await fetch(`${edge.url}/v1/tenants/acme/subscribe`, call(acme.key));
  for (let n = 0; n < 3; n++) await fetch(`${edge.url}/v1/tenants/other/events`, call(acme.key));
  const from = performance.now();
  await edge.close();
  expect(performance.now() - from).toBeLessThan(5_000);
  expect(await open.text()).toContain('event: end\ndata: {"code":"unavailable"');
  const counts = (await memory.reader.read(acme.id, { filter: { type: "refusal.recorded" } })).map(
    (row) => (JSON.parse(row.specText) as { count: number }).count,
  );
  expect(counts).toEqual([1, 2]);
  await expect(fetch(edge.url)).rejects.toThrow("fetch failed");
});

test("a port in use is said so, with what to do", async () => {
  const edge = await startEdge();
  const port = Number(new URL(edge.url).port);
  try {
    await expect(edge.another({ port })).rejects.toMatchObject({
      code: "port_in_use",
      message: expect.stringContaining(`${port}`),
    });
  } finally {
    await edge.close();
  }
});

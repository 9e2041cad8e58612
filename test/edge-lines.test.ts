import { type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { systemClock } from "../src/kernel/index.js";
import { createMemoryStore, type LogReader } from "../src/store/index.js";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

const total = 2_000;
let edge: EdgeFixture;
let acme: FixtureTenant;
let client: EventplaneClient;
/** Reads of events that the store was asked for. */
let reads = 0;

beforeAll(async () => {
  const store = createMemoryStore({ clock: systemClock });
  const reader: LogReader = {
    ...store.reader,
    read: (tenantId, query) => {
      if (tenantId === acme?.id) reads++;
      return store.reader.read(tenantId, query);
    },
  };
  edge = await startEdge({ store: { edge: store.edge, reader } });
  acme = await edge.tenant("acme");
  client = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
  const pad = "x".repeat(4_096);
  for (let from = 0; from < total; from += 500)
    await client.publishMany(
      Array.from({ length: 500 }, (_, n) => ({ type: "note.create", spec: { n: from + n, pad } })),
    );
});
afterAll(() => edge.close());

const asked = (query: string, key = acme.key): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/acme/events${query}`, call(key, { headers: { accept: "application/x-ndjson" } }));

interface Line {
  readonly position?: number;
  readonly bookmark?: { readonly position: number };
  readonly end?: { readonly position: number; readonly code?: string };
}
const linesOf = async (response: Response): Promise<readonly Line[]> =>
  (await response.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line); // the three that the edge writes

describe("events as lines", () => {
  test("are all that there are, one a line as a page has them, and the last line says how far it is", async () => {
    const response = await asked("");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    expect([response.headers.get("cache-control"), response.headers.get("eventplane-filtered")]).toEqual([
      "no-store",
      "false",
    ]);
    const lines = await linesOf(response);
    expect(lines.slice(0, -1).map(({ position }) => position)).toEqual(Array.from({ length: total }, (_, n) => n + 1));
    expect(lines.at(-1)).toEqual({ end: { position: total } });
    const { events } = await client.readPage({ after: 41, limit: 1 });
    expect(lines[41]).toEqual(events[0]);
  });

  test("begin after a position, end before one or with a number of events, and can be gone on from there", async () => {
    expect((await linesOf(await asked("?after=10&before=14"))).map((line) => line.position ?? line.end)).toEqual([
      11,
      12,
      13,
      { position: 13 },
    ]);
    expect((await linesOf(await asked("?after=10&limit=2"))).at(-1)).toEqual({ end: { position: 12 } });
    expect(await linesOf(await asked(`?after=${total}`))).toEqual([{ end: { position: total } }]);
    expect(await linesOf(await asked("?after=10&before=5"))).toEqual([{ end: { position: 10 } }]);
  });

  test("that a filter leaves out are passed over with bookmarks", async () => {
    const admin = createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin;
    const { key } = await admin.createKey("acme", {
      name: "doors",
      grants: ["reader"],
      scopes: ["door.*", "organization.*"],
    });
    const lines = await linesOf(await asked("", key));
    expect(lines.filter(({ position }) => position !== undefined)).toEqual([]);
    expect(lines.filter(({ bookmark }) => bookmark !== undefined).length).toBe(1);
    expect(lines.at(-1)).toEqual({ end: { position: total } });
  });

  test.each([
    ["?direction=backwards", 400],
    ["?limit=0", 400],
    ["?include=all", 400],
    ["?after=999999", 400],
  ])("of %s are refused as a problem", async (query, status) => {
    const response = await asked(query);
    expect([response.status, (await answerOf(response)).code]).toEqual([status, "request_invalid"]);
  });

  test("are not read before the client takes them", async () => {
    const before = reads;
    const url = new URL(`${edge.url}/v1/tenants/acme/events`);
    const headers = { authorization: `Bearer ${acme.key}`, accept: "application/x-ndjson" };
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      request(url, { headers }, resolve).on("error", reject).end(),
    );
    response.pause();
    let last = -1;
    await eventually(() => {
      const isStill = last === reads;
      last = reads;
      return isStill ? true : undefined;
    }, "reading stops");
    const ahead = reads - before;
    let text = "";
    for await (const chunk of response) text += String(chunk);
    const { position = 0 } = (JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as Line).end ?? {}; // as the edge writes it
    expect(position).toBeGreaterThanOrEqual(total);
    expect([ahead < (reads - before) / 2, reads - before]).toEqual([true, Math.ceil(position / 128)]);
  });

  test("of large events that nobody takes are bounded for all clients of a tenant together: further ones end as busy", async () => {
    const slow = await edge.tenant("slow");
    const own = createClient({ baseUrl: edge.url, apiKey: slow.key, tenant: "slow" });
    const pad = "x".repeat(240_000);
    for (let n = 0; n < 8; n++)
      await own.publishMany(Array.from({ length: 16 }, () => ({ type: "note.create", spec: { n, pad } })));
    const url = new URL(`${edge.url}/v1/tenants/slow/events`);
    const headers = { authorization: `Bearer ${slow.key}`, accept: "application/x-ndjson" };
    /** Takes the first bytes of an answer, and nothing more. */
    const open = (): Promise<{ readonly response: IncomingMessage; readonly begins: string }> =>
      new Promise((resolve, reject) => {
        const sent = request(url, { headers, agent: false }, (response) =>
          response.once("data", (chunk: Buffer) =>
            resolve({ response: response.pause(), begins: chunk.toString("utf8", 0, 200) }),
          ),
        );
        sent.once("error", reject).end();
      });
    const opened = await Promise.all(Array.from({ length: 8 }, open));
    const [events, busy] = [/^\{"id":/, /"code":"busy"/];
    // Three pages of 30 MB are more than 64 MiB.
    expect(opened.filter(({ begins }) => events.test(begins))).toHaveLength(3);
    expect(opened.filter(({ begins }) => busy.test(begins))).toHaveLength(5);
    expect((await asked("?limit=1")).status).toBe(200);
    for (const { response } of opened) response.destroy();
    await eventually(async () => {
      const response = await fetch(`${url.href}?limit=1`, { headers });
      const lines = await linesOf(response);
      return response.status === 200 && lines.at(-1)?.end?.code === undefined ? true : undefined;
    }, "room again");
  });

  test("end with the reason when the key is revoked in the middle", async () => {
    const admin = createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin;
    const made = await admin.createKey("acme", { name: "short", grants: ["reader"] });
    const url = new URL(`${edge.url}/v1/tenants/acme/events`);
    const headers = { authorization: `Bearer ${made.key}`, accept: "application/x-ndjson" };
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      request(url, { headers }, resolve).on("error", reject).end(),
    );
    response.pause();
    await admin.revokeKey("acme", made.id);
    let text = "";
    for await (const chunk of response) text += String(chunk);
    const lines = text.trimEnd().split("\n");
    const last = JSON.parse(lines.at(-1) ?? "") as Line; // as the edge writes it
    expect(last.end?.code).toBe("unauthenticated");
    expect(last.end?.position).toBe(lines.length - 1);
    expect(lines.length).toBeLessThan(total);
  });

  test("are read by readAll, which goes on behind a broken connection and says where it ended", async () => {
    let broken = 0;
    const breaking: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (broken++ >= 3 || response.body === null) return response;
      let left = 1_500_000;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          left -= chunk.byteLength;
          if (left > 0) controller.enqueue(chunk);
          else controller.error(new Error("cut"));
        },
      });
      return new Response(response.body.pipeThrough(cut), { headers: response.headers });
    };
    const own = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme", fetch: breaking });
    const reading = own.readAll({ limit: total });
    const seen: number[] = [];
    for (;;) {
      const next = await reading.next();
      if (next.done === true) {
        expect(next.value).toBe(total);
        break;
      }
      seen.push(next.value.position);
    }
    expect([broken, seen.length, seen.every((position, index) => position === index + 1)]).toEqual([4, total, true]);
  });
});

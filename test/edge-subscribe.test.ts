import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type EventplaneClient, type SubscriptionItem } from "../src/client/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import { call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;
let client: EventplaneClient;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
  client = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
});
afterAll(() => edge.close());

const publish = (count: number, from = 0): Promise<unknown> =>
  client.publishMany(Array.from({ length: count }, (_, n) => ({ type: "note.create", spec: { n: from + n } })));

/** Positions of the first `count` events of a subscription. */
async function positions(items: AsyncIterable<SubscriptionItem>, count: number): Promise<number[]> {
  const seen: number[] = [];
  for await (const item of items) {
    if (item.type === "event") seen.push(item.event.position);
    if (seen.length === count) break;
  }
  return seen;
}

const isDense = (seen: readonly number[]): boolean =>
  seen.every((position, index) => index === 0 || position === (seen[index - 1] ?? 0) + 1);

describe("a subscription", () => {
  test("catches up and then goes live without gap or repetition", async () => {
    await publish(300);
    const following = positions(client.subscribe({ after: 0 }), 900);
    await publish(300, 300);
    await publish(300, 600);
    const seen = await following;
    expect(seen[0]).toBe(1);
    expect(isDense(seen)).toBe(true);
  });

  test("without after begins now", async () => {
    const { position } = await edge.reader.head(acme.id);
    const following = positions(client.subscribe(), 1);
    await eventually(() => (edge.edge.subscriptions.size > 0 ? true : undefined), "a connection");
    await publish(1);
    expect(await following).toEqual([position + 1]);
  });

  test("with a filter gives what matches, and a bookmark for the rest", async () => {
    const after = (await edge.reader.head(acme.id)).position;
    await publish(1_000);
    await publish(500);
    const items: SubscriptionItem[] = [];
    for await (const item of client.subscribe({ after, type: "organization.create" })) {
      items.push(item);
      if (item.type === "bookmark" && item.position > after) break;
    }
    expect(items.every(({ type }) => type === "bookmark")).toBe(true);
  });

  test("resumes with Last-Event-ID, which wins over after", async () => {
    const head = (await edge.reader.head(acme.id)).position;
    const response = await fetch(
      `${edge.url}/v1/tenants/acme/subscribe?after=0`,
      call(acme.key, { headers: { "last-event-id": String(head - 2) } }),
    );
    const reader = response.body?.getReader();
    let text = "";
    while (!text.includes(`id: ${head}\n`)) text += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
    expect(text).toContain(`id: ${head - 1}\nevent: intent\ndata: {`);
    expect(text).not.toContain('"position":1,');
  });

  test("is refused for a wrong place and without the grant", async () => {
    const wrong = await fetch(
      `${edge.url}/v1/tenants/acme/subscribe`,
      call(acme.key, { headers: { "last-event-id": "x" } }),
    );
    const reader = await edge.tenant("readers", ["reader"]);
    const forbidden = await fetch(`${edge.url}/v1/tenants/readers/subscribe`, call(reader.key));
    expect([wrong.status, forbidden.status]).toEqual([400, 403]);
  });

  test("is refused beyond the end of the log, where it would miss what comes, and not at its end", async () => {
    const { position } = await edge.reader.head(acme.id);
    const begin = async (after: number): Promise<number> => {
      const aborted = new AbortController();
      const response = await fetch(`${edge.url}/v1/tenants/acme/subscribe?after=${after}`, {
        ...call(acme.key),
        signal: aborted.signal,
      });
      aborted.abort();
      return response.status;
    };
    expect([await begin(position), await begin(position + 1), await begin(Number.MAX_SAFE_INTEGER)]).toEqual([
      200, 400, 400,
    ]);
    await eventually(() => (edge.edge.subscriptions.size === 0 ? true : undefined), "all connections gone");
  });

  test("of a revoked key is cut within a second, with the reason", async () => {
    const tenant = await edge.tenant("short");
    const own = createClient({ baseUrl: edge.url, apiKey: tenant.key, tenant: "short" });
    const failed = positions(own.subscribe(), 1).then(
      () => undefined,
      (error: unknown) => ({ error, at: performance.now() }),
    );
    await eventually(() => (edge.edge.subscriptions.size > 0 ? true : undefined), "a connection");
    await createClient({ baseUrl: edge.url, apiKey: edge.adminKey }).admin.revokeKey("short", tenant.keyId);
    const revokedAt = performance.now();
    const outcome = await failed;
    expect(isEventplaneError(outcome?.error, "unauthenticated")).toBe(true);
    expect((outcome?.at ?? 0) - revokedAt).toBeLessThan(1_000);
  });

  test("50 subscribers get every event once, in order", async () => {
    const after = (await edge.reader.head(acme.id)).position - 200;
    const open = Array.from({ length: 50 }, () => positions(client.subscribe({ after }), 1_200));
    for (let round = 0; round < 10; round++) await publish(100);
    const all = await Promise.all(open);
    expect(all.every((seen) => isDense(seen) && seen[0] === after + 1 && seen.length === 1_200)).toBe(true);
    await eventually(() => (edge.edge.subscriptions.size === 0 ? true : undefined), "all connections gone");
  });
});

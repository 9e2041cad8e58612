import { describe, expect, test } from "vitest";
import { isEventplaneError, isUuid, uuidVersion } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { createClient, type EventplaneClient } from "./index.js";

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A client whose fetch answers from a list; after its end the last answer stays. */
function clientOf(answers: readonly (() => Response)[]): {
  client: EventplaneClient;
  sent: Sent[];
  clock: VirtualClock;
} {
  const sent: Sent[] = [];
  const clock = new VirtualClock();
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    sent.push({ url: String(url), headers: new Headers(init?.headers), body: String(init?.body ?? "") });
    const answer = answers[Math.min(sent.length, answers.length) - 1];
    if (answer === undefined) throw new TypeError("fetch failed");
    return answer();
  };
  const client = createClient({ baseUrl: "http://edge.test/", apiKey: "epk_k", tenant: "a/b", fetch, clock });
  return { client, sent, clock };
}

const json =
  (status: number, body: object, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response(JSON.stringify(body), { status, headers });
const problem = (status: number, code: string) =>
  json(status, { code, status, detail: "No.", pointers: ["/spec/a"], requestId: "r" });
const lost = (): never => {
  throw new TypeError("fetch failed");
};
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

describe("publishing", () => {
  test("sends the same id again after a lost answer and after a transient refusal", async () => {
    const { client, sent, clock } = clientOf([
      lost,
      problem(503, "busy"),
      json(200, { position: 3 }, { "idempotent-replayed": "true" }),
    ]);
    const publishing = client.publish({ type: "a.b", spec: {} });
    await clock.advance(60_000);
    expect(await publishing).toMatchObject({ position: 3, repeated: true });
    const ids = sent.map(({ body }) => (JSON.parse(body) as { id: string }).id);
    expect(new Set(ids).size).toBe(1);
    expect([isUuid(ids[0]), uuidVersion(ids[0] ?? "")]).toEqual([true, 7]);
    expect(sent[0]?.url).toBe("http://edge.test/v1/tenants/a%2Fb/intents");
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer epk_k");
  });

  test("gives a final refusal as an error with its code and places, at once", async () => {
    const { client, sent } = clientOf([problem(422, "schema_violation")]);
    const error = await client.publish({ type: "a.b" }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "schema_violation",
      message: "No.",
      details: { pointers: ["/spec/a"], status: 422 },
    });
    expect(sent).toHaveLength(1);
  });

  test("gives up after five attempts", async () => {
    const { client, sent, clock } = clientOf([lost]);
    const failed = codeOf(client.publish({ type: "a.b" }));
    await clock.advance(60_000);
    expect([await failed, sent.length]).toEqual(["unavailable", 5]);
  });

  test("needs a tenant", async () => {
    await expect(() => createClient({ baseUrl: "http://edge.test" }).publish({ type: "a.b" })).rejects.toMatchObject({
      code: "usage",
    });
  });
});

test("creating a key is sent once, because its secret comes once", async () => {
  const { client, sent } = clientOf([problem(503, "busy")]);
  expect(await codeOf(client.admin.createKey("acme", { name: "x", grants: ["reader"] }))).toBe("busy");
  expect(sent).toHaveLength(1);
});

test("a proxy's page instead of a problem becomes the code of its status", async () => {
  const pageCode = (status: number): Promise<string> => {
    const { client } = clientOf([() => new Response("<html>", { status })]);
    return codeOf(client.admin.createKey("acme", { name: "x", grants: ["reader"] }));
  };
  expect(await Promise.all([403, 405, 429, 502, 504].map(pageCode))).toEqual([
    "forbidden",
    "method_not_allowed",
    "rate_limited",
    "unavailable",
    "timeout",
  ]);
});

describe("a subscription", () => {
  const frames =
    (...positions: number[]) =>
    (): Response =>
      new Response(
        positions.map((position) => `id: ${position}\nevent: fact\ndata: {"position":${position}}\n\n`).join(""),
      );

  async function take(client: EventplaneClient, clock: VirtualClock, count: number): Promise<(number | string)[]> {
    const seen: (number | string)[] = [];
    const taking = (async () => {
      for await (const item of client.subscribe({ after: 0 })) {
        seen.push(item.type === "event" ? item.event.position : `b${item.position}`);
        if (seen.length === count) return;
      }
    })();
    await Promise.race([taking, clock.advance(120_000).then(() => taking)]);
    return seen;
  }

  test("connects again where it stopped and drops what comes twice", async () => {
    const { client, sent, clock } = clientOf([frames(1, 2), lost, frames(2, 3, 4)]);
    expect(await take(client, clock, 4)).toEqual([1, 2, 3, 4]);
    expect(sent.map(({ headers }) => headers.get("last-event-id"))).toEqual(["0", "2", "2"]);
  });

  test("asks again for what is missing, and fails when it stays missing", async () => {
    const healed = clientOf([frames(1, 3), frames(2, 3)]);
    expect(await take(healed.client, healed.clock, 3)).toEqual([1, 2, 3]);
    const gone = clientOf([frames(1, 3)]);
    await expect(take(gone.client, gone.clock, 3)).rejects.toMatchObject({ code: "event_corrupt" });
  });

  test("gives up a connection that is never answered, and connects again", async () => {
    const clock = new VirtualClock();
    let asked = 0;
    const fetch = (_url: unknown, init?: RequestInit): Promise<Response> =>
      asked++ > 0
        ? Promise.resolve(frames(1)())
        : new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    const client = createClient({ baseUrl: "http://edge.test", tenant: "acme", fetch, clock });
    expect(await take(client, clock, 1)).toEqual([1]);
  });

  test("ends with the reason when its key is revoked", async () => {
    const { client, clock } = clientOf([
      () => new Response('event: end\ndata: {"code":"unauthenticated","detail":"Revoked."}\n\n'),
    ]);
    await expect(take(client, clock, 1)).rejects.toMatchObject({ code: "unauthenticated" });
  });
});

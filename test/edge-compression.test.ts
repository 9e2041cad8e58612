import { request } from "node:http";
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerOf, call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
  const intents = Array.from({ length: 200 }, (_, n) => ({
    type: "note.create",
    aggregateId: `n${n}`,
    spec: { text: "the same words again and again" },
  }));
  await fetch(`${edge.url}/v1/tenants/acme/intents`, call(acme.key, { body: { intents } }));
});
afterAll(() => edge.close());

interface Raw {
  readonly status: number | undefined;
  readonly encoding: string | undefined;
  readonly vary: string | undefined;
  readonly bytes: Buffer;
}

/** What is sent, and not what fetch makes of it. */
function raw(
  path: string,
  headers: Record<string, string> = {},
  init: { method?: string; body?: string } = {},
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${edge.url}/v1/tenants/acme${path}`,
      { method: init.method ?? "GET", headers: { authorization: `Bearer ${acme.key}`, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        const { "content-encoding": encoding, vary } = response.headers;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          if (path.startsWith("/subscribe") && String(chunk).includes("id: 200")) response.destroy();
        });
        response.on("close", () =>
          resolve({ status: response.statusCode, encoding, vary, bytes: Buffer.concat(chunks) }),
        );
      },
    );
    sent.on("error", reject).end(init.body);
  });
}

const json = { "content-type": "application/json" };

describe("an answer to a read", () => {
  const inflate = { gzip: gunzipSync, br: brotliDecompressSync } as const;

  test.each([
    ["gzip", "gzip"],
    ["br", "br"],
    ["gzip, deflate, br", "br"],
    ["br;q=0.5, gzip;q=0.9", "gzip"],
  ] as const)("is compressed as %s asks for: %s", async (accepted, encoding) => {
    const plain = await raw("/events?limit=1000");
    const packed = await raw("/events?limit=1000", { "accept-encoding": accepted });
    expect([packed.status, packed.encoding, packed.vary, plain.vary]).toEqual([
      200,
      encoding,
      "accept-encoding",
      "accept-encoding",
    ]);
    expect(inflate[encoding](packed.bytes).equals(plain.bytes)).toBe(true);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 4);
  });

  test.each(["gzip", "br"] as const)("as lines is a whole %s, line for line", async (encoding) => {
    const accept = "application/x-ndjson";
    const plain = await raw("/events", { accept });
    const packed = await raw("/events", { accept, "accept-encoding": encoding });
    expect([packed.encoding, inflate[encoding](packed.bytes).equals(plain.bytes)]).toEqual([encoding, true]);
  });

  test.each(["", "identity", "deflate", "gzip;q=0", "zstd"])("is as it is when it asks for %j", async (accepted) => {
    const answer = await raw("/events?limit=1000", accepted === "" ? {} : { "accept-encoding": accepted });
    expect([answer.status, answer.encoding, JSON.parse(String(answer.bytes)).events.length]).toEqual([
      200,
      undefined,
      200,
    ]);
  });

  test("is as it is when it is short, a problem, a subscription, or makes a token", async () => {
    const asked = { "accept-encoding": "gzip, br" };
    const answers = [
      await raw("/events?limit=1", asked),
      await raw("/nothing", asked),
      await raw("/events?limit=0", asked),
      await raw("/subscribe?after=0", asked),
      await raw("/stream-tokens", { ...asked, ...json }, { method: "POST", body: "{}" }),
    ];
    expect(answers.map(({ status, encoding }) => [status, encoding])).toEqual([
      [200, undefined],
      [404, undefined],
      [400, undefined],
      [200, undefined],
      [201, undefined],
    ]);
  });

  test("is never compressed where that is off", async () => {
    const plain = await startEdge({ compression: "off" });
    const tenant = await plain.tenant("acme");
    const body = { type: "note.create", spec: { text: "x".repeat(10_000) } };
    await fetch(`${plain.url}/v1/tenants/acme/intents`, call(tenant.key, { body }));
    const response = await fetch(`${plain.url}/v1/tenants/acme/events`, call(tenant.key));
    expect([response.headers.get("content-encoding"), (await response.text()).length > 10_000]).toEqual([null, true]);
    await plain.close();
  });
});

describe("a body", () => {
  const publish = (body: Uint8Array, encoding: string, path = "/intents"): Promise<Response> =>
    fetch(`${edge.url}/v1/tenants/acme${path}`, call(acme.key, { body, headers: { "content-encoding": encoding } }));
  const intent = JSON.stringify({ type: "note.create", aggregateId: "packed", spec: { text: "as it was sent" } });

  test("that is gzip is taken as what was packed, byte for byte", async () => {
    const published = await publish(gzipSync(intent), "gzip");
    const { id } = await answerOf(published);
    const event = await fetch(`${edge.url}/v1/tenants/acme/events/${id}`, call(acme.key));
    expect([published.status, (await event.text()).includes('{"text":"as it was sent"}')]).toEqual([201, true]);
  });

  test.each([
    ["no gzip", Buffer.from(intent), "gzip", [400, "request_invalid"]],
    ["gzip that is cut", gzipSync(intent).subarray(0, -9), "gzip", [400, "request_invalid"]],
    ["one byte too large", gzipSync(Buffer.alloc(4_194_305, " ")), "gzip", [413, "payload_too_large"]],
    ["as large as may be, and no JSON", gzipSync(Buffer.alloc(4_194_304, " ")), "gzip", [400, "json_invalid"]],
    ["gzip in gzip", gzipSync(gzipSync(intent)), "gzip, gzip", [415, "unsupported_media_type"]],
    ["br", Buffer.from(intent), "br", [415, "unsupported_media_type"]],
  ] as const)("that is %s is refused", async (_what, body, encoding, refusal) => {
    const response = await publish(body, encoding);
    expect([response.status, (await answerOf(response)).code]).toEqual(refusal);
  });

  test("of a signed delivery is taken as it was signed only", async () => {
    const response = await publish(gzipSync(intent), "gzip", "/sources/github");
    expect([response.status, (await answerOf(response)).code]).toEqual([415, "unsupported_media_type"]);
  });
});

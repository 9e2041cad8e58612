import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveConfig } from "../src/plane/config.js";
import { call, type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

const app = "https://app.example.com";
let closed: EdgeFixture;
let open: EdgeFixture;
let acme: FixtureTenant;
let other: FixtureTenant;

beforeAll(async () => {
  closed = await startEdge();
  open = await startEdge({ allowedOrigins: [app, "http://127.0.0.1:3000"] });
  acme = await open.tenant("acme");
  other = await closed.tenant("acme");
});
afterAll(() => Promise.all([closed.close(), open.close()]));

const from = (origin: string, headers: Record<string, string> = {}): Record<string, string> => ({ origin, ...headers });
const preflight = (edge: EdgeFixture, path: string, origin: string): Promise<Response> =>
  fetch(`${edge.url}${path}`, {
    method: "OPTIONS",
    headers: from(origin, {
      "access-control-request-method": "GET",
      "access-control-request-headers": "authorization,last-event-id",
    }),
  });
const corsOf = ({ headers }: Response): readonly string[] =>
  [...headers.keys()].filter((name) => name.startsWith("access-control-"));

describe("a page of another origin", () => {
  test("is let in nowhere unless it is configured", async () => {
    const answered = await fetch(`${closed.url}/v1/tenants/acme/events`, call(other.key, { headers: from(app) }));
    const asked = await preflight(closed, "/v1/tenants/acme/events", app);
    expect([answered.status, corsOf(answered), asked.status, corsOf(asked)]).toEqual([200, [], 405, []]);
  });

  test("that is configured may call, read what pages need, and show no cookies", async () => {
    const asked = await preflight(open, "/v1/tenants/acme/subscribe", app);
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([204, app]);
    expect(asked.headers.get("access-control-allow-headers")).toContain("last-event-id");
    expect(asked.headers.get("access-control-allow-methods")).toBe("GET, HEAD, POST, PUT, DELETE");
    const read = await fetch(`${open.url}/v1/tenants/acme/events`, call(acme.key, { headers: from(app) }));
    const streamed = await fetch(`${open.url}/v1/tenants/acme/subscribe`, call(acme.key, { headers: from(app) }));
    await streamed.body?.cancel();
    const refused = await fetch(`${open.url}/v1/tenants/acme/events`, { headers: from(app) });
    for (const { status, headers } of [read, streamed, refused]) {
      expect([status, headers.get("access-control-allow-origin")]).toEqual([status, app]);
      expect(headers.get("access-control-expose-headers")).toContain("eventplane-filtered");
      expect(headers.get("vary")?.toLowerCase()).toContain("origin");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
    }
    expect([read.status, streamed.status, refused.status]).toEqual([200, 200, 401]);
  });

  test.each(["https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"])(
    "that is not configured is not let in by one that is: %s",
    async (origin) => {
      const asked = await preflight(open, "/v1/tenants/acme/events", origin);
      const read = await fetch(`${open.url}/v1/tenants/acme/events`, call(acme.key, { headers: from(origin) }));
      for (const { headers } of [asked, read]) expect(headers.get("access-control-allow-origin")).toBeNull();
    },
  );

  test.each(["*", "https://*.example.com", "https://app.example.com/", "app.example.com", "null"])(
    "is named by an origin, which %s is none",
    async (origin) => {
      await expect(startEdge({ allowedOrigins: [origin] })).rejects.toMatchObject({
        code: "config_invalid",
        details: { name: "edge.allowed-origins" },
      });
    },
  );

  test("is named in the configuration, several with commas", () => {
    const environment = { EVENTPLANE_EDGE__ALLOWED_ORIGINS: `${app}, http://127.0.0.1:3000` };
    expect(resolveConfig({ environment }).texts("edge.allowed-origins")).toEqual([app, "http://127.0.0.1:3000"]);
  });
});

describe("every answer", () => {
  const wanted: Readonly<Record<string, string | RegExp>> = {
    "content-security-policy": "default-src 'none';frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": /^(SAMEORIGIN|DENY)$/,
    "referrer-policy": "no-referrer",
    "strict-transport-security": /^max-age=\d{7,}/,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
  };

  test("forbids browsers everything but reading it: 200, 204, 400, 401, 404, 405, a stream, what is no HTTP", async () => {
    const answers = [
      await fetch(`${open.url}/livez`),
      await fetch(`${open.url}/v1/tenants/acme/events`, call(acme.key)),
      await preflight(open, "/livez", app),
      await fetch(`${open.url}/v1/tenants/acme/events?x=1`, call(acme.key)),
      await fetch(`${open.url}/v1/tenants/acme/events`),
      await fetch(`${open.url}/nowhere`),
      await fetch(`${open.url}/livez`, { method: "DELETE" }),
      await fetch(`${open.url}/v1/tenants/acme/subscribe`, call(acme.key)),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 204, 400, 401, 404, 405, 200]);
    for (const { headers, body } of answers) {
      for (const [name, value] of Object.entries(wanted))
        expect([name, headers.get(name)]).toEqual([name, expect.stringMatching(value)]);
      await body?.cancel();
    }
    const raw = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connect(Number(new URL(open.url).port), "127.0.0.1", () => socket.end("NO HTTP\r\n\r\n"));
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    for (const name of Object.keys(wanted)) expect(raw.toLowerCase()).toContain(`\r\n${name}: `);
  });
});

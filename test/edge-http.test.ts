/** HTTP at its edges: what two readers of one request could read differently, and what else is on the connection. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;
const open: Socket[] = [];

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
});
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await edge.close();
});

interface Wire {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<unknown>;
}

function wire(text: string): Wire {
  const socket = connect(Number(new URL(edge.url).port), "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("utf8");
  });
  socket.on("error", () => undefined);
  open.push(socket);
  socket.write(text);
  return { socket, text: () => received, closed: new Promise((resolve) => socket.once("close", resolve)) };
}

const get = (path: string, ...headers: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, "Host: edge", ...headers, "", ""].join("\r\n");
const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);

describe("headers that come twice", () => {
  test("authenticate nobody, whichever of them is right", async () => {
    const right = `Authorization: Bearer ${acme.key}`;
    const orders = [
      [right, right],
      [right, "Authorization: Bearer other"],
      ["Authorization: Bearer other", right],
    ];
    const statuses = await Promise.all(
      orders.map(async (headers) => {
        const { text, closed } = wire(get("/v1/tenants/acme/events", ...headers, "Connection: close"));
        await closed;
        return statusOf(text());
      }),
    );
    expect(statuses).toEqual([401, 401, 401]);
  });

  test.each([
    ["Idempotency-Key", ["a", "b"], 400],
    ["If-Match", ['"1"', '"2"'], 400],
    ["Content-Type", ["application/json", "text/plain"], 415],
  ])("%s is refused", async (name, values, status) => {
    const body = '{"type":"note.create"}';
    const own = name === "Content-Type" ? [] : ["Content-Type: application/json"];
    const head = ["POST /v1/tenants/acme/intents HTTP/1.1", "Host: edge", `Authorization: Bearer ${acme.key}`, ...own];
    const { text, closed } = wire(
      [
        ...head,
        ...values.map((value) => `${name}: ${value}`),
        `Content-Length: ${body.length}`,
        "Connection: close",
        "",
        body,
      ].join("\r\n"),
    );
    await closed;
    expect(statusOf(text())).toBe(status);
  });
});

describe("what cannot be read as HTTP", () => {
  test("is a problem when nothing else is served on the connection", async () => {
    const { text, closed } = wire("garbage\r\n\r\n");
    await closed;
    expect([statusOf(text()), text().includes("request_invalid")]).toEqual([400, true]);
  });

  test("ends a subscription without writing into its stream", async () => {
    const { socket, text, closed } = wire(
      get("/v1/tenants/acme/subscribe?after=0", `Authorization: Bearer ${acme.key}`),
    );
    await eventually(() => (text().includes("event: bookmark") ? true : undefined), "the stream's beginning");
    socket.write("garbage\r\n\r\n");
    await closed;
    expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test("is not taken for the answer to the request before it", async () => {
    const waiting = get("/v1/tenants/acme/resources/note/n?minPosition=1000", `Authorization: Bearer ${acme.key}`);
    const { socket, text, closed } = wire(waiting);
    setTimeout(() => socket.write("garbage\r\n\r\n"), 200);
    await closed;
    expect(text()).toBe("");
  });
});

describe("methods", () => {
  test("HEAD is taken where anybody may ask, and every other method is 405 with what is taken", async () => {
    const statuses = await Promise.all(
      ["/livez", "/readyz", "/metrics"].map(async (path) => (await fetch(edge.url + path, { method: "HEAD" })).status),
    );
    expect(statuses).toEqual([200, 200, 200]);
    for (const method of ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]) {
      const response = await fetch(`${edge.url}/v1/tenants/acme/intents`, { method });
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "POST"]);
      if (method !== "HEAD") expect(await response.json()).toMatchObject({ code: "method_not_allowed" });
    }
  });
});

describe("parameters that an address does not take", () => {
  test.each([
    ["POST", "/v1/tenants/acme/intents?atomic=true", { type: "note.create" }],
    ["POST", "/v1/admin/tenants?dryRun=true", { slug: "other" }],
    ["POST", "/v1/admin/tenants/acme/keys?expiresAt=2030-01-01", { name: "x", grants: ["reader"] }],
    ["GET", "/v1/admin/tenants/acme/keys/01900000-0000-7000-8000-000000000000?x=1", undefined],
    ["DELETE", "/v1/admin/tenants/acme/keys/01900000-0000-7000-8000-000000000000?x=1", undefined],
  ])("are refused by %s %s too", async (method, path, body) => {
    const key = path.includes("/admin/") ? edge.adminKey : acme.key;
    const response = await fetch(edge.url + path, call(key, { method, body }));
    expect([response.status, (await answerOf(response)).code]).toEqual([400, "request_invalid"]);
  });
});

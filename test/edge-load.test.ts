/** An edge with more work than it can do says so, and still tells how it is. */
import { afterEach, expect, test } from "vitest";
import { createHttpServer, type HttpServerOptions } from "../src/edge/http-server.js";
import { systemClock, systemIds } from "../src/kernel/index.js";
import { eventually } from "./support/edge-fixture.js";

type Server = Awaited<ReturnType<typeof createHttpServer>>;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serverWith(bounds: Pick<HttpServerOptions, "heapBytesMax">): Promise<Server> {
  const server = await createHttpServer({ ids: systemIds, clock: systemClock, onFailure: () => undefined, ...bounds });
  server.get("/work", () => "done");
  server.get("/health", { config: { alwaysServed: true } }, () => "alive");
  servers.push(server);
  return server;
}

test("past the bound of the heap requests are refused as busy, health is served", async () => {
  const server = await serverWith({ heapBytesMax: 1 });
  const refused = await eventually(async () => {
    const answer = await server.inject("/work");
    return answer.statusCode === 200 ? undefined : answer;
  }, "a refusal");
  expect(refused.statusCode).toBe(503);
  expect(refused.json()).toMatchObject({ code: "busy", retryable: true });
  expect(refused.headers["retry-after"]).toBe("1");
  expect((await server.inject("/health")).body).toBe("alive");
});

test("within the bounds everything is served", async () => {
  const server = await serverWith({});
  await systemClock.sleep(1_500); // longer than the first measurement takes
  expect((await server.inject("/work")).body).toBe("done");
});

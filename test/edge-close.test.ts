/** The end of an edge does not wait for clients that want nothing. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startEdge } from "./support/edge-fixture.js";

test("an edge ends at once although connections are open on which no request ever came", async () => {
  const edge = await startEdge();
  const { hostname, port } = new URL(edge.url);
  const silent = connect(Number(port), hostname);
  const halfAsked = connect(Number(port), hostname, () => halfAsked.write("GET /livez HTTP/1.1\r\nHo"));
  for (const socket of [silent, halfAsked]) socket.on("error", () => undefined);
  await Promise.all([once(silent, "connect"), once(halfAsked, "connect")]);
  const ended = Promise.all(
    [silent, halfAsked].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  const startMs = performance.now();
  await edge.close();
  await ended;
  expect(performance.now() - startMs).toBeLessThan(2_000);
});

/** P13 at the edge: a tenant that asks for too much keeps neither its neighbours nor the edge's own knowledge waiting. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, type TenantId } from "../src/kernel/index.js";
import { createMemoryStore, type LogReader } from "../src/store/index.js";
import { answerOf, call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

const connectionsMax = 8;
const readMs = 20;

let edge: EdgeFixture;
let greedy: FixtureTenant;
let modest: FixtureTenant;
const open: Socket[] = [];

beforeAll(async () => {
  const store = createMemoryStore({ clock: systemClock });
  edge = await startEdge({ store: { edge: store.edge, reader: behindConnections(store.reader) } });
  [greedy, modest] = [await edge.tenant("greedy"), await edge.tenant("modest")];
}, 30_000);
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await edge.close();
});

/** A reader as a database is one: few connections, and a line before them. */
function behindConnections(reader: LogReader): LogReader {
  const line: (() => void)[] = [];
  let taken = 0;
  const through = async <Result>(_tenantId: TenantId, read: () => Promise<Result>): Promise<Result> => {
    if (taken >= connectionsMax) await new Promise<void>((resolve) => line.push(resolve));
    taken++;
    await systemClock.sleep(readMs);
    taken--;
    line.shift()?.();
    return read();
  };
  return {
    read: (tenantId, query) => through(tenantId, () => reader.read(tenantId, query)),
    readByIds: (tenantId, ids) => through(tenantId, () => reader.readByIds(tenantId, ids)),
    readStream: (tenantId, ...rest) => through(tenantId, () => reader.readStream(tenantId, ...rest)),
    head: (tenantId) => through(tenantId, () => reader.head(tenantId)),
  };
}

test("P13: a tenant that reads without end does not make the edge stale for others", async () => {
  const reads = Array.from({ length: 600 }, () => fetch(`${edge.url}/v1/tenants/greedy/events`, call(greedy.key)));
  const answers: number[] = [];
  for (let n = 0; n < 10; n++) {
    await systemClock.sleep(200);
    answers.push((await fetch(`${edge.url}/v1/tenants/modest/events`, call(modest.key))).status);
  }
  expect(answers).toEqual(Array(10).fill(200));
  const statuses = await Promise.all(reads.map(async (read) => (await read).status));
  expect(new Set(statuses)).toEqual(new Set([200]));
}, 30_000);

test("P13: answers that a tenant's clients do not take are bounded, and given out again once they are gone", async () => {
  const body = {
    intents: Array.from({ length: 12 }, () => ({ type: "note.create", spec: { text: "x".repeat(250_000) } })),
  };
  for (let n = 0; n < 3; n++) await fetch(`${edge.url}/v1/tenants/greedy/intents`, call(greedy.key, { body }));
  const ask = (): Promise<Response> => fetch(`${edge.url}/v1/tenants/greedy/events?limit=1`, call(greedy.key));
  const { port } = new URL(edge.url);
  const request = `GET /v1/tenants/greedy/events HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${greedy.key}\r\n\r\n`;
  for (let n = 0; n < 12; n++) {
    const socket = connect(Number(port), "127.0.0.1");
    open.push(socket.on("error", () => undefined));
    socket.write(request);
  }
  const refused = await eventually(async () => {
    const response = await ask();
    return response.status === 503 ? await answerOf(response) : undefined;
  }, "a refusal");
  expect(refused.code).toBe("busy");
  expect((await fetch(`${edge.url}/v1/tenants/modest/events`, call(modest.key))).status).toBe(200);
  for (const socket of open) socket.destroy();
  await eventually(async () => ((await ask()).status === 200 ? true : undefined), "room again");
}, 30_000);

test("P13: bodies that a tenant's clients do not finish are bounded, and taken again once they are gone", async () => {
  const slow = Array.from({ length: 17 }, () => {
    const socket = connect(Number(new URL(edge.url).port), "127.0.0.1").on("error", () => undefined);
    socket.write(
      `POST /v1/tenants/greedy/intents HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${greedy.key}\r\n` +
        "Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{",
    );
    return socket;
  });
  const publish = ({ slug, key }: FixtureTenant): Promise<Response> => {
    const body = { type: "note.create", spec: { text: "x".repeat(20_000) } };
    return fetch(`${edge.url}/v1/tenants/${slug}/intents`, call(key, { body }));
  };
  const refused = await eventually(async () => {
    const response = await publish(greedy);
    return response.status === 503 ? await answerOf(response) : undefined;
  }, "a refusal");
  expect(refused.code).toBe("busy");
  expect((await publish(modest)).status).toBe(201);
  for (const socket of slow) socket.destroy();
  await eventually(async () => ((await publish(greedy)).status === 201 ? true : undefined), "room again");
}, 30_000);

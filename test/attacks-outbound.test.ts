/** Attack 19: calls to addresses that a tenant chose. The servers on the loopback address count what connects to them. */
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../src/kernel/index.js";
import { AddressGuard, OutboundHttp, type OutboundOutcome, type Resolve } from "../src/outbound/index.js";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

interface Counting {
  readonly port: number;
  readonly connections: () => number;
}

async function listen(server: Server, host: string): Promise<Counting> {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  opened.push({
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

const receiver = (answer: RequestListener, host = "127.0.0.1"): Promise<Counting> =>
  listen(createHttpServer(answer), host);
const ok: RequestListener = (_request, response) => response.writeHead(204).end();

function outbound(
  options: { readonly allow?: readonly string[]; readonly resolve?: Resolve; readonly totalMs?: number } = {},
): { readonly post: (url: string) => Promise<OutboundOutcome> } {
  const { allow = [], ...others } = options;
  const http = new OutboundHttp({ guard: new AddressGuard(allow), clock: systemClock, ...others });
  opened.push(http);
  return { post: (url) => http.post({ url, headers: {}, body: Buffer.from("{}") }) };
}

const named =
  (...answers: readonly (readonly string[])[]): Resolve =>
  async () =>
    answers[Math.min(asked++, answers.length - 1)] ?? [];
let asked = 0;

describe("attack 19: no connection is made", () => {
  /** Every one of these is the loopback address, in a spelling that somebody once believed to be something else. */
  const spellings = [
    "127.0.0.1",
    "127.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "localhost",
    "LOCALHOST",
    "a.localhost",
    "①②⑦.⓪.⓪.①",
  ];
  test("to the loopback address, however it is spelt", async () => {
    const server = await receiver(ok);
    const { post } = outbound();
    for (const host of spellings)
      for (const scheme of ["http", "https"])
        expect(await post(`${scheme}://${host}:${server.port}/`), host).toMatchObject({ result: "refused" });
    expect(server.connections()).toBe(0);
  });

  test("the counter counts: with the network allowed the same spellings connect", async () => {
    const server = await receiver(ok);
    const { post } = outbound({ allow: ["127.0.0.0/8"] });
    for (const host of ["127.0.0.1", "127.1", "0x7f000001", "localhost"])
      expect(await post(`http://${host}:${server.port}/`), host).toEqual({ result: "answered", status: 204 });
    expect(server.connections()).toBeGreaterThan(0);
  });

  test("to a name that stands for an address inside", async () => {
    const server = await receiver(ok);
    for (const address of [
      "127.0.0.1",
      "10.0.0.1",
      "169.254.169.254",
      "::1",
      "::ffff:127.0.0.1",
      "64:ff9b::7f00:1",
      "0.0.0.0",
    ]) {
      const { post } = outbound({ resolve: async () => [address] });
      expect(await post("https://hooks.example.com/"), address).toEqual({
        result: "refused",
        reason: "address_refused",
      });
    }
    expect(server.connections()).toBe(0);
  });

  test("to a name of which one address is inside", async () => {
    const server = await receiver(ok);
    const { post } = outbound({ allow: ["127.0.0.1"], resolve: async () => ["127.0.0.1", "127.0.0.2"] });
    expect(await post(`http://hooks.example.com:${server.port}/`)).toEqual({
      result: "refused",
      reason: "address_refused",
    });
    expect(server.connections()).toBe(0);
  });

  test("to a name that is bound to another address after it was looked at: it is looked up once, for the connection", async () => {
    const [good, bad] = [await receiver(ok), await receiver(ok, "127.0.0.2")];
    asked = 0;
    const rebinding = outbound({ allow: ["127.0.0.1"], resolve: named(["127.0.0.1"], ["127.0.0.2"]) });
    expect(await rebinding.post(`http://hooks.example.com:${good.port}/`)).toMatchObject({ result: "answered" });
    expect([asked, good.connections()]).toEqual([1, 1]);
    expect(await rebinding.post(`http://hooks.example.com:${bad.port}/`)).toMatchObject({ result: "refused" });
    expect([asked, bad.connections()]).toEqual([2, 0]);
  });

  test("without https outside of the allowed networks, whatever the name says", async () => {
    const server = await receiver(ok);
    const { post } = outbound({ resolve: async () => ["93.184.215.14"] });
    expect(await post(`http://hooks.example.com:${server.port}/`)).toMatchObject({ result: "refused" });
    expect(await post("https://hooks.example.com:25/")).toMatchObject({ result: "refused" });
  });

  test("to where a redirect points", async () => {
    const inside = await receiver(ok, "127.0.0.2");
    const { port } = await receiver((_request, response) =>
      response.writeHead(307, { location: `http://127.0.0.2:${inside.port}/` }).end(),
    );
    const { post } = outbound({ allow: ["127.0.0.0/8"] });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ result: "answered", status: 307 });
    expect(inside.connections()).toBe(0);
  });
});

describe("attack 19: a receiver that does not end holds nothing for longer than its bound", () => {
  const totalMs = 300;
  const endless: Readonly<Record<string, (socket: Socket) => void>> = {
    "takes the connection and is silent": () => undefined,
    "drips its status line": (socket) => {
      void drip(socket, "HTTP/1.1 200 OK\r\n".repeat(100));
    },
    "drips headers": (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      void drip(socket, "a: b\r\n".repeat(1_000));
    },
    "says 'continue' without end": (socket) => {
      void drip(socket, "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000), 24);
    },
  };
  for (const [name, serve] of Object.entries(endless))
    test(`that ${name}`, async () => {
      const { port } = await listen(createServer(serve), "127.0.0.1");
      const startMs = systemClock.monotonicMs();
      const { post } = outbound({ allow: ["127.0.0.1"], totalMs });
      expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ result: "unanswered", reason: "timeout" });
      expect(systemClock.monotonicMs() - startMs).toBeLessThan(totalMs + 2_000);
    });

  test("that answers without end is closed when enough was read; its status counts", async () => {
    let sent = 0;
    const { port } = await receiver((_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536;
      };
      response.on("drain", more);
      more();
    });
    const { post } = outbound({ allow: ["127.0.0.1"] });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ result: "answered", status: 200 });
    expect(sent).toBeLessThan(64 * 1_048_576);
  });

  test("that drips its body is closed after a second; its status counts", async () => {
    const { port } = await listen(
      createServer((socket) => {
        socket.write("HTTP/1.1 202 Accepted\r\n\r\n");
        void drip(socket, "x".repeat(10_000));
      }),
      "127.0.0.1",
    );
    const { post } = outbound({ allow: ["127.0.0.1"] });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ result: "answered", status: 202 });
  });

  test("whose headers are too many is no answer", async () => {
    const { port } = await listen(
      createServer((socket) => void socket.write(`HTTP/1.1 200 OK\r\na: ${"b".repeat(70_000)}\r\n\r\n`)),
      "127.0.0.1",
    );
    const { post } = outbound({ allow: ["127.0.0.1"] });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ result: "unanswered", reason: "answer_invalid" });
  });

  test("whose name is never resolved", async () => {
    const never: Resolve = () => new Promise(() => undefined);
    const { post } = outbound({ resolve: never, totalMs });
    expect(await post("https://hooks.example.com/")).toEqual({ result: "unanswered", reason: "timeout" });
  });

  test("that is not there, or speaks no TLS", async () => {
    const { port } = await receiver(ok);
    const { post } = outbound({ allow: ["127.0.0.1"] });
    expect(await post(`https://127.0.0.1:${port}/`)).toEqual({ result: "unanswered", reason: "tls_failed" });
    expect(await post("http://127.0.0.1:1/")).toEqual({ result: "unanswered", reason: "connection_failed" });
  });
});

/** One piece at a time, for as long as somebody listens. */
async function drip(socket: Socket, text: string, size = 1): Promise<void> {
  for (let at = 0; at < text.length && !socket.destroyed; at += size) {
    socket.write(text.slice(at, at + size));
    await systemClock.sleep(20);
  }
}

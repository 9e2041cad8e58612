/** HTTP requests byte by byte, from another thread, so that what they cost is not measured with the server. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** One request as it goes over the wire, base64; a connection of its own. */
export interface RawRequest {
  readonly name: string;
  /** Head without the final empty line; Host and Connection are added. */
  readonly head: string;
  readonly body?: Uint8Array;
}

/** What came back. */
export interface RawAnswer {
  readonly name: string;
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

const script = `
const net = require("node:net");
const { parentPort, workerData } = require("node:worker_threads");
async function send({ port, name, bytes }) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const chunks = [];
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(chunks).toString("utf8");
      const split = text.indexOf("\\r\\n\\r\\n");
      const status = Number(/^HTTP\\/1\\.1 (\\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ name, status, head: text.slice(0, split), body: text.slice(split + 4) });
    };
    const timer = setTimeout(done, 15000);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", done);
    socket.on("close", done);
    socket.write(Buffer.from(bytes));
  });
}
parentPort.on("message", (request) => send({ port: workerData.port, ...request }).then((answer) => parentPort.postMessage(answer)));
`;

/** A thread that sends requests, one at a time. */
export interface RawClient {
  readonly send: (request: RawRequest) => Promise<RawAnswer>;
  readonly close: () => Promise<void>;
}

/** Starts the thread. */
export function openRawClient(url: string): RawClient {
  const worker = new Worker(script, { eval: true, workerData: { port: Number(new URL(url).port) } });
  return {
    send: async ({ name, head, body = new Uint8Array() }) => {
      const bytes = Buffer.concat([
        Buffer.from(`${head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`, "latin1"),
        body,
      ]);
      worker.postMessage({ name, bytes });
      const [answer] = (await once(worker, "message")) as [RawAnswer]; // what the script posts
      return answer;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}

/** Sends the requests one after another. */
export async function sendRaw(url: string, requests: readonly RawRequest[]): Promise<readonly RawAnswer[]> {
  const client = openRawClient(url);
  const answers: RawAnswer[] = [];
  for (const request of requests) answers.push(await client.send(request));
  await client.close();
  return answers;
}

/** The head of a publish of `body`. */
export function publishHead(tenant: string, key: string, body: Uint8Array, more: readonly string[] = []): string {
  return [
    `POST /v1/tenants/${tenant}/intents HTTP/1.1`,
    `Authorization: Bearer ${key}`,
    "Content-Type: application/json",
    `Content-Length: ${body.byteLength}`,
    ...more,
  ].join("\r\n");
}

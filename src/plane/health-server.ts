/** Health and metrics of a process without an edge, at the addresses where an edge has them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { EventplaneError } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import type { Loops } from "./loops.js";

/** What it tells of. */
export interface HealthParts {
  readonly loops: Pick<Loops, "stopped">;
  readonly degraded: readonly (() => readonly string[])[];
  readonly metrics: Pick<Metrics, "contentType" | "text">;
}

/** One that listens. */
export interface HealthServer {
  readonly url: string;
  /** Ends its connections. Idempotent. */
  close(): Promise<void>;
}

const headersBytesMax = 4_096;
const timeoutMs = 5_000;
const connectionsMax = 64;

/**
 * Listens.
 *
 * @throws EventplaneError `port_in_use`
 */
export async function openHealthServer(
  { host, port }: { readonly host: string; readonly port: number },
  parts: HealthParts,
): Promise<HealthServer> {
  const server = createServer({ maxHeaderSize: headersBytesMax, requestTimeout: timeoutMs }, (request, response) => {
    answer(parts, request, response).catch(() => response.destroy());
  });
  server.maxConnections = connectionsMax;
  await listening(server, host, port);
  const { port: got } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${got}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(parts: HealthParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader("cache-control", "no-store").setHeader("x-content-type-options", "nosniff");
  const path = request.method === "GET" ? request.url : undefined;
  if (path === "/metrics") {
    response.setHeader("content-type", parts.metrics.contentType).end(await parts.metrics.text());
    return;
  }
  const { status, body } = healthAt(path, parts);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function healthAt(path: string | undefined, parts: HealthParts): { readonly status: number; readonly body: object } {
  if (path === "/livez") return { status: 200, body: { status: "ok" } };
  if (path !== "/readyz") return { status: 404, body: { status: "this process answers /livez, /readyz and /metrics" } };
  const reasons = parts.loops.stopped;
  const isReady = reasons.length === 0;
  const degraded = parts.degraded.flatMap((tell) => tell());
  return { status: isReady ? 200 : 503, body: { status: isReady ? "ok" : "not ready", reasons, degraded } };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: Error & { readonly code?: string }) => {
      if (cause.code !== "EADDRINUSE") return reject(cause);
      const message = `Port ${port} of ${host} is in use. Choose another one with --port, or stop what listens there.`;
      reject(new EventplaneError("port_in_use", message, { details: { host, port }, cause }));
    });
    server.listen(port, host, resolve);
  });
}

/**
 * The HTTP server without any route: raw bodies, hostile input, back-pressure, and every failure as problem+json.
 *
 * Bodies reach the handlers as bytes; nothing but our own scanner parses them. Content types other than JSON and its CloudEvents, and
 * content encodings that the route does not take are refused before a byte of the body is read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import {
  type Clock,
  type ErrorCode,
  EventplaneError,
  type IdSource,
  isEventplaneError,
  limits,
} from "../kernel/index.js";
import { inflateBody } from "./compression.js";
import { allowOrigins } from "./cross-origin.js";
import { type LoadBounds, watchLoad } from "./load.js";
import { isNetwork } from "./networks.js";
import { asEventplaneError, type Problem, problemHeaders, problemOf } from "./problem.js";
import { cloudEventTypes } from "./publish/cloudevents.js";
import { securityHeaders } from "./security-headers.js";
import { endUnused } from "./unused-connections.js";

/** Hears of every refusal and failure before it is answered. */
export type FailureListener = (request: FastifyRequest, error: EventplaneError, problem: Problem) => void;

/** What the server needs. */
export interface HttpServerOptions extends LoadBounds {
  readonly ids: IdSource;
  readonly clock: Clock;
  /** Addresses and ranges of proxies whose X-Forwarded-For is believed; by default nobody's. */
  readonly trustedProxies?: readonly string[];
  /** Other origins whose pages may call; by default none. */
  readonly allowedOrigins?: readonly string[];
  readonly onFailure: FailureListener;
}

const paramCharactersMax = 512;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 65_000;
/** An answer of which nothing is taken for so long is given up. */
const inactiveMsMax = 60_000;
const closeTimeoutMs = 5_000;
const discardedBytesMax = 8_388_608;
const discardMsMax = 1_000;
const allMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/**
 * Makes the server; register routes with {@link Routes}.
 *
 * @throws EventplaneError `config_invalid` for a proxy that is no address and no range, and for an origin that is none
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const headers = await securityHeaders();
  const server = Fastify({
    logger: false,
    trustProxy: trustedBy(options.trustedProxies ?? []),
    bodyLimit: limits.bodyBytesMax,
    genReqId: () => options.ids.uuid4(),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    return503OnClosing: true,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: inactiveMsMax,
    keepAliveTimeout: keepAliveTimeoutMs,
    routerOptions: { maxParamLength: paramCharactersMax },
    // Joined, a second Authorization makes both unusable; else the first would count here and perhaps the last before us.
    http: { headersTimeout: headersTimeoutMs, joinDuplicateHeaders: true },
    frameworkErrors: (error, request, reply) => {
      answerFailure(options, request, { reply, error });
    },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, headers),
  });
  const endConnections = endUnused(server.server);
  server.addHook("preClose", async () => endConnections());
  server.removeAllContentTypeParsers();
  const jsonTypes = ["application/json", ...Object.values(cloudEventTypes)];
  server.addContentTypeParser(jsonTypes, { parseAs: "buffer" }, (request, body, done) => {
    if (request.headers["content-encoding"] !== "gzip") done(null, body);
    else inflateBody(body as Buffer).then((inflated) => done(null, inflated), done); // parseAs says so
  });
  const isOverloaded = await watchLoad(server, options);
  server.addHook("onRequest", (request, reply, done) => {
    reply.headers(headers).header("x-request-id", request.id);
    done(refusalOfEncoding(request) ?? (isOverloaded() ? refusalOfLoad(request) : undefined));
  });
  await allowOrigins(server, options.allowedOrigins ?? []);
  server.setErrorHandler(async (error, request, reply) => {
    await discardBody(request.raw, options.clock);
    answerFailure(options, request, { reply, error });
    return reply;
  });
  server.setNotFoundHandler(async (request, reply) => {
    await discardBody(request.raw, options.clock);
    const error = new EventplaneError(
      "not_found",
      "There is nothing at this address. docs/reference/http.md lists the routes.",
    );
    answerFailure(options, request, { reply, error });
    return reply;
  });
  return server;
}

/** Without proxies the address of a request is its socket's, whatever it says of itself. */
function trustedBy(proxies: readonly string[]): string[] | false {
  const wrong = proxies.find((proxy) => !isNetwork(proxy));
  if (wrong === undefined) return proxies.length > 0 && [...proxies];
  const message = `The trusted proxy "${wrong}" is neither an address nor a range such as 192.0.2.0/24.`;
  throw new EventplaneError("config_invalid", message, { details: { name: "edge.trusted-proxies" } });
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Served under back-pressure too: health and metrics. */
    alwaysServed?: boolean;
    /** Takes bodies that are gzip. */
    takesGzip?: boolean;
    /** Refuses what its address does not take. */
    refusesMethod?: true;
  }
}

/** Answers every other method of these addresses with 405 and Allow. Call it after all routes are registered. */
export function refuseOtherMethods(server: FastifyInstance, routes: ReadonlyMap<string, readonly string[]>): void {
  for (const [url, methods] of routes) {
    const others = allMethods.filter((method) => !methods.includes(method));
    const allow = methods.join(", ");
    server.route({
      method: [...others],
      url,
      config: { refusesMethod: true },
      onRequest: async (_request, reply) => {
        reply.header("allow", allow);
        throw new EventplaneError("method_not_allowed", `This address takes ${allow}.`);
      },
      handler: () => undefined,
    });
  }
}

/** Ends idle connections at once and the others when their request is answered, at the latest after 5 s. */
export async function closeHttpServer(server: FastifyInstance, clock: Clock): Promise<void> {
  const closed = new AbortController();
  const late = clock.sleep(closeTimeoutMs, closed.signal).then(
    () => server.server.closeAllConnections(),
    () => undefined,
  );
  await server.close();
  closed.abort();
  await late;
}

/**
 * Reads away what the client still sends of a refused body, at most 8 MiB and a second of it: a connection closed on unread
 * bytes is reset, and the client would lose the answer that says why.
 */
async function discardBody(message: IncomingMessage, clock: Clock): Promise<void> {
  const { headers } = message;
  const hasBody = Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;
  if (!hasBody || message.complete || message.destroyed) return;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  let bytes = 0;
  const count = (chunk: Uint8Array): void => {
    bytes += chunk.byteLength;
    if (bytes > discardedBytesMax) end();
  };
  message.on("data", count).once("end", end).once("close", end).once("error", end);
  message.resume();
  await clock.sleep(discardMsMax, ended.signal).catch(() => undefined);
  message.off("data", count).off("end", end).off("close", end).off("error", end);
}

function answerFailure(
  options: HttpServerOptions,
  request: FastifyRequest,
  answer: { readonly reply: FastifyReply; readonly error: unknown },
): void {
  const error = translate(answer.error, request.routeOptions.bodyLimit);
  const problem = problemOf(error, {
    requestId: request.id,
    preconditioned: request.headers["if-match"] !== undefined,
  });
  options.onFailure(request, error, problem);
  const { reply } = answer;
  reply.code(problem.status).headers(problemHeaders(problem)).header("x-request-id", request.id);
  reply.send(JSON.stringify(problem));
}

const fastifyCodes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported_media_type", "Send the body as application/json."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["request_invalid", "The body's length is not its Content-Length."],
  FST_ERR_BAD_URL: ["request_invalid", "The address is not a valid URL. Percent-encode it as UTF-8."],
};

function translate(error: unknown, bodyBytesMax: number): EventplaneError {
  if (isEventplaneError(error)) return error;
  const foreign = error as Partial<FastifyError>; // only read, every member may be missing
  if (foreign.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    const message = `The body is larger than ${bodyBytesMax} bytes. Send it in several requests.`;
    return new EventplaneError("payload_too_large", message);
  }
  const known = fastifyCodes[foreign.code ?? ""];
  if (known !== undefined) return new EventplaneError(known[0], known[1]);
  if (foreign.code === "FST_ERR_CTP_EMPTY_JSON_BODY")
    return new EventplaneError("json_invalid", "The body is empty. Send JSON.");
  if (typeof foreign.statusCode === "number" && foreign.statusCode >= 400 && foreign.statusCode < 500) {
    return new EventplaneError("request_invalid", "The request is not valid HTTP for this address.");
  }
  return asEventplaneError(error);
}

function refusalOfLoad(request: FastifyRequest): EventplaneError | undefined {
  if (request.routeOptions.config.alwaysServed === true) return undefined;
  return new EventplaneError("busy", "This edge has more work than it can do now. Try again shortly.");
}

function refusalOfEncoding(request: FastifyRequest): EventplaneError | undefined {
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return undefined;
  const takesGzip = request.routeOptions.config.takesGzip === true;
  if (takesGzip && encoding === "gzip") return undefined;
  return new EventplaneError(
    "unsupported_media_type",
    takesGzip
      ? "Send the body as gzip, or without Content-Encoding."
      : "This address takes no compressed bodies. Send the body without Content-Encoding.",
  );
}

/**
 * What cannot be read as HTTP gets a problem without an id, and the connection ends. While an earlier request is served, it
 * ends without one: the client would take the problem for the answer to that request, or for a part of its stream.
 */
function answerUnreadable(
  error: Error & { code?: string },
  socket: Socket & { _httpMessage?: ServerResponse | null },
  headers: Readonly<Record<string, string>>,
): void {
  // Node's own handler looks at this member too; there is no public one.
  const serving = socket._httpMessage ?? undefined;
  const isMeant = serving === undefined || (!serving.headersSent && !serving.req.complete);
  if (!isMeant || !socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const tooLong = error.code === "HPE_HEADER_OVERFLOW";
  const tooSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const status = tooLong ? "431 Request Header Fields Too Large" : tooSlow ? "408 Request Timeout" : "400 Bad Request";
  const detail = tooLong
    ? "The address or the headers are too long."
    : tooSlow
      ? "The request took too long."
      : "The request is not valid HTTP.";
  const body = JSON.stringify({
    type: "urn:eventplane:error:request_invalid",
    title: "Request invalid",
    status: Number(status.slice(0, 3)),
    code: "request_invalid",
    detail,
    retryable: false,
  });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
  const others = Object.entries({ ...headers, Connection: "close" }).map(([name, value]) => `${name}: ${value}`);
  socket.end(`${head}\r\n${others.join("\r\n")}\r\n\r\n${body}`);
}

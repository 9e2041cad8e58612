/**
 * The edge: the only part that knows identities. HTTP and SSE in front, the log behind, its own fold of the platform.
 */
import { setMaxListeners } from "node:events";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type ErrorCode, EventplaneError } from "../kernel/index.js";
import type { WebhookDirectory } from "../webhook/index.js";
import { assemble } from "./assemble.js";
import { keepCedar } from "./authz/cedar.js";
import type { EdgeDependencies } from "./dependencies.js";
import { failureFields } from "./failure-fields.js";
import { closeHttpServer, createHttpServer, refuseOtherMethods } from "./http-server.js";
import type { PlatformAdministration } from "./platform/administration.js";
import type { PlatformFold } from "./platform/fold.js";
import type { Problem } from "./problem.js";
import type { PublishPipeline } from "./publish/pipeline.js";
import { addAdminRoutes } from "./routes/admin.js";
import { addAdminProjectionRoutes } from "./routes/admin-projections.js";
import { type EdgeParts, Routes } from "./routes/context.js";
import { addControllerRoutes } from "./routes/controllers.js";
import { addDeadLetterRoutes } from "./routes/dead-letters.js";
import { addEffectRoutes } from "./routes/effects.js";
import { addEventRoutes } from "./routes/events.js";
import { addIntentRoutes } from "./routes/intents.js";
import { addKeyRoutes } from "./routes/keys.js";
import { addOpenRoutes } from "./routes/open.js";
import { addPolicyRoutes } from "./routes/policies.js";
import { addProjectionRoutes } from "./routes/projections.js";
import { addQuotaRoutes } from "./routes/quotas.js";
import { addReferenceRoutes } from "./routes/reference.js";
import { addReplayRoutes } from "./routes/replays.js";
import { addResourceRoutes } from "./routes/resources.js";
import { addSchemaRoutes } from "./routes/schemas.js";
import { addSourceRoutes } from "./routes/sources.js";
import { addStatusRoutes } from "./routes/status.js";
import { addStreamTokenRoutes } from "./routes/stream-tokens.js";
import { addSubjectRoutes } from "./routes/subjects.js";
import { addSubscribeRoutes } from "./routes/subscribe.js";
import { addWebhookRoutes } from "./routes/webhooks.js";

/** A running edge. */
export interface Edge {
  /**
   * Takes requests.
   *
   * @returns the address, as `http://127.0.0.1:8787`
   * @throws EventplaneError `port_in_use`
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** The address that it listens on; undefined before {@link listen}. */
  readonly url: string | undefined;
  /** Every method and address that it serves, as `GET /livez`. */
  readonly routes: readonly string[];
  /** The way that HTTP requests take, for embedded callers. */
  readonly pipeline: PublishPipeline;
  /** Tenants and keys, for bootstrapping and embedded callers. */
  readonly administration: PlatformAdministration;
  /** What the edge knows of tenants and keys. */
  readonly platform: PlatformFold;
  /** Webhooks and what may be sent to them, for who sends. */
  readonly webhooks: WebhookDirectory;
  /** Open subscriptions and what waits for them, for tests and benches. */
  readonly subscriptions: { readonly size: number; readonly unsentBytes: number };
  /** Stops taking requests, ends subscriptions with a reason, writes the counted refusals. Idempotent, at most some 10 s. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes an edge and begins to follow the platform's log. It answers 503 until the first round has reached its end.
 *
 * Stop it with `close()` before the adapters that it was given.
 */
export async function createEdge(dependencies: EdgeDependencies): Promise<Edge> {
  const parts = assemble(dependencies);
  const server = await createHttpServer({
    ids: dependencies.ids,
    clock: dependencies.clock,
    trustedProxies: dependencies.trustedProxies ?? [],
    allowedOrigins: dependencies.allowedOrigins ?? [],
    onFailure: (request, error, problem) => noteFailure(parts, request, { error, problem }),
  });
  measure(server, parts);
  return start(server, parts, addRoutes(server, parts));
}

/** @returns what the server really answers to, as `GET /livez`: refusals of other methods are no routes */
function addRoutes(server: FastifyInstance, parts: EdgeParts): readonly string[] {
  const served: string[] = [];
  server.addHook("onRoute", ({ method, url, config }) => {
    if (config?.refusesMethod !== true) served.push(...[method].flat().map((each) => `${each} ${url}`));
  });
  const routes = new Routes(server, parts);
  for (const add of [
    addOpenRoutes,
    addIntentRoutes,
    addSourceRoutes,
    addEventRoutes,
    addResourceRoutes,
    addProjectionRoutes,
    addAdminProjectionRoutes,
    addSubscribeRoutes,
    addStreamTokenRoutes,
    addSchemaRoutes,
    addAdminRoutes,
    addKeyRoutes,
    addDeadLetterRoutes,
    addEffectRoutes,
    addReplayRoutes,
    addControllerRoutes,
    addPolicyRoutes,
    addQuotaRoutes,
    addStatusRoutes,
    addReferenceRoutes,
    addWebhookRoutes,
    addSubjectRoutes,
  ]) {
    add(routes, parts);
  }
  refuseOtherMethods(server, routes.methods);
  return served;
}

function measure(server: FastifyInstance, { metrics }: EdgeParts): void {
  server.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "none";
    metrics.httpRequest({ route, method: request.method, status: reply.statusCode }, reply.elapsedTime / 1000);
    done();
  });
}

/** Answers to load, which whoever makes it could fill the log with; metrics count them. */
const loadCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["busy", "timeout", "platform_stale"]);

/** What a credential is refused with. */
const credentialCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["unauthenticated", "rate_limited"]);

function noteFailure(
  { refusals, logger, metrics }: EdgeParts,
  request: FastifyRequest,
  { error, problem }: { readonly error: EventplaneError; readonly problem: Problem },
): void {
  if (problem.status >= 500) {
    const level = problem.status === 500 ? "error" : loadCodes.has(error.code) ? "debug" : "warn";
    const route = request.routeOptions.url ?? "none";
    logger[level](
      { requestId: request.id, route, method: request.method, code: error.code, ...failureFields(error) },
      "A request failed.",
    );
    return;
  }
  // Addresses that do not exist are not the edge's to defend; everything behind an address has an action.
  if (request.action === undefined) return;
  const { principal, action, resource, id: requestId } = request;
  if (credentialCodes.has(error.code)) metrics.credentialRefused(error.code);
  refusals.note({ principal, error, action, resource, requestId, via: "http" });
}

function start(server: FastifyInstance, parts: EdgeParts, routes: readonly string[]): Edge {
  const stopped = new AbortController();
  setMaxListeners(0, stopped.signal); // every loop of the edge waits on it
  const { signal } = stopped;
  const stopListening = parts.platform.onChange(() => parts.hub.cutRevoked());
  const { platform, hub, refusals, keyUses, streamTokens, limits } = parts;
  const loops = Promise.all([platform, hub, refusals, keyUses, streamTokens, limits].map((each) => each.run(signal)));
  let url: string | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([parts.hub.close(), closeHttpServer(server, parts.clock)]);
    stopListening();
    stopped.abort();
    await loops;
    await Promise.all([refusals.close(), streamTokens.close(), limits.close()]);
    keepCedar(parts.cedar);
  };
  return {
    listen: async (address) => {
      url = await listen(server, address);
      return url;
    },
    get url() {
      return url;
    },
    routes,
    pipeline: parts.pipeline,
    administration: parts.administration,
    platform: parts.platform,
    webhooks: parts.directory,
    subscriptions: parts.hub,
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function listen(
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "EADDRINUSE") throw cause; // only read; foreign errors may lack it
    const message = `Port ${port} of ${host} is in use. Choose another one with --port, or stop what listens there.`;
    throw new EventplaneError("port_in_use", message, { details: { host, port }, cause });
  }
}

/**
 * The edge: the only part that knows identities. HTTP and SSE in front, the log behind, its own fold of the platform.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ChainLink } from "../event/index.js";
import { EventFactory, type EventRow, verifyLink } from "../event/index.js";
import { type ErrorCode, EventplaneError, type TenantId } from "../kernel/index.js";
import { PositionWaits, ProjectionQueries } from "../projection/index.js";
import { createLogHub } from "../store/index.js";
import { Authentication } from "./authentication.js";
import { Authorizer } from "./authz/authorizer.js";
import { keepCedar, takeCedar } from "./authz/cedar.js";
import { PolicyCheck } from "./authz/policy-check.js";
import type { EdgeDependencies } from "./dependencies.js";
import { FailedAttempts } from "./failed-attempts.js";
import { failureFields } from "./failure-fields.js";
import { HeldBytes } from "./held-bytes.js";
import { closeHttpServer, createHttpServer, refuseOtherMethods } from "./http-server.js";
import { KeyUses } from "./key-uses.js";
import { PlatformAdministration } from "./platform/administration.js";
import { platformApp } from "./platform/definitions.js";
import { PlatformFold } from "./platform/fold.js";
import { isKeyUsable } from "./platform/key-book.js";
import type { Problem } from "./problem.js";
import { PublishPipeline } from "./publish/pipeline.js";
import { gatedReader, gatedResources, gatedRows, ReadGate } from "./read-gate.js";
import { RefusalLog } from "./refusals.js";
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
import { addReplayRoutes } from "./routes/replays.js";
import { addResourceRoutes } from "./routes/resources.js";
import { addSchemaRoutes } from "./routes/schemas.js";
import { addSourceRoutes } from "./routes/sources.js";
import { addSubscribeRoutes } from "./routes/subscribe.js";
import { SubscriptionHub } from "./sse/hub.js";
import { TokenVerifier } from "./tokens/token-verifier.js";

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
  /** The way that HTTP requests take, for embedded callers. */
  readonly pipeline: PublishPipeline;
  /** Tenants and keys, for bootstrapping and embedded callers. */
  readonly administration: PlatformAdministration;
  /** What the edge knows of tenants and keys. */
  readonly platform: PlatformFold;
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
    onFailure: (request, error, problem) => noteFailure(parts, request, { error, problem }),
  });
  measure(server, parts);
  addRoutes(server, parts);
  return start(server, parts);
}

function assemble(given: EdgeDependencies): EdgeParts {
  const { logger, clock, reader, doorbell, metrics } = given;
  const gate = new ReadGate();
  // What tenants ask for goes through the gate; the platform's fold and the tails of the logs must never wait behind it.
  const resources = gatedResources(given.resources, gate);
  const dependencies = { ...given, reader: gatedReader(reader, gate), resources };
  const platform = new PlatformFold({
    reader,
    doorbell,
    clock,
    verify: chainVerification(dependencies),
    report: (failure) => {
      if (failure === undefined) logger.info({}, "The platform log is followed again.");
      else
        logger.error(failureFields(failure), "The platform log cannot be followed; requests are refused until it can.");
    },
  });
  const cedar = takeCedar();
  const authorizer = new Authorizer({
    cedar,
    policies: platform.state.policies,
    report: (failure, { rulingId, policySetHash }) =>
      logger.error({ failure, rulingId, policySetHash }, "The policies could not decide; the request was denied."),
  });
  const factory = new EventFactory({ app: platformApp, ids: dependencies.ids });
  const refusals = new RefusalLog({
    ...dependencies,
    authorizer,
    factory,
    report: (failure) => logger.warn(failureFields(failure), "Refusals could not be written and stay counted."),
  });
  const hub = subscriptionHub(given, { reader: dependencies.reader, platform, authorizer });
  const pipeline = new PublishPipeline({
    ...dependencies,
    authorizer,
    refusals,
    onSecret: (rule) => metrics.secretRefused(rule),
  });
  const administration = new PlatformAdministration({ ...dependencies, platform, authorizer });
  const position = (tenantId: TenantId): Promise<number> => resources.position(tenantId);
  const positions = new PositionWaits({ clock, what: "The resources", position });
  const queries = new ProjectionQueries({ app: given.app, rows: gatedRows(given.projections.rows, gate), clock });
  return {
    ...dependencies,
    platform,
    ...authenticationParts(given, platform),
    authorizer,
    policyCheck: new PolicyCheck(cedar),
    cedar,
    refusals,
    pipeline,
    administration,
    hub,
    positions,
    queries,
    unsent: new HeldBytes("Clients of this tenant have not taken the answers that they asked for."),
    unproven: new HeldBytes("Deliveries for this tenant are coming as much as is held at once. Send them again later."),
    coming: new HeldBytes("Clients of this tenant are sending as much as is held at once. Send the rest after it."),
  };
}

/** Who asks, and which keys were used. */
function authenticationParts(
  given: EdgeDependencies,
  platform: PlatformFold,
): Pick<EdgeParts, "authentication" | "keyUses"> {
  const { clock, ids, logger } = given;
  const keyUses = new KeyUses({
    ...given,
    factory: new EventFactory({ app: platformApp, ids }),
    platform,
    report: (failure) => logger.warn(failureFields(failure), "Uses of keys could not be written and stay noted."),
  });
  const onUse = (keyId: string): void => keyUses.note(keyId);
  const failures = new FailedAttempts({
    clock,
    perMinute: given.failedAttemptsPerMinute ?? failedAttemptsPerMinuteDefault,
    onLimited: (network) =>
      logger.warn({ network }, "Too many wrong credentials: further ones from there are refused for a while."),
  });
  const tokens = tokenVerifier(given);
  return { authentication: new Authentication({ platform, clock, tokens, failures, onUse }), keyUses };
}

function tokenVerifier({ app, clock, logger }: EdgeDependencies): TokenVerifier {
  return new TokenVerifier(app.issuers ?? new Map(), {
    clock,
    report: (issuer, failure) => {
      if (failure === undefined) logger.info({ issuer }, "The keys of an issuer of tokens can be read again.");
      else logger.warn({ issuer, ...failureFields(failure) }, "The keys of an issuer of tokens cannot be read.");
    },
  });
}

/** The tail of each log is read beside the gate, what subscribers catch up on through it. */
function subscriptionHub(
  { reader, doorbell, clock, logger, metrics }: EdgeDependencies,
  { reader: gated, platform, authorizer }: Pick<EdgeParts, "reader" | "platform" | "authorizer">,
): SubscriptionHub {
  const { state } = platform;
  return new SubscriptionHub({
    reader: gated,
    log: createLogHub({ reader, doorbell, clock }),
    clock,
    mayDeliver: () => platform.isFresh,
    isUsable: ({ keyId, endsAtUs }) => {
      if (endsAtUs !== undefined) return clock.nowUs() < endsAtUs;
      const key = keyId === undefined ? undefined : state.key(keyId);
      return keyId === undefined || (key !== undefined && isKeyUsable(key, clock.nowUs()));
    },
    policies: {
      hash: ({ principal, tenantId }) => state.policies.policySet(principal, tenantId).hash,
      allow: ({ principal, tenantId, resource }) =>
        authorizer.rule(principal, "Subscribe", { tenantId, resource }).allowed,
    },
    report: (failure) =>
      logger.warn(failureFields(failure), "The end of a tenant's log could not be read for its subscribers."),
    onChange: (change) => metrics.sseConnections(change),
    onCut: (code) => metrics.subscriberCut(code),
  });
}

/** Every event of the platform must be proven and continue the chain. */
function chainVerification({ verifier }: EdgeDependencies): (row: EventRow) => void {
  let link: ChainLink | undefined;
  return (row) => {
    verifier.verify(row);
    link = verifyLink(row, link);
  };
}

function addRoutes(server: FastifyInstance, parts: EdgeParts): void {
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
    addSchemaRoutes,
    addAdminRoutes,
    addKeyRoutes,
    addDeadLetterRoutes,
    addEffectRoutes,
    addReplayRoutes,
    addControllerRoutes,
    addPolicyRoutes,
  ]) {
    add(routes, parts);
  }
  refuseOtherMethods(server, routes.methods);
}

function measure(server: FastifyInstance, { metrics }: EdgeParts): void {
  server.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "none";
    metrics.httpRequest({ route, method: request.method, status: reply.statusCode }, reply.elapsedTime / 1000);
    done();
  });
}

/** Wrong credentials that an address, and a key id, may show in a minute. */
const failedAttemptsPerMinuteDefault = 100;

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

function start(server: FastifyInstance, parts: EdgeParts): Edge {
  const stopped = new AbortController();
  const { signal } = stopped;
  const stopListening = parts.platform.onChange(() => parts.hub.cutRevoked());
  const { platform, hub, refusals, keyUses } = parts;
  const loops = Promise.all([platform, hub, refusals, keyUses].map((each) => each.run(signal)));
  let url: string | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([parts.hub.close(), closeHttpServer(server, parts.clock)]);
    stopListening();
    stopped.abort();
    await loops;
    await parts.refusals.close();
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
    pipeline: parts.pipeline,
    administration: parts.administration,
    platform: parts.platform,
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

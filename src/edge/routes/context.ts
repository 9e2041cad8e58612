/**
 * What every route of a tenant has: who asks, of which tenant, and that the policies allow it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError, limits, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { PositionWaits, ProjectionQueries } from "../../projection/index.js";
import type { WebhookDirectory } from "../../webhook/index.js";
import { type Authentication, WrongNetwork } from "../authentication.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { Cedar } from "../authz/cedar.js";
import type { PolicyCheck } from "../authz/policy-check.js";
import type { Action, ResourceClass } from "../authz/ruling.js";
import { compressAnswer } from "../compression.js";
import type { EdgeDependencies } from "../dependencies.js";
import type { HeldBytes } from "../held-bytes.js";
import type { KeyUses } from "../key-uses.js";
import type { EdgeLimits } from "../limits/edge-limits.js";
import { queryCheck } from "../operations/check-query.js";
import { operationOf } from "../operations/operations.js";
import type { PlatformAdministration } from "../platform/administration.js";
import type { PlatformFold } from "../platform/fold.js";
import type { Principal } from "../principal.js";
import { scopeOf } from "../principal-scope.js";
import type { PublishPipeline } from "../publish/pipeline.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { RefusalLog } from "../refusals.js";
import type { SchemaTime } from "../schemas/schema-time.js";
import type { Scope } from "../scope.js";
import type { SubscriptionHub } from "../sse/hub.js";
import { credentialOfRequest } from "../stream-tokens/credential-of-request.js";
import type { Sender } from "../stream-tokens/decide-stream-token.js";
import type { StreamTokenLog } from "../stream-tokens/stream-token-log.js";

/** The parts of an edge that routes use. */
export interface EdgeParts extends EdgeDependencies {
  readonly platform: PlatformFold;
  readonly authentication: Authentication;
  readonly authorizer: Authorizer;
  readonly policyCheck: PolicyCheck;
  /** What rules; given to the next edge of the process when this one has closed. */
  readonly cedar: Cedar;
  readonly keyUses: KeyUses;
  readonly limits: EdgeLimits;
  readonly refusals: RefusalLog;
  readonly streamTokens: StreamTokenLog;
  readonly pipeline: PublishPipeline;
  readonly administration: PlatformAdministration;
  readonly hub: SubscriptionHub;
  readonly directory: WebhookDirectory;
  readonly positions: PositionWaits;
  readonly queries: ProjectionQueries;
  readonly schemaTime: SchemaTime;
  /** Answers that were made and not yet taken. */
  readonly unsent: HeldBytes;
  /** Bodies that are being sent. */
  readonly coming: HeldBytes;
  /** Bodies that are being sent by who has proven nothing yet. */
  readonly unproven: HeldBytes;
}

/** Who asks for what. */
export interface Caller {
  readonly principal: Principal;
  readonly tenantId: TenantId;
  /** The part of it that the route is about. */
  readonly resource: ResourceClass;
  /** What the route's action is limited to; undefined: all that the rules allow. */
  readonly scope: Scope | undefined;
}

/** A route of one tenant. */
export interface TenantRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Without the prefix; `:t` is the tenant's id or slug. Without `:t` the tenant is the platform's. */
  readonly url: string;
  readonly action: Action;
  /** The part of the tenant that it is about; default all of it. */
  readonly resource?: ResourceClass | ((request: FastifyRequest) => ResourceClass);
  /** The tenant is the caller's own: the handler finds the one that is meant in the query. */
  readonly ofCaller?: boolean;
  /** `handler`: the handler reads the body before the policies are asked (DESIGN §13.6), and asks them itself. */
  readonly authorize?: "first" | "handler";
  /** The handler keeps to {@link Caller.scope}. Without it who has a scope is refused, so that a new route leaks nothing. */
  readonly withinScope?: boolean;
  /** Whether a stream token may stand in the address: only where a page cannot send a header. */
  readonly takesTokenInAddress?: (request: FastifyRequest) => boolean;
  readonly handle: (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<unknown>;
}

/** A request at its route. */
interface Arrived {
  readonly route: TenantRoute;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

type SignedHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

declare module "fastify" {
  interface FastifyRequest {
    /** Set as soon as the credential is known; refusals are counted under it. */
    principal?: Principal | undefined;
    action?: Action | undefined;
    resource?: ResourceClass | undefined;
    /** Set when the policies have let the request in. */
    caller?: Caller | undefined;
  }
}

const countedBodyBytes = 16_384;

/** Registers routes, each with its operation, and remembers which methods each address takes. */
export class Routes {
  readonly #server: FastifyInstance;
  readonly #parts: EdgeParts;
  readonly #methods = new Map<string, string[]>();

  constructor(server: FastifyInstance, parts: EdgeParts) {
    this.#server = server;
    this.#parts = parts;
    for (const member of ["principal", "action", "resource", "caller"] as const)
      server.decorateRequest(member, undefined);
  }

  /** The methods of each address, for the answers to other methods. */
  get methods(): ReadonlyMap<string, readonly string[]> {
    return this.#methods;
  }

  /** A route that anybody may call; it is served under back-pressure too. */
  open(url: string, handle: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>): void {
    operationOf("GET", url);
    const methods = ["GET", "HEAD"];
    for (const method of methods) this.#note(method, url);
    this.#server.route({
      method: methods,
      url,
      config: { alwaysServed: true },
      handler: (request, reply) => handle(request, reply),
    });
  }

  /** A route whose credential is the body's signature: it is checked by the handler, when the body has come. */
  signed(route: Pick<TenantRoute, "method" | "url" | "action"> & { readonly handle: SignedHandler }): void {
    operationOf(route.method, route.url);
    this.#note(route.method, route.url);
    this.#server.route({
      method: route.method,
      url: route.url,
      bodyLimit: limits.deliveryBytesMax,
      onRequest: (request, reply, done) => {
        request.action = route.action;
        const { t } = request.params as { readonly t: string }; // every such address has one
        const tenant = this.#parts.platform.fresh().tenant(t);
        // What nobody has proven yet must not hold up the tenant's own requests.
        this.#makeRoom(this.#parts.unproven, tenant?.id ?? PLATFORM_TENANT_ID, { request, reply });
        done();
      },
      handler: route.handle,
    });
  }

  /** A route of a tenant: the credential and the tenant are checked before a byte of the body is read. */
  tenant(route: TenantRoute): void {
    const checkQuery = queryCheck(operationOf(route.method, route.url));
    const isRead = route.method === "GET" && route.action === "Read";
    this.#note(route.method, route.url);
    this.#server.route({
      method: route.method,
      url: route.url,
      config: { takesGzip: route.method !== "GET" },
      ...(isRead && this.#parts.compression !== "off" ? { onSend: compressAnswer } : {}),
      onRequest: (request, reply, done) => {
        request.action = route.action;
        const found = this.#parts.authentication.identify({
          header: credentialOfRequest(request, route.takesTokenInAddress?.(request) === true),
          address: request.ip,
          sender: senderOf(request),
        });
        const arrived = { route, request, reply };
        const waited = found instanceof Promise ? this.#admitLater(found, arrived) : this.#admit(found, arrived);
        if (waited === undefined) done();
        else waited.then(() => done(), done);
      },
      handler: async (request, reply) => {
        const { caller } = request;
        if (caller === undefined)
          throw new EventplaneError("internal", "A request reached its handler without a caller.");
        checkQuery(request.query);
        return route.handle(request, reply, caller);
      },
    });
  }

  async #admitLater(found: Promise<Principal>, arrived: Arrived): Promise<void> {
    try {
      await this.#admit(await found, arrived);
    } catch (error) {
      // The secret was right: it is this key's tenant that has to know.
      const { cause } = error as { readonly cause?: unknown }; // only read, it may be missing
      if (cause instanceof WrongNetwork) arrived.request.principal = cause.principal;
      throw error;
    }
  }

  /**
   * The tenant of the address must be the caller's, which must be within its limits, and the policies must allow what the route does.
   *
   * @returns undefined when all of that was decided at once
   */
  #admit(principal: Principal, { route, request, reply }: Arrived): Promise<void> | undefined {
    request.principal = principal;
    const { t } = request.params as { readonly t?: string }; // the only parameter of this name
    const tenantId = route.ofCaller === true ? principal.tenantId : this.#tenantOf(principal, t, route.action);
    const waited = this.#parts.limits.admit(principal);
    const caller = { principal, tenantId };
    if (waited !== undefined) return waited.then(() => this.#letIn(caller, { route, request, reply }));
    this.#letIn(caller, { route, request, reply });
    return undefined;
  }

  #letIn({ principal, tenantId }: Pick<Caller, "principal" | "tenantId">, { route, request, reply }: Arrived): void {
    const fields = this.#parts.limits.fields(principal);
    reply.header("ratelimit-policy", fields["ratelimit-policy"]).header("ratelimit", fields.ratelimit);
    const scope = scopeOf(principal, route.action);
    const resource = resourceOf(route, request, scope);
    request.resource = resource;
    if (scope !== undefined && route.withinScope !== true) throw forbidden();
    if (principal.actions?.has(route.action) === false) throw forbidden();
    if (route.authorize !== "handler")
      this.#parts.authorizer.assertAllowed(principal, route.action, { tenantId, resource });
    this.#makeRoom(this.#parts.coming, tenantId, { request, reply });
    request.caller = { principal, tenantId, resource, scope };
  }

  /** Tenant equality, before any rule: foreign and unknown tenants are the same, in time too, to those who may not look. */
  #tenantOf(principal: Principal, idOrSlug: string | undefined, action: Action): TenantId {
    const entry = this.#parts.platform.state.tenant(idOrSlug ?? "platform");
    const mayAdminister = action === "Administer" && principal.tenantId === PLATFORM_TENANT_ID;
    if (entry === undefined || !(entry.id === principal.tenantId || mayAdminister)) throw forbidden();
    return entry.id;
  }

  /** Bodies too small to matter are not counted. */
  #makeRoom(
    held: HeldBytes,
    tenantId: TenantId,
    { request: { headers }, reply: { raw } }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  ): void {
    // Of what is sent in chunks or as gzip, nobody knows yet what it becomes.
    const isOpen = headers["transfer-encoding"] !== undefined || headers["content-encoding"] === "gzip";
    const bytes = isOpen ? limits.bodyBytesMax : Number(headers["content-length"] ?? 0);
    if (bytes < countedBodyBytes) return;
    held.hold(tenantId, Math.min(bytes, limits.bodyBytesMax), raw);
  }

  #note(method: string, url: string): void {
    this.#methods.set(url, [...(this.#methods.get(url) ?? []), method]);
  }
}

/** The part of the tenant that a request is about. Who sees nothing but one aggregate asks for that one, whatever the address says. */
function resourceOf(route: TenantRoute, request: FastifyRequest, scope: Scope | undefined): ResourceClass {
  const named = typeof route.resource === "function" ? route.resource(request) : (route.resource ?? "tenant");
  const only = scope?.part.aggregateType;
  return named === "tenant" && only !== undefined ? `aggregate:${only}` : named;
}

function senderOf({ headers }: FastifyRequest): Sender {
  const site = headers["sec-fetch-site"];
  return { origin: headers.origin, site: typeof site === "string" ? site : undefined, host: headers.host };
}
